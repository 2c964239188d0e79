#!/usr/bin/env bash
# Two passing hosts, spare-1 and spare-2, for tests that change or break theirs:
#   tests/lab/passing.sh up      they run; what does not is made anew
#   tests/lab/passing.sh fresh   both are made anew
#   tests/lab/passing.sh down    they are gone
# Key and host keys of theirs lie in .lab/passing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
for file in settings engine keys images network registry hosts remove; do . "./steps/$file.sh"; done

lab_state=$state
state=$lab_state/passing
hosts=("spare-1 $subnet.31 $loopback.31" "spare-2 $subnet.32 $loopback.32")

remove_spare() {
    [ -z "$(container_state "$1")" ] || { refuse_foreign container "$prefix-$1"; docker rm --force "$prefix-$1" >/dev/null; }
    docker volume rm --force "$prefix-$1" >/dev/null
}

up() {
    local entry name
    mkdir -p "$state"
    cp "$lab_state/id_ed25519" "$lab_state/id_ed25519.pub" "$lab_state/ca.crt" "$state/"
    for entry in "${hosts[@]}"; do
        read -r name _ <<<"$entry"
        [ "$(container_state "$name")" = running ] || { remove_spare "$name"; create_host $entry; }
    done
    step_ready
}

fresh() {
    down
    up
}

down() {
    local entry name
    for entry in "${hosts[@]}"; do
        read -r name _ <<<"$entry"
        remove_spare "$name"
    done
    rm -rf "$state"
}

case ${1:-} in
    up | fresh | down)
        (flock 9; "$1") 9>"${TMPDIR:-/tmp}/rplay-lab-passing.$(id -u).lock"
        ;;
    *) sed -n '2,6s/^# \?//p' "$0" >&2; exit 2 ;;
esac
