#!/usr/bin/env bash
# Builds what is released (engine/dist/build) and installs each of it where there is no compiler and no network:
# tests/lab/install.sh. The lab must be up: containers of its base image, and one of its hosts, are what it is tried on.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
# shellcheck disable=SC1091,SC2154  # names the lab's images
. tests/lab/steps/settings.sh
# shellcheck disable=SC1091
. tests/lab/steps/check.sh
export LAB_STATE=$state
dist=$(realpath -m "${CARGO_TARGET_DIR:-target}")/dist
scratch=$(mktemp -d)
finish() {
    [ -z "${container:-}" ] || docker rm --force "$container" >/dev/null
    docker image rm --force rplay:"${version:-none}" >/dev/null 2>&1
    rm -rf "$scratch"
}
trap finish EXIT

# in_debian COMMAND: in a new container with no compiler and no network.
in_debian() {
    container=$(docker run --detach --label "$label=1" --network none --volume "$dist:/dist:ro" "$images/base" sleep 600) || exit 1
    docker exec "$container" sh -ec "$1"
    docker rm --force "$container" >/dev/null; container=
}

# The same play everywhere: on this machine itself, with a file written and read again.
play='cat >/tmp/first.yml <<END
- hosts: localhost
  tasks:
    - copy: {content: "hello\n", dest: /tmp/hello}
    - command: cat /tmp/hello
END
rplay /tmp/first.yml'
ran='ok=[23] +changed=2 +unreachable=0 +failed=0'

rm -rf "$dist"
# The agent as a plain release has it: the smaller one takes minutes to build and is the same code.
AGENT_PROFILE=release engine/dist/build >"$scratch/build" 2>&1 || { cat "$scratch/build"; exit 1; }
version=$(sed -n 's/.* rplay_\(.*\)_.*\.deb$/\1/p' "$scratch/build")

check 'the sums are those of the files' '^0$' sh -c "cd '$dist' && sha256sum --check --quiet SHA256SUMS; echo \$?"
check 'the agent for hosts is embedded' 'for hosts +the agent embedded in it' "$dist/rplay" self
check 'no compiler there' '^none$' in_debian 'command -v cc gcc cargo || echo none'
check 'tarball' "$ran" in_debian "tar -xzf /dist/rplay-*.tar.gz -C /tmp && /tmp/rplay-*-linux/install.sh && $play"
check 'tarball, into a home' '/home/ann/.local/bin/rplay' in_debian \
    "useradd -m ann; tar -xzf /dist/rplay-*.tar.gz -C /tmp; su ann -c '/tmp/rplay-*-linux/install.sh' >/dev/null; ls /home/ann/.local/bin/rplay"
check 'package' "$ran" in_debian "dpkg --force-depends -i /dist/rplay_*.deb 2>/dev/null && $play"
check 'package: completions' '_rplay' in_debian \
    'dpkg --force-depends -i /dist/rplay_*.deb >/dev/null 2>&1; cat /usr/share/bash-completion/completions/rplay'
check 'package: man pages' 'root/root .*/usr/share/man/man1/rplay-vault.1.gz' dpkg-deb --contents "$dist"/rplay_*.deb
check 'links for the names of Ansible, and none by force' 'ansible-vault exists and is not a link' in_debian \
    'dpkg --force-depends -i /dist/rplay_*.deb >/dev/null 2>&1; mkdir /tmp/a /tmp/b; rplay self link /tmp/a >/dev/null; /tmp/a/ansible localhost -m ping >/dev/null
     touch /tmp/b/ansible-vault; COLUMNS=200 rplay self link /tmp/b; [ $? = 1 ]'
if python3 -m venv "$scratch/venv" 2>/dev/null; then
    "$scratch/venv/bin/pip" install --quiet --no-index --disable-pip-version-check "$dist"/rplay-*.whl
    check 'wheel' '^rplay ' "$scratch/venv/bin/rplay" --version
else
    echo 'note: there is no python3-venv here, so the wheel was not installed'
fi
DIST_BASE=$images/host check 'image' 'rplay_.*\.deb' engine/dist/build image
check 'image: it runs' '^rplay ' docker run --rm --network none "rplay:$version" --version

# First contact: a host gets the embedded agent, and nothing else.
size=$("$dist/rplay" self | sed -n 's/.*embedded in it, \([0-9.]*\) MB.*/\1/p')
tests/lab/lab ssh todo-1 'rm -rf /home/ops/.cache/rplay'
check 'a host is reached' 'ping.*pong|pong' "$dist/rplay" adhoc -i inventory/lab.yml todo-1 -m ping
check "and holds the agent of $size MB alone" "^1 $size\$" tests/lab/lab ssh todo-1 \
    'set -- /home/ops/.cache/rplay/*; echo $# $(($(stat -c %s "$1") / 100000)) | sed "s/\(.\)$/.\1/"'
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
