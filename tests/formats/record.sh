#!/bin/sh
# Records what Ansible shows of the play here: record.sh DIRECTORY/bin, where Ansible 12 is installed.
set -u
cd "$(dirname "$0")" || exit
play() { "$1/ansible-playbook" -f1 -i hosts -e ansible_python_interpreter="$1/python" site.yml 2>/dev/null; }
kept() { sed "s#$PWD#DIRECTORY#g"; }
export ANSIBLE_NOCOLOR=1
for name in minimal oneline ansible.posix.json ansible.posix.jsonl ansible.posix.debug community.general.yaml; do
    ANSIBLE_STDOUT_CALLBACK=$name play "$1" | kept > "expected/$name.txt"
done
made=$(mktemp -d)
export ANSIBLE_CALLBACK_TREE_DIR="$made/tree" JUNIT_OUTPUT_DIR="$made/junit" ANSIBLE_LOG_FOLDER="$made/log"
export ANSIBLE_CALLBACKS_ENABLED=ansible.posix.profile_tasks,ansible.posix.profile_roles,ansible.posix.timer
ANSIBLE_CALLBACKS_ENABLED=$ANSIBLE_CALLBACKS_ENABLED,community.general.log_plays,junit,tree
play "$1" | kept > expected/additions.txt
kept < "$made"/junit/*.xml > expected/junit.xml
for host in a b c; do
    kept < "$made/log/$host" > "expected/log_plays.$host"
    kept < "$made/tree/$host" > "expected/tree.$host"
done
rm -r "$made"
