# The private network of the two hosts and the registry, with fixed addresses.

step_network() {
    if docker network inspect "$network" >/dev/null 2>&1; then
        refuse_foreign network "$network"
        say "the network $network is there"
        return
    fi
    docker network create --label "$label=1" --subnet "$subnet.0/24" --gateway "$subnet.1" \
        "$network" >/dev/null
    changed "made the network $network ($subnet.0/24)"
}
