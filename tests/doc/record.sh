#!/bin/sh
# Records what ansible-doc says of the collection here. Needs ansible-core 2.19 in PATH.
set -eu
cd "$(dirname "$0")"
export ANSIBLE_NOCOLOR=1
mkdir -p expected
while read -r name options; do
    # The path of a file is that of the checkout.
    # shellcheck disable=SC2086
    ansible-doc --playbook-dir . $options 2>/dev/null | sed "s|$PWD|HERE|g" > "expected/$name"
done < cases.txt
