# The two hosts: systemd, sshd, and room for a Docker of their own.

host_image=host host_flags=()

step_hosts() {
    local entry name started=()
    make_room_for_neighbours
    for entry in "${hosts[@]}"; do
        read -r name _ <<<"$entry"
        case $(container_state "$name") in
            running) refuse_foreign container "$prefix-$name"; say "$name runs" ;;
            '') create_host $entry; started+=("$name") ;;
            paused) die "$name is paused: docker unpause $prefix-$name" ;;
            *)
                refuse_foreign container "$prefix-$name"
                docker start "$prefix-$name" >/dev/null
                started+=("$name")
                ;;
        esac
    done
    if [ "${#started[@]}" -gt 0 ]; then changed "started ${started[*]}"; fi
}

# All containers of this machine, those inside the hosts too, share one table of neighbours. Its
# usual limit of 1024 is too low for two hundred replicas: packets are lost, requests hang for
# seconds. Only ever raised, and until the next boot of the machine.
make_room_for_neighbours() {
    local number value file
    for number in 3 2 1; do
        value=$((2048 << number)) file=/proc/sys/net/ipv4/neigh/default/gc_thresh$number
        [ "$(cat $file 2>/dev/null || echo $value)" -lt "$value" ] || continue
        as_root sh -c "echo $value >$file" 2>/dev/null || { say "cannot raise $file: expect trouble beyond 100 replicas"; continue; }
        changed "raised net.ipv4.neigh.default.gc_thresh$number to $value"
    done
}

# Of the image $host_image, with $host_flags besides.
create_host() {
    local name=$1 address=$2 published=$3 flags=("${host_flags[@]}") other
    mapfile -t -O "${#flags[@]}" flags < <(cgroup_flags; security_flags)
    make_volume "$name"
    for other in "${hosts[@]}"; do
        set -- $other
        flags+=(--add-host "$1:$2")
    done
    # Without CAP_SYS_RESOURCE, which not every machine has to give; so no --privileged. Without CAP_SYS_TIME: the first
    # time zone that is set would move the clock of this machine.
    docker run --detach "${flags[@]}" --name "$prefix-$name" --hostname "$name" --label "$label=1" \
        --network "$network" --ip "$address" --add-host "$registry_name:$registry_address" \
        --publish "$published:$ssh_port:22" --publish "$published:$http_port:80" \
        --cap-add ALL --cap-drop SYS_RESOURCE --cap-drop SYS_TIME --device-cgroup-rule 'a *:* rwm' \
        --cgroupns private --tmpfs /run:exec --tmpfs /run/lock --tmpfs /tmp:exec \
        --env "LAB_NAMESERVERS=$(machine_nameservers)" \
        --volume "$prefix-$name:/var/lib/docker" "$images/$host_image" >/dev/null || {
        # Half a host would be taken for one that was stopped.
        docker rm --force "$prefix-$name" >/dev/null
        die "$name did not start: are ports $ssh_port and $http_port of $published free? (LAB_SSH_PORT and LAB_HTTP_PORT choose others)"
    }
}

security_flags() {
    printf '%s\n' --security-opt=seccomp=unconfined --security-opt=systempaths=unconfined
    local options; options=$(docker info --format '{{.SecurityOptions}}')
    [[ $options != *apparmor* ]] || say --security-opt=apparmor=unconfined
    [[ $options != *selinux* ]] || say --security-opt=label=disable
}

# Name servers that a container can reach: one on the machine's own loopback it cannot, and
# then Docker's embedded one has to do.
machine_nameservers() {
    local file=/etc/resolv.conf
    if grep -q '^nameserver 127\.' "$file" && [ -f /run/systemd/resolve/resolv.conf ]; then
        file=/run/systemd/resolve/resolv.conf
    fi
    awk '$1 == "nameserver" && $2 !~ /^127\./ && $2 !~ /:/ { printf "%s%s", sep, $2; sep = " " }' "$file"
}

# Lets the lab's key in, teaches the hosts the registry's authority, waits until they are
# up, and writes down their real keys.
step_ready() {
    local entry name published known='' line jobs=() answers
    answers=$(mktemp -d)
    for entry in "${hosts[@]}"; do
        read -r name _ <<<"$entry"
        { cat "$state/id_ed25519.pub"; cat "$state/ca.crt"; } |
            docker exec -i "$prefix-$name" sh -c "$ready_script" >"$answers/$name" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || { rm -rf "$answers"; die "a host did not come up"; }; done
    for entry in "${hosts[@]}"; do
        read -r name _ published <<<"$entry"
        grep '^changed:' "$answers/$name" | sed "s/$/ on $name/" || true
        line=$(sed -n 's/^key: //p' "$answers/$name")
        if [ "$ssh_port" != 22 ]; then published="[$published]:$ssh_port"; fi
        known+="$published $line"$'\n'
    done
    rm -rf "$answers"
    if [ "$(cat "$state/known_hosts" 2>/dev/null)" != "${known%$'\n'}" ]; then
        printf '%s' "$known" >"$state/known_hosts"
        changed "wrote .lab/known_hosts"
    fi
    for entry in "${hosts[@]}"; do
        read -r name _ published <<<"$entry"
        say "$name: ssh $published port $ssh_port, http $published port $http_port"
    done
}

# Runs inside a host; its input is the public key, then the certificate.
ready_script='
set -eu
# At its very first moments init has no bus to ask yet.
for _ in $(seq 100); do [ -S /run/systemd/private ] && break; sleep 0.1; done
state=$(timeout 60 systemctl is-system-running --wait 2>&1) || true
case "$state" in running) ;; degraded) systemctl --failed --no-legend >&2 ;; *) echo "systemd says: $state" >&2; exit 1 ;; esac
read -r key
authority=/usr/local/share/ca-certificates/rplay-lab.crt
cat >/run/lab-authority
for user in root deploy ops; do
    home=$(getent passwd "$user" | cut -d: -f6)
    if ! grep -qxF "$key" "$home/.ssh/authorized_keys" 2>/dev/null; then
        mkdir -p "$home/.ssh"; chmod 700 "$home/.ssh"
        echo "$key" >>"$home/.ssh/authorized_keys"; chmod 600 "$home/.ssh/authorized_keys"
        chown -R "$user:$user" "$home/.ssh"
        echo "changed: the lab key may log in as $user"
    fi
done
if ! cmp -s /run/lab-authority "$authority"; then
    cp /run/lab-authority "$authority"
    update-ca-certificates >/dev/null 2>&1
    echo "changed: trusts the registry"
fi
for _ in $(seq 100); do ss -Htln "sport = 22" | grep -q . && break; sleep 0.1; done
echo "key: $(cut -d" " -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)"
'
