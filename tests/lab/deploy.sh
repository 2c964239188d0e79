#!/usr/bin/env bash
# Checks the deployment (roles/, playbooks/) against the lab: RPLAY=path/to/rplay tests/lab/deploy.sh
# Begins with new hosts (registry and images stay), takes a few minutes, and leaves the lab with
# nothing deployed. Ends with `N passed, N failed`.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
rplay=$(command -v "${RPLAY:-rplay}") || { echo "set RPLAY to the rplay to test" >&2; exit 2; }
rplay=$(realpath "$rplay")
# shellcheck disable=SC1091,SC2154  # names the lab's addresses and ports
. tests/lab/steps/settings.sh
# shellcheck disable=SC1091
. tests/lab/steps/check.sh
export LAB_STATE=$state
scratch=$(mktemp -d)
# Secrets of its own, so that those of a lab in use stay as they are.
secrets=$scratch/secrets
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$scratch"' EXIT

# play WHAT WANTED ARGUMENT...: a run that exits 0, whose recap of both hosts matches the pattern.
play() {
    local what=$1 wanted=$2 code begun=$SECONDS; shift 2
    "$rplay" -i inventory/lab.yml -e "todo_secrets_dir=$secrets" "$@" >"$scratch/log" 2>&1 </dev/null
    code=$?
    if [ "$code" = 0 ] && [ "$(grep -E '^todo-[12] +: ok=' "$scratch/log" | grep -cE "$wanted")" = 2 ]; then
        pass "$what ($((SECONDS - begun)) s)"
    else
        fail "$what" "exit code $code, wanted: $wanted"
        grep -E '^(fatal|failed|changed|  ×|todo-[12] +:)' "$scratch/log" | cut -c1-300 | sed 's/^/      /' | tail -n 15
    fi
}

on() { tests/lab/lab ssh "$@"; }
get() { curl --silent --max-time 10 --noproxy '*' "$@"; }
lb1=http://$loopback.11:$http_port lb2=http://$loopback.12:$http_port

# `ID STARTED` of the first ten replicas.
ten() { on "$1" 'docker inspect --format "{{.Id}} {{.State.StartedAt}}" $(seq -f todo-%g 10)'; }

# under_load SECONDS COMMAND...: eight clients on the first host (or at $front) while the command runs.
under_load() {
    "$load" "${front:-$loopback.11:$http_port}" "$1" >"$scratch/load" 2>"$scratch/load-begins" &
    local clients=$!; shift
    for _ in $(seq 100); do [ -s "$scratch/load-begins" ] && break; sleep 0.1; done
    sleep 0.5
    "$@"
    wait "$clients" || cat "$scratch/load-begins" >>"$scratch/load"
    printf '      load: %s\n' "$(cat "$scratch/load")"
}
# A kept connection that nginx closes while nothing is under way on it is opened again, as browsers do; that
# alone does not count.
none_failed() { check "$1" '"gets":[1-9][0-9]{2,},"posts":[1-9][0-9]{1,},"failed_gets":0,"failed_posts":0,' cat "$scratch/load"; }
no_failed_get() { check "$1" '"gets":[1-9][0-9]{2,}.*"failed_gets":0,' cat "$scratch/load"; }

# Prints how many milliseconds pass until the balancer's answers name the replica.
back_after() {
    local begun; begun=$(date +%s%3N)
    for _ in $(seq 500); do
        if get "$lb1/api/v1/ping" | grep -q "\"$1\""; then echo $(($(date +%s%3N) - begun)); return; fi
    done
    echo never
}
# within WHAT MOST GOT UNIT: a number that was measured is not above what it may be.
within() {
    if [[ $3 =~ ^[0-9]+(\.[0-9]+)?$ ]] && awk "BEGIN { exit !($3 <= $2) }"; then pass "$1 ($3 $4)"; else fail "$1" "at most $2 $4, got: $3"; fi
}
# longest KIND: the longest that a request of that kind (ping, show, create) waited under the last load.
longest() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$scratch/load"; }
# How many seconds into the last load the last request failed; 0 if none did.
last_failure() { sed -n 's/.*"last_failure_s":\([0-9.]*\|null\),.*/\1/p' "$scratch/load" | sed 's/null/0/'; }

build_load() {
    local target; target=$(rustc -vV | sed -n 's/^host: //p')
    cargo build --quiet --release --locked --manifest-path tests/lab/load/Cargo.toml \
        --target "$target" --target-dir "$state/target" || exit 1
    load=$state/target/$target/release/load
}

