#!/usr/bin/env bash
# Deploys to hosts that answer as CentOS 7 and as Rocky 9: RPLAY=path/to/rplay tests/lab/centos.sh
# Needs a lab that is up. The hosts centos-7 and rocky-9 are made new, and their packages come from the addresses of
# the real mirrors, which lead to a container here. Both are removed at the end (CENTOS_KEEP=1 keeps them). Ends with
# `N passed, N failed`.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
rplay=$(command -v "${RPLAY:-rplay}") || { echo "set RPLAY to the rplay to test" >&2; exit 2; }
rplay=$(realpath "$rplay")
# shellcheck disable=SC1090
for file in settings engine keys images network registry hosts remove check; do . "tests/lab/steps/$file.sh"; done
set +e

lab_state=$state
state=$lab_state/centos
systems=(centos-7 rocky-9)
hosts=("centos-7 $subnet.41 $loopback.41" "rocky-9 $subnet.42 $loopback.42")
mirror=$subnet.6
sites=(vault.centos.org archives.fedoraproject.org dl.rockylinux.org download.docker.com)
host_image=centos
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"; [ -n "${CENTOS_KEEP:-}" ] || remove' EXIT

remove() {
    local name
    for name in "${systems[@]}" mirror; do
        [ -z "$(container_state "$name")" ] || docker rm --force "$prefix-$name" >/dev/null
        docker volume rm --force "$prefix-$name" >/dev/null 2>&1
    done
    rm -rf "$state"
}

image() {
    local hash
    hash=$(fingerprint "$(docker image inspect --format '{{.Id}}' "$images/host")" "$lab_dir/images/centos")
    docker image inspect "$images/centos:$hash" >/dev/null 2>&1 && return
    declare -gA image_hash=([centos]=$hash)
    local cgroup; cgroup=$(cgroup_flags)
    build_flags=(${cgroup:+"$cgroup"}) hash_base=latest
    timed centos build_from_dockerfile centos --build-arg "HOST=$images/host"
    drop_superseded
}

up() {
    local entry site
    set -e
    mkdir -p "$state/log"
    cp "$lab_state/id_ed25519" "$lab_state/id_ed25519.pub" "$lab_state/ca.crt" "$state/"
    image
    docker run --detach --name "$prefix-mirror" --label "$label=1" --network "$network" --ip "$mirror" \
        --entrypoint python3 "$images/centos" /usr/local/sbin/mirror.py >/dev/null
    host_flags=()
    for site in "${sites[@]}"; do host_flags+=(--add-host "$site:$mirror"); done
    local shared=("${host_flags[@]}")
    for entry in "${hosts[@]}"; do
        host_flags=("${shared[@]}" --env "LAB_SYSTEM=${entry%% *}")
        create_host $entry
    done
    step_ready
    set +e
}

# play WHAT WANTED ARGUMENT...: a run that exits 0, whose recap of both hosts matches the pattern.
play() {
    local what=$1 wanted=$2 code begun=$SECONDS; shift 2
    "$rplay" playbooks/site.yml -i "$scratch/hosts.yml" "$@" >"$scratch/log" 2>&1 </dev/null
    code=$?
    if [ "$code" = 0 ] && [ "$(grep -E '^(centos-7|rocky-9) +: ok=' "$scratch/log" | grep -cE "$wanted")" = 2 ]; then
        pass "$what ($((SECONDS - begun)) s)"
    else
        fail "$what" "exit code $code, wanted: $wanted"
        grep -E '^(fatal|failed|changed|  ×|  │|(centos-7|rocky-9) +:)' "$scratch/log" | cut -c1-300 | sed 's/^/      /' | tail -n 25
    fi
}

on() {
    local entry name=$1 published; shift
    for entry in "${hosts[@]}"; do
        if [ "${entry%% *}" = "$name" ]; then published=${entry##* }; fi
    done
    ssh -i "$state/id_ed25519" -p "$ssh_port" -o IdentitiesOnly=yes -o UserKnownHostsFile="$state/known_hosts" \
        -o StrictHostKeyChecking=yes "root@$published" "$@"
}

remove
up || { echo "0 passed, 1 failed"; exit 1; }

cat >"$scratch/hosts.yml" <<END
todo:
  hosts:
    centos-7: {ansible_host: $loopback.41, todo_private_address: $subnet.41}
    rocky-9: {ansible_host: $loopback.42, todo_private_address: $subnet.42}
  vars:
    ansible_user: ops
    ansible_become: true
    ansible_port: $ssh_port
    ansible_ssh_private_key_file: $state/id_ed25519
    ansible_ssh_common_args: >-
      -o UserKnownHostsFile=$state/known_hosts -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes
    todo_stack: lab-centos
    todo_secrets_dir: $scratch/secrets
    todo_registry: registry.lab:5000
    registry_login_username: lab
    registry_login_password: $registry_password
    # As in inventory/lab.yml: the machine lets a container open no more files.
    data_services_mysql_options: [--max-connections=12000]
    os_prep_mirror: official
    os_prep_firewalld: true
    count: 3
END

"$rplay" adhoc todo -i "$scratch/hosts.yml" -m setup -a 'gather_subset=!all,distribution,pkg_mgr' >"$scratch/facts" 2>&1
check 'the facts are those of CentOS 7' '"ansible_distribution": "CentOS"' cat "$scratch/facts"
check 'the facts are those of Rocky 9' '"ansible_distribution": "Rocky"' cat "$scratch/facts"
check 'the family is Red Hat' '"ansible_os_family": "RedHat"' cat "$scratch/facts"
check 'packages come by dnf' '"ansible_pkg_mgr": "dnf"' cat "$scratch/facts"

play 'the first run deploys' 'failed=0'
play 'the second run changes nothing' 'changed=0 .*failed=0'
play 'a dry run changes nothing' 'changed=0 .*failed=0' --check

for name in "${systems[@]}"; do
    check "$name: nginx, Docker and firewalld are RPMs" 'nginx-1.* docker-ce-2.* firewalld-' \
        on "$name" 'echo $(rpm -q nginx docker-ce firewalld)'
    check "$name: their signatures were checked" 'rplay lab' on "$name" 'rpm -qa "gpg-pubkey*" --qf "%{summary}\n"'
    check "$name: firewalld lets port 80 in, now and after a reboot" '^open$' \
        on "$name" 'firewall-cmd -q --query-port=80/tcp && firewall-cmd -q --permanent --query-port=80/tcp && echo open'
    check "$name: nginx has one default server" '^todo.conf$' \
        on "$name" 'cd /etc/nginx && grep -lrE "listen .*default_server" . | xargs -n1 basename'
done
check 'CentOS 7 asks the archive alone' '^baseurl = http://vault.centos.org/7.9.2009/os/\$basearch/$' \
    on centos-7 'grep -rhE "^(mirrorlist|baseurl)" /etc/yum.repos.d/CentOS-Base.repo | grep /os/'
for address in "$loopback.41" "$loopback.42"; do
    check "the service answers at $address" '^"(centos-7|rocky-9)-[0-9]+"$' curl --silent --max-time 10 --noproxy '*' "http://$address:$http_port/api/v1/ping"
done
play 'scaling up goes on' 'failed=0' --tags replicas -e count=5
check 'five replicas run' '^5$' on rocky-9 'docker ps --format "{{.Names}}" | grep -c "^todo-[0-9]"'

printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
