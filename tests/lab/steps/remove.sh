# Takes away what carries our label, and nothing else.

step_remove_hosts() {
    local name entry gone=()
    for entry in "${hosts[@]}"; do
        read -r name _ <<<"$entry"
        [ -n "$(container_state "$name")" ] || continue
        refuse_foreign container "$prefix-$name"
        gone+=("$prefix-$name")
    done
    if [ "${#gone[@]}" -gt 0 ]; then
        docker rm --force --volumes "${gone[@]}" >/dev/null
        changed "removed ${gone[*]}"
    fi
    for entry in "${hosts[@]}"; do
        read -r name _ <<<"$entry"
        docker volume ls --quiet --filter "label=$label=1" --filter "name=^$prefix-$name\$" |
            xargs -r docker volume rm >/dev/null
    done
}

step_remove() {
    local found
    if ! docker version >/dev/null 2>&1; then say "no Docker engine answers: there is no lab"; return; fi
    found=$(docker ps --all --quiet --filter "label=$label=1")
    if [ -n "$found" ]; then
        docker rm --force --volumes $found >/dev/null
        changed "removed $(wc -w <<<"$found") containers"
    fi
    found=$(docker volume ls --quiet --filter "label=$label=1")
    if [ -n "$found" ]; then
        docker volume rm $found >/dev/null
        changed "removed the volumes" $found
    fi
    found=$(docker network ls --quiet --filter "label=$label=1")
    if [ -n "$found" ]; then
        docker network rm $found >/dev/null
        changed "removed the network $network"
    fi
    # Certificates and host keys died with what they named; the ssh key stays ours.
    rm -rf "$state/registry" "$state/ca.crt" "$state/known_hosts" "$state/docker" "$state/netrc"
}

step_remove_images() {
    local found
    docker version >/dev/null 2>&1 || return 0
    found=$(docker image ls --filter "label=$image_label=1" --format '{{.Repository}}:{{.Tag}}' | grep "^$images/" || true)
    if [ -n "$found" ]; then
        docker image rm --force $found >/dev/null
        changed "removed $(wc -w <<<"$found") images"
    fi
    # What the stages of a Dockerfile left behind has our label and no name.
    docker image prune --force --filter "label=$image_label=1" >/dev/null
}

# Only the engine that the lab itself started, and only when nobody else uses it.
step_remove_engine() {
    [ -f "$state/engine-started" ] || { say "the Docker engine is not ours: left running"; return; }
    if [ -n "$(docker ps --quiet 2>/dev/null)" ]; then
        say "other containers run on the Docker engine: left running"
        return
    fi
    local pid; pid=$(cat /var/run/docker.pid 2>/dev/null || true)
    if [ -n "$pid" ]; then
        as_root kill "$pid"
        for _ in $(seq 100); do as_root kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        changed "stopped dockerd"
    fi
    rm -f "$state/engine-started"
}
