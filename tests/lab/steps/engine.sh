# A Docker engine that answers: the machine's own if there is one, else Debian's docker.io.

step_engine() {
    install_tools
    if docker version >/dev/null 2>&1; then
        say "the Docker engine of this machine answers"
        return
    fi
    if ! command -v dockerd >/dev/null; then
        say "no Docker engine on this machine: installing docker.io"
        apt_install docker.io iptables
        changed "installed docker.io"
    fi
    if [ -d /run/systemd/system ]; then
        as_root systemctl start docker
        changed "started docker.service"
    else
        start_detached_engine
    fi
    wait_for_engine
}

# Without systemd nothing else would start dockerd. It gets a session of its own, so that
# it outlives this script; its own pid file keeps a second one away.
start_detached_engine() {
    mkdir -p "$state/log"
    drop_stale /var/run/docker.pid dockerd
    drop_stale /var/run/docker/containerd/containerd.pid containerd
    # Nor may it inherit the lab's lock (9), which would then be held for ever.
    as_root setsid dockerd >>"$state/log/dockerd.log" 2>&1 </dev/null 9>&- &
    touch "$state/engine-started"
    changed "started dockerd (log: .lab/log/dockerd.log)"
}

# drop_stale FILE PROGRAM: an engine that was killed leaves its pid file, and nobody may have reaped the process:
# the next one would take it for alive.
drop_stale() {
    local pid
    pid=$(as_root cat "$1" 2>/dev/null) || return 0
    if ! grep -qs "^Name:[[:space:]]*$2$" "/proc/$pid/status" || grep -qs '^State:[[:space:]]*Z' "/proc/$pid/status"; then
        as_root rm -f "$1"
    fi
}

wait_for_engine() {
    for _ in $(seq 150); do
        docker version >/dev/null 2>&1 && return
        sleep 0.2
    done
    tail -n 5 "$state/log/dockerd.log" >&2 2>/dev/null || true
    die "the Docker engine did not answer within 30 s; is this user allowed to reach it?"
}

# What the later steps call on this machine.
install_tools() {
    local missing=()
    command -v ssh-keygen >/dev/null || missing+=(openssh-client)
    command -v openssl >/dev/null || missing+=(openssl)
    command -v curl >/dev/null || missing+=(curl)
    if [ "${#missing[@]}" -gt 0 ]; then
        apt_install "${missing[@]}"
        changed "installed ${missing[*]}"
    fi
}

apt_install() {
    command -v apt-get >/dev/null || die "please install $*: this machine has no apt-get"
    mkdir -p "$state/log"
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$@" >>"$state/log/apt.log" 2>&1 ||
        { as_root apt-get update >>"$state/log/apt.log" 2>&1 &&
            as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y --no-install-recommends "$@" >>"$state/log/apt.log" 2>&1; } ||
        die "apt-get install $* failed, see .lab/log/apt.log"
}

# On cgroup v1 all containers together weigh as much as one task of the machine's root
# cgroup, so on a busy machine a host takes a minute to boot. A parent cgroup with a
# larger share mends that. cgroup v2 and the systemd driver need no such thing.
cgroup_flags() {
    local cpu=/sys/fs/cgroup/cpu/lab
    [ "$(docker info --format '{{.CgroupDriver}} {{.CgroupVersion}}')" = "cgroupfs 1" ] || return 0
    as_root mkdir -p "$cpu" 2>/dev/null || return 0
    as_root sh -c "echo 10240 > $cpu/cpu.shares" 2>/dev/null || return 0
    say --cgroup-parent=/lab
}
