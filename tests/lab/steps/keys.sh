# The lab's own key for ssh, its certificate authority and the registry's password file.
# They belong to one lab: a second checkout that meets a running registry takes its
# certificate from there instead of making another one the hosts would not trust.

step_keys() {
    mkdir -p "$state" && chmod 700 "$state"
    if [ ! -f "$state/id_ed25519" ]; then
        ssh-keygen -q -t ed25519 -N '' -C rplay-lab -f "$state/id_ed25519"
        changed "made .lab/id_ed25519"
    fi
    if [ -n "$(container_state registry)" ]; then
        refuse_foreign container "$prefix-registry"
        docker cp -q "$prefix-registry:/etc/registry/ca.crt" "$state/ca.crt.new"
        # Another checkout may have put a new lab in place of the one that ours was from.
        if cmp -s "$state/ca.crt.new" "$state/ca.crt"; then
            rm "$state/ca.crt.new"
        else
            mv "$state/ca.crt.new" "$state/ca.crt"
            changed "took .lab/ca.crt from the running registry"
        fi
    elif [ ! -f "$state/registry/registry.key" ]; then
        make_certificates
        changed "made .lab/ca.crt and the registry's certificate"
    fi
}

# The authority's key signs once and is thrown away: nothing else can be signed with it.
make_certificates() {
    local made=$state/registry
    mkdir -p "$made"
    (
        cd "$made"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
            -subj '/CN=rplay lab' -keyout ca.key -out ca.crt
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
            -subj "/CN=$registry_name" -keyout registry.key -out registry.csr
        openssl x509 -req -in registry.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 \
            -extfile <(printf 'subjectAltName=DNS:%s,IP:%s,IP:%s' \
                "$registry_name" "$registry_address" "${registry_published%:*}") \
            -out registry.crt
        rm ca.key registry.csr ca.srl
    ) 2>"$state/registry/openssl.log" || die "openssl failed, see .lab/registry/openssl.log"
    cp "$made/ca.crt" "$state/ca.crt"
}
