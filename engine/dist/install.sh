#!/bin/sh
# Installs rplay from an unpacked tarball: ./install.sh [PREFIX]
# PREFIX is /usr/local for root, else ~/.local. `rplay self link DIRECTORY` makes links for Ansible's names.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ "$(id -u)" = 0 ]; then prefix=${1:-/usr/local}; else prefix=${1:-$HOME/.local}; fi
cd "$here"
find bin share -type f | while read -r file; do
    mkdir -p "$prefix/$(dirname "$file")"
    # A running rplay keeps its file.
    cp "$file" "$prefix/$file.new"
    mv -f "$prefix/$file.new" "$prefix/$file"
done
echo "installed $("$prefix/bin/rplay" --version | head -n 1) in $prefix"
case :$PATH: in *":$prefix/bin:"*) ;; *) echo "$prefix/bin is not in PATH" ;; esac
command -v ssh >/dev/null || echo "OpenSSH's client is missing: hosts are reached through it"