first_runs() {
    play '--check --diff on new hosts' 'unreachable=0 +failed=0' --check --diff
    check 'changed nothing there' '^$' on todo-1 'ls -d /etc/docker /etc/nginx /etc/todo /usr/bin/dockerd /usr/sbin/nginx 2>/dev/null || true'
    play 'first run' 'unreachable=0 +failed=0' --diff -vvv
    cp "$scratch/log" "$scratch/first-run"
    play 'second run' 'changed=0 .*failed=0'
    play '--check --diff after it' 'changed=0 .*failed=0' --check --diff
    play 'verify: exact round robin' 'failed=0' playbooks/verify.yml
    check 'verify shows the table' 'todo-2: 10 of 10 replicas answered 30 requests, 3 each' cat "$scratch/log"
}

hosts_are_tidy() {
    check 'no port but ssh and http on other addresses than loopback' '^22 80 $' \
        on todo-1 "ss -Htln | awk '{print \$4}' | grep -v '^127\.' | sed 's/.*://' | sort -nu | tr '\n' ' '"
    check 'the config is readable by root alone' '^700 600 600 600$' \
        on todo-1 'stat -c %a /etc/todo /etc/todo/config-*.ini /etc/todo/redis.conf /etc/todo/releases.json | tr "\n" " " | sed "s/ $//"'
    # Fetched there from where root alone can read it, so that looking for a secret does not show it.
    check 'no password in the processes or in docker inspect' '^none$' on todo-1 '
        umask 077; { cat /etc/todo/mysql-root-password; echo; cat /etc/todo/mysql-password; echo
            sed -n "s/^requirepass \"\(.*\)\"/\1/p" /etc/todo/redis.conf; } >/run/secrets-to-find
        [ "$(grep -c . /run/secrets-to-find)" = 3 ] || echo fewer than three
        grep -lsaFf /run/secrets-to-find /proc/[0-9]*/cmdline
        docker inspect $(docker ps -aq) | grep -Ff /run/secrets-to-find
        rm /run/secrets-to-find; echo none'
    check 'nor in what the run said' '^0$' sh -c "sed '/^$/d' '$secrets'/* >'$scratch/find'; grep -cFf '$scratch/find' '$scratch/first-run'"
    check 'containers come back after a crash, and logs are limited' '^unless-stopped 10m$' on todo-1 \
        'docker inspect --format "{{.HostConfig.RestartPolicy.Name}} {{index .HostConfig.LogConfig.Config \"max-size\"}}" todo-1 lab-mysql lab-redis | sort -u'
}

