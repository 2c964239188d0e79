#!/usr/bin/env bash
# Checks that the lab is what README.md says. The hosts are only looked at: what has to be
# tried out is tried in passing containers of our own, or with --deep on a third host.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
for file in settings engine keys images network registry hosts remove check; do . "./steps/$file.sh"; done
scratch=$(mktemp -d)

finish() {
    docker ps --all --quiet --filter "label=$label=1" --filter "name=^$prefix-smoke" |
        xargs -r docker rm --force --volumes >/dev/null
    docker volume rm --force "$prefix-smoke-host" "$prefix-smoke-logs" >/dev/null 2>&1
    rm -rf "$scratch"
}
trap finish EXIT

as() { LAB_USER=$1 ./lab ssh "${@:2}"; }

hosts_are_up() {
    local host entry published
    for entry in "${hosts[@]}"; do
        read -r host _ published <<<"$entry"
        check "$host: systemd runs, the key lets root in, strictly checked" '^running$' ./lab ssh "$host" systemctl is-system-running
        check "$host: sudo of deploy takes the password" '^root$' as deploy "$host" "echo $sudo_password | sudo -S -p '' whoami"
        check "$host: and refuses without it" 'password is required' as deploy "$host" 'sudo -k; sudo -n whoami'
        check "$host: sudo of ops asks for none" '^root$' as ops "$host" sudo -n whoami
        check "$host: finds the Debian mirror" 'Candidate: [0-9]' ./lab ssh "$host" \
            'mkdir -p /tmp/apt/partial && apt-get -qq -o Dir::State::lists=/tmp/apt update >/dev/null 2>&1; apt-cache -o Dir::State::lists=/tmp/apt policy nginx; rm -r /tmp/apt'
        check "$host: trusts the registry, which wants a password" '^401 200$' ./lab ssh "$host" \
            "curl -s -o /dev/null -w '%{http_code} ' https://$registry_name:5000/v2/; curl -s -o /dev/null -w '%{http_code}' -u $registry_user:$registry_password https://$registry_name:5000/v2/"
        check "$host: knows the other hosts by name" '^open$' ./lab ssh "$host" \
            'for h in todo-1 todo-2; do timeout 2 bash -c ": < /dev/tcp/$h/22" || exit; done; echo open'
        check "$host: http is published" 'reset|HTTP/|Empty reply' curl --silent --show-error --max-time 3 --noproxy '*' --include "http://$published:$http_port/"
    done
    check 'each host has a key of its own' '^2$' sh -c "cut -d' ' -f3 '$state/known_hosts' | sort -u | wc -l"
    check 'the registry has both versions of todo' '"v2".*"v3"|"v3".*"v2"' registry_get todo/todo/tags/list
    check 'up again changes nothing' '^0$' sh -c './lab up | grep -c changed:'
}