real_api() {
    local user='{"user_name":"ann","password":"secret"}' json='Content-Type: application/json' token
    check 'register' '"status":200' get "$lb1/api/v1/user/register" -H "$json" -d "$user"
    token=$(get "$lb1/api/v1/user/login" -H "$json" -d "$user" | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
    check 'login gives a token' '^eyJ' echo "$token"
    check 'create a task' '"status":200' get "$lb1/api/v1/task_create" -H "$json" -H "Authorization: $token" -d '{"title":"milk","content":"two"}'
    check 'list it' '"title":"milk".*"total":1' get "$lb1/api/v1/task_list" -H "Authorization: $token"
    check 'show it' '"content":"two"' get "$lb1/api/v1/task_show?id=1" -H "Authorization: $token"
    check 'ping' '^"todo-1-[0-9]+"$' get "$lb1/api/v1/ping"
    check 'users are split while each host has its own data' '用户不存在' get "$lb2/api/v1/user/login" -H "$json" -d "$user"
}

scaling() {
    ten todo-1 >"$scratch/before"
    under_load 60 play 'count=100' 'failed=0' --tags replicas -e count=100
    none_failed 'no request fails while it grows'
    play 'verify: exact round robin over 100' 'failed=0' playbooks/verify.yml -e count=100
    play 'count=100 again' 'changed=0 ' --tags replicas -e count=100
    under_load 30 play 'count=10' 'failed=0' --tags replicas -e count=10
    none_failed 'no request fails while it shrinks'
    ten todo-1 >"$scratch/after"
    check 'the ten that stay were not touched' '^10 same$' sh -c "cmp '$scratch/before' '$scratch/after' && echo \$(wc -l <'$scratch/after') same"
    check 'the other ninety are gone' '^10$' on todo-1 'docker ps --all --quiet --filter label=rplay.role=lab-replica | wc -l'
    play 'verify: exact round robin over 10' 'failed=0' playbooks/verify.yml
}

shared_data() {
    local user='{"user_name":"bob","password":"secret"}' json='Content-Type: application/json'
    play 'one data host for both' 'failed=0' -e todo_data_host=todo-1
    play 'again' 'changed=0 ' -e todo_data_host=todo-1
    check 'its ports show on the private address alone' '^10\.' on todo-1 "ss -Htln | awk '\$4 ~ /:(13306|16379)\$/ {print \$4}'; iptables -t nat -S DOCKER | grep -oE -- '-d 10[^ ]* .*dport (13306|16379)' | sed 's/-d //'"
    check 'a user registered on one host' '"status":200' get "$lb2/api/v1/user/register" -H "$json" -d "$user"
    check 'logs in on the other' '"token":"eyJ' get "$lb1/api/v1/user/login" -H "$json" -d "$user"
}

destroying() {
    play 'destroy' 'failed=0' playbooks/destroy.yml
    play 'destroy again' 'changed=0 .*failed=0' playbooks/destroy.yml
    check 'only the data is left' '^lab-mysql lab-redis $' on todo-1 'docker ps --all --quiet; docker network ls --quiet --filter name=^todo$; ls -d /etc/todo /etc/nginx/conf.d/todo* 2>/dev/null; docker volume ls --quiet | tr "\n" " "'
    play 'deployed again' 'failed=0'
    check 'the data is still there' '用户已存在' get "$lb1/api/v1/user/register" -H 'Content-Type: application/json' -d '{"user_name":"ann","password":"secret"}'
    play 'destroy with the data' 'failed=0' playbooks/destroy.yml -e data=true
    check 'nothing is left' '^$' on todo-1 'docker volume ls --quiet; ls -d /var/log/lab /etc/systemd/system/lab-logs.* /usr/local/sbin/lab-logs 2>/dev/null'
    check 'nor the passwords' '^$' sh -c "ls -A '$secrets' 2>/dev/null"
}

# The host goes down and comes up, as a machine does; nobody helps it.
reboot() {
    docker restart "$prefix-todo-1" >/dev/null
    local begun=$SECONDS answer=
    while [ $((SECONDS - begun)) -lt 90 ]; do
        answer=$(get --max-time 2 "$lb1/api/v1/ping"); [[ $answer = '"todo-1-'* ]] && break; sleep 0.5
    done
    if [[ $answer = '"todo-1-'* ]]; then pass "after a reboot the host serves again ($((SECONDS - begun)) s)"; else fail 'after a reboot the host serves again within 90 s' "$answer"; fi
    tests/lab/lab up >/dev/null
    on todo-1 'for _ in $(seq 120); do [ $(docker ps --quiet --filter label=rplay.role=lab-replica | wc -l) = 10 ] && break; sleep 0.5; done'
    play 'and nothing has to be done about it' 'changed=0 .*failed=0'
}

# refused WHAT WANTED ARGUMENT...: a run that exits 2 and says so.
refused() {
    local what=$1 wanted=$2 code; shift 2
    "$rplay" -i inventory/lab.yml -e "todo_secrets_dir=$secrets" "$@" >"$scratch/log" 2>&1 </dev/null
    code=$?
    check "$what" "$wanted" cat "$scratch/log"
    check "$what: exit code 2" '^2$' echo "$code"
}
version_is() { check "$1 answers" "x-todo-version: $1" get --include "$lb1/api/v1/ping"; }

# New releases, replaced in batches under load: nobody may notice.
rolling() {
    local twenty='--tags replicas -e count=20'
    play '20 replicas' 'failed=0' $twenty
    under_load 35 play 'another version' 'failed=0' $twenty -e todo_version=v3
    none_failed 'no request fails while 20 replicas are replaced'
    version_is v3
    play 'the same again' 'changed=0 ' $twenty -e todo_version=v3
    under_load 35 play 'back to the version before' 'failed=0' $twenty -e rollback=true
    none_failed 'no request fails while it is rolled back'
    version_is v2
    play 'going back twice is going back once' 'changed=0 ' $twenty -e rollback=true
    under_load 35 play 'another configuration' 'failed=0' $twenty -e todo_replicas_mode=debug
    none_failed 'no request fails while the configuration changes'
    check 'in all of them, and no former file is missing' '^2 20$' on todo-1 '
        echo $(ls /etc/todo/config-*.ini | wc -l) $(docker inspect --format "{{range .Mounts}}{{.Source}} {{end}}" $(docker ps -q --filter label=rplay.role=lab-replica) | xargs grep -d skip -l "AppMode = debug" | wc -l)'
    under_load 35 play 'and back, with ten' 'failed=0' --tags replicas
    none_failed 'no request fails while ten go and ten are replaced'
    play 'in exact round robin' 'failed=0' playbooks/verify.yml
}

# A release that never gets ready: it stops, says why, and what served still serves.
never_ready() {
    ten todo-1 >"$scratch/before"
    under_load 15 refused 'a release that does not get ready' 'todo-11 of .*/todo:v2 did not get ready within 4 s. The end of its log: .*listening' \
        --tags replicas -e '{"todo_replicas_env": {"FAIL_READY": "1"}}' -e todo_replicas_timeout=4
    none_failed 'no request fails meanwhile'
    ten todo-1 >"$scratch/after"
    check 'the ten before serve as before' '^10 same$' sh -c "cmp '$scratch/before' '$scratch/after' && echo \$(wc -l <'$scratch/after') same"
    check 'and no other is left' '^10$' on todo-1 'docker ps --all --quiet --filter label=rplay.role=lab-replica | wc -l'
    play 'the release as it was' 'changed=0 ' --tags replicas
}

# One run at a time, and one that is killed holds nothing; what it left half done is completed.
locked() {
    "$rplay" -i inventory/lab.yml -e "todo_secrets_dir=$secrets" --tags replicas -e todo_version=v3 >"$scratch/first" 2>&1 </dev/null &
    local first=$!
    for _ in $(seq 100); do grep -q 'TASK.*Replace replicas' "$scratch/first" && break; sleep 0.1; done
    refused 'a second run is refused' "lab is locked on this host by $(id -un)@$(uname -n) since 20.* for site.yml" --tags replicas
    kill -9 "$first"; wait "$first" 2>/dev/null
    under_load 25 play 'after a run that was killed the next one completes' 'failed=0' --tags replicas -e todo_version=v3
    none_failed 'no request fails meanwhile, either'
    check 'nothing of the first is left' '^10$' on todo-1 'docker ps --all --quiet --filter label=rplay.role=lab-replica | wc -l'
    play 'and back' 'failed=0' --tags replicas
}

secrets_lost() {
    local other='another-password'
    "$rplay" -i inventory/lab.yml -e "todo_secrets_dir=$secrets" -e todo_mysql_password=$other >"$scratch/log" 2>&1 </dev/null
    check 'other passwords than the data has are refused' 'MySQL refuses todo: its data .volume lab-mysql.' cat "$scratch/log"
    check 'before anything is changed' '^2$' grep -cE '^todo-[12] +: ok=.*changed=0' "$scratch/log"
}

logins() {
    local conf='--tags login -e registry_login_password='
    play 'without a password a host stays logged in' 'changed=0 .*failed=0' $conf
    on todo-2 'rm /root/.docker/config.json'
    "$rplay" -i inventory/lab.yml $conf >"$scratch/log" 2>&1 </dev/null
    check 'and one that is not says what is missing' 'no password of lab at registry.lab:5000: set REGISTRY_PASSWORD' cat "$scratch/log"
    REGISTRY_PASSWORD=wrong-password "$rplay" -i inventory/lab.yml --tags login -e '{"registry_login_password": "{{ lookup('"'env', 'REGISTRY_PASSWORD'"') }}"}' -vvv >"$scratch/log" 2>&1 </dev/null
    check 'a wrong one is refused' 'rejects the password of lab' cat "$scratch/log"
    check 'and not shown' '^0$' grep -c wrong-password "$scratch/log"
    play 'the right one' 'failed=0' --tags login
}

demo() {
    tests/lab/lab fresh >/dev/null
    play 'demo on new hosts' 'failed=0' playbooks/demo.yml
    play 'demo again' 'changed=0 .*failed=0' playbooks/demo.yml
    check 'ends with the table' 'todo-1: 10 of 10 replicas answered 30 requests, 3 each' cat "$scratch/log"
    play 'gone' 'failed=0' playbooks/destroy.yml -e data=true
}

for file in tests/lab/parts/*.sh; do
    # shellcheck disable=SC1090  # parts of this script, in files of their own
    . "$file"
done

build_load
tests/lab/lab up >/dev/null && tests/lab/lab fresh >/dev/null || exit 1
parts=${*:-first_runs hosts_are_tidy preflight secrets_lost logins real_api logs scaling failover failfast failback failsafe reboot rolling never_ready locked shared_data two_hosts destroying takeover demo}
for part in $parts; do
    "$part"
    # Without a deployment all that follows would fail for the same reason.
    if [ "$(on todo-1 'docker ps --quiet | wc -l' 2>/dev/null)" -lt 3 ] && [ "$part" = first_runs ]; then
        echo 'nothing is deployed: the rest is left out'; break
    fi
done
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