# The service with its databases, beside the hosts and without touching them.
todo_works() {
    mkdir -p "$scratch/config"
    cat >"$scratch/config/config.ini" <<END
[service]
AppMode = debug
HttpPort = :3000
[redis]
RedisDb = redis
RedisAddr = $prefix-smoke-redis:6379
RedisPw = redis#pass
RedisDbName = 4
[mysql]
Db = mysql
DbHost = $prefix-smoke-mysql
DbPort = 3306
DbUser = root
DbPassWord = it's "a" \\pass
DbName = todolist
END
    # Copied in: a directory of this machine need not be one of the engine's.
    replica() {
        local name=$prefix-smoke-$1; shift
        docker create --name "$name" --label "$label=1" --network "$network" --publish 127.0.0.1::3000 \
            --env JWT_SECRET=smoke "$@" "$images/todo-v2" >/dev/null
        docker cp -q "$scratch/config" "$name:/app/"
        docker start "$name" >/dev/null
    }
    port() { docker port "$prefix-smoke-$1" 3000 | head -n 1; }
    call() {
        local name=$1 path=$2; shift 2
        curl --silent --show-error --max-time 10 --noproxy '*' --write-out ' %{http_code}' "$@" "http://$(port "$name")$path"
    }
    answers() { for _ in $(seq 50); do call "$1" /api/v1/ping 2>/dev/null | grep -q ' 200' && return; sleep 0.1; done; return 1; }
    local json='Content-Type: application/json'

    replica alone
    check 'todo exits when MySQL is not there' '^1$' timeout 20 docker wait "$prefix-smoke-alone"
    docker run --detach --name "$prefix-smoke-mysql" --label "$label=1" --network "$network" \
        --env MYSQL_ROOT_PASSWORD="it's \"a\" \\pass" --env MYSQL_DATABASE=todolist "$images/mysql" >/dev/null
    check 'MySQL starts and takes the password' '^1$' sh -c "
        for _ in \$(seq 100); do
            docker exec --env MYSQL_PWD='it'\\''s \"a\" \\pass' $prefix-smoke-mysql mysql -h127.0.0.1 -uroot -Ne 'select 1' todolist 2>/dev/null && break
            sleep 0.2
        done"
    replica half
    check 'todo exits when Redis is not there' '^1$' timeout 20 docker wait "$prefix-smoke-half"
    docker run --detach --name "$prefix-smoke-redis" --label "$label=1" --network "$network" \
        "$images/redis" --requirepass redis#pass >/dev/null
    docker volume create --label "$label=1" "$prefix-smoke-logs" >/dev/null
    sleep 0.5
    replica one --volume "$prefix-smoke-logs:/app/logs"
    replica two --volume "$prefix-smoke-logs:/app/logs" --env GRACE=5 --env SLOW_MS=600
    replica cut --env SLOW_MS=600
    replica unready --env FAIL_READY=1
    replica crash --env CRASH_AFTER=0.5
    replica late --env START_DELAY=2
    check 'START_DELAY: no answer yet' 'reset|refused|Empty|000' call late /api/v1/ping
    answers one; answers two; answers cut
    check 'ping answers the hostname as JSON' '^"[0-9a-f]{12}" 200$' call one /api/v1/ping
    check 'HEAD is not known' ' 404$' call one /api/v1/ping --head
    check 'a name too short is refused' "'min' tag.* 400$" call one /api/v1/user/register --header "$json" --data '{"user_name":"a","password":"secret"}'
    check 'a user is registered' '"status":200.* 200$' call one /api/v1/user/register --header "$json" --data '{"user_name":"ann","password":"secret"}'
    check 'not twice' '用户已存在.* 500$' call one /api/v1/user/register --data 'user_name=ann&password=secret'
    local token
    token=$(call two /api/v1/user/login --data 'user_name=ann&password=secret' | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
    check 'another replica logs the user in' '^eyJ' echo "$token"
    check 'no token, no tasks' '缺少Token.* 400$' call one /api/v1/task_list
    check 'a task is created' ' 200$' call one /api/v1/task_create --header "Authorization: $token" --header "$json" --data '{"title":"milk","content":"two"}'
    call one '/api/v1/task_show?id=1' --header "Authorization: $token" >/dev/null
    check 'Redis counts its views' '"view":2' call one '/api/v1/task_show?id=1' --header "Authorization: $token"
    check 'and it is listed' '"item":\[\{"id":1,"title":"milk","content":"two","view":2.*"total":1' call two /api/v1/task_list --header "Authorization: $token"
    check 'replicas share a log of whole lines' '^[1-9][0-9]* 0$' sh -c "
        docker run --rm --label $label=1 --volume $prefix-smoke-logs:/logs $images/base sh -c \
            'cat /logs/*.log | { total=0 bad=0; while read -r line; do total=\$((total + 1)); case \$line in 20*Z\ *\ *) ;; *) bad=1 ;; esac; done; echo \$total \$bad; }'"
    call two /api/v1/ping >"$scratch/graceful" 2>&1 & local graceful=$!
    call cut /api/v1/ping >"$scratch/cut" 2>&1 & local cut=$!
    sleep 0.2
    docker stop "$prefix-smoke-two" "$prefix-smoke-cut" >/dev/null
    wait "$graceful" "$cut"
    check 'GRACE: the request under way is answered' ' 200$' cat "$scratch/graceful"
    check 'without it, it is cut off' ' 000$' cat "$scratch/cut"
    check 'FAIL_READY: ping answers 503' ' 503$' call unready /api/v1/ping
    check 'CRASH_AFTER: the process dies' '^70$' timeout 20 docker wait "$prefix-smoke-crash"
    answers late
    check 'START_DELAY: then it answers' ' 200$' call late /api/v1/ping
}

# All that a deployment does, on a host of its own.
host_takes_docker() {
    create_host smoke-host "$subnet.21" $loopback.21
    hosts=("smoke-host $subnet.21 $loopback.21")
    local saved=$state
    state=$scratch; cp "$saved/id_ed25519" "$saved/id_ed25519.pub" "$saved/ca.crt" "$scratch/"
    step_ready >/dev/null
    on() { docker exec --interactive "$prefix-smoke-host" sh -c "$1"; }
    check 'Docker and nginx install' '^ 200$' on '
        export DEBIAN_FRONTEND=noninteractive
        { apt-get update && apt-get install -y --no-install-recommends docker.io iptables nginx; } >/var/log/smoke 2>&1
        curl -s -o /dev/null -w " %{http_code}" localhost'
    check 'a pull needs a login' 'no basic auth credentials' on "docker pull $registry_name:5000/todo/todo:v3"
    check 'docker login and pull work' 'todo:v3' on "
        echo $registry_password | docker login --username $registry_user --password-stdin $registry_name:5000 2>/dev/null
        for image in mysql:8.0.39 redis:7.4.0 todo:v3; do docker pull --quiet $registry_name:5000/todo/\$image; done"
    check 'a killed container is back on its published port' '^PONG$' on "
        docker run --detach --name redis --restart unless-stopped --publish 127.0.0.1:16379:6379 $registry_name:5000/todo/redis:7.4.0 >/dev/null
        sleep 1; kill -9 \$(docker inspect --format '{{.State.Pid}}' redis); sleep 2
        docker exec redis redis-cli -h \$(hostname -i | cut -d' ' -f1) ping >/dev/null 2>&1
        bash -c 'exec 3<>/dev/tcp/127.0.0.1/16379; printf \"PING\\r\\n\" >&3; head -n 1 <&3' | tr -d '+\\r'"
    check 'nginx is reached from this machine' ' 200$' curl -s -o /dev/null -w ' %{http_code}' --noproxy '*' "http://$loopback.21:$http_port/"
    docker restart "$prefix-smoke-host" >/dev/null
    step_ready >/dev/null
    check 'all is there again after a reboot' '^Up .*active' on "sleep 2; docker ps --filter name=redis --format '{{.Status}}' | tr '\n' ' '; systemctl is-active nginx"
    state=$saved
}

hosts_are_up
todo_works
[ "${1:-}" != --deep ] || host_takes_docker
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
