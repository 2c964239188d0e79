# A host on which the old scripts ran: refused as it is, and taken over when told, with all of its data.

# The service by hand on todo-1: the default network, addresses that hang on the order of starts, no volumes, no
# labels, twelve replicas, and nginx.conf edited.
by_hand() {
    on todo-1 'set -e
        command -v nginx >/dev/null || apt-get install -qqy docker.io iptables nginx >/dev/null 2>&1
        systemctl start docker nginx
        rm -f /etc/docker/daemon.json; systemctl restart docker
        docker login --username lab --password lab-registry registry.lab:5000 >/dev/null 2>&1
        image=registry.lab:5000/todo
        docker run -d --name my-mysql -p 13306:3306 -e MYSQL_ROOT_PASSWORD=old-root -e MYSQL_DATABASE=todolist $image/mysql:8.0.39
        docker run -d --name my-redis -p 16379:6379 $image/redis:7.4.0 --requirepass old-redis
        address() { docker inspect --format "{{.NetworkSettings.IPAddress}}" $1; }
        mkdir -p /root/todo
        printf "%s\n" "[service]" "AppMode = release" "HttpPort = :3000" "[redis]" "RedisDb = redis" \
            "RedisAddr = $(address my-redis):6379" "RedisPw = old-redis" "RedisDbName = 0" "[mysql]" "Db = mysql" \
            "DbHost = $(address my-mysql)" "DbPort = 3306" "DbUser = root" "DbPassWord = old-root" "DbName = todolist" >/root/todo/config.ini
        until docker exec -e MYSQL_PWD=old-root my-mysql mysql -h127.0.0.1 -uroot -e "SELECT 1" >/dev/null 2>&1; do sleep 0.5; done
        servers=
        for i in $(seq 12); do
            docker run -d --name todo-$i -p $((3000 + i)):3000 -v /root/todo/config.ini:/app/config/config.ini $image/todo:v2
            servers="$servers server $(address todo-$i):3000;"
        done
        rm -f /etc/nginx/sites-enabled/default
        printf "%s\n" "user www-data;" "worker_processes auto;" "events { worker_connections 1024; }" "http {" \
            "upstream todo { $servers }" "server { listen 80; location / { proxy_pass http://todo; } }" "}" >/etc/nginx/nginx.conf
        systemctl restart nginx' >"$scratch/by-hand" 2>&1 || fail 'the service by hand' "$(tail -n 5 "$scratch/by-hand")"
}

# Whatever a run might have touched there.
by_hand_state() {
    on todo-1 'docker ps --all --no-trunc --format "{{.ID}} {{.Names}}" | sort; docker volume ls -q | sort; sha256sum /etc/nginx/nginx.conf
        docker inspect --format "{{.State.StartedAt}}" my-mysql my-redis $(seq -f todo-%g 12)'
}

takeover() {
    local user='{"user_name":"eve","password":"secret"}' json='Content-Type: application/json' token former
    play 'nothing of ours on the hosts' 'failed=0' playbooks/destroy.yml -e data=true
    by_hand
    check 'the service by hand: a user' '"status":200' get "$lb1/api/v1/user/register" -H "$json" -d "$user"
    token=$(get "$lb1/api/v1/user/login" -H "$json" -d "$user" | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
    check 'a task' '"status":200' get "$lb1/api/v1/task_create" -H "$json" -H "Authorization: $token" -d '{"title":"bread","content":"rye"}'
    check 'looked at once' '"view":1' get "$lb1/api/v1/task_show?id=1" -H "Authorization: $token"
    by_hand_state >"$scratch/before"

    refused 'a host that was set up by hand' 'todo-1 was set up by hand, and nothing was changed. There are: MySQL in the container my-mysql \(running, its data in [0-9a-f]{64}\); Redis in the container my-redis .*; 12 replicas \(todo-1, todo-2, todo-3 to todo-12\); /etc/nginx/nginx.conf, by which nginx asks former replicas.* -e take_over=true takes it over'
    refused 'a part of it' 'only be taken over as a whole' --tags replicas -e take_over=true
    refused 'data that would have to be merged' 'my-mysql holds data of its own, and todo-2 is to hold the data of all' -e take_over=true -e todo_data_host=todo-2
    refused 'replicas whose data is not found' 'their data elsewhere than in a container other-mysql' -e take_over=true -e take_over_mysql_name=other-mysql
    refused 'an image that is not to be had' 'no-such' -e take_over=true -e todo_mysql_image=registry.lab:5000/todo/no-such:1
    refused 'a password that MySQL does not know' 'MySQL of my-mysql refuses root' -e take_over=true -e take_over_mysql_root_password=wrong
    check 'the user is still there' '"token":"eyJ' get "$lb1/api/v1/user/login" -H "$json" -d "$user"
    check 'what was refused early touched nothing, what failed late started it again' '^same$' sh -c "
        tests/lab/lab ssh todo-1 'docker ps --no-trunc --format \"{{.ID}} {{.Names}}\" | sort; sha256sum /etc/nginx/nginx.conf' >'$scratch/after'
        grep -E '^[0-9a-f]{64} ' '$scratch/before' | grep -E ' (my-|todo-|/etc)|  /etc' | cmp - '$scratch/after' && echo same"

    play '--check with take_over' 'failed=0' --check --diff -e take_over=true
    former=$(on todo-1 'docker inspect --format "{{.Id}}" my-mysql')
    play 'taken over' 'failed=0' -e take_over=true
    check 'the user and the task are there' '"title":"bread".*"total":1' sh -c "
        token=\$(curl --silent --noproxy '*' $lb1/api/v1/user/login -H '$json' -d '$user' | sed -n 's/.*\"token\":\"\([^\"]*\)\".*/\1/p')
        curl --silent --noproxy '*' $lb1/api/v1/task_list -H \"Authorization: \$token\"
        curl --silent --noproxy '*' '$lb1/api/v1/task_show?id=1' -H \"Authorization: \$token\" >'$scratch/shown'"
    check 'and how often it was looked at' '"view":2' cat "$scratch/shown"
    check 'the former MySQL is kept, with its data' "^$former exited no [1-9]" on todo-1 '
        docker inspect --format "{{.Id}} {{.State.Status}} {{.HostConfig.RestartPolicy.Name}}" my-mysql-taken-over | tr "\n" " "
        ls $(docker inspect --format "{{range .Mounts}}{{.Source}}{{end}}" my-mysql-taken-over) | wc -l'
    check 'ten replicas are left, and nginx.conf beside the former one' '^10 1$' on todo-1 '
        echo $(docker ps --all --quiet --filter name=^/todo-[0-9]+$ | wc -l) $(grep -l "upstream todo" /etc/nginx/nginx.conf.* | wc -l)'
    play 'in exact round robin' 'failed=0' playbooks/verify.yml
    play 'again' 'changed=0 ' -e take_over=true
    play 'and without being told' 'changed=0 '
    on todo-1 'docker rm --volumes my-mysql-taken-over my-redis-taken-over >/dev/null; rm -rf /etc/nginx/nginx.conf.* /etc/nginx/taken-over /root/todo'
    play 'gone' 'failed=0' playbooks/destroy.yml -e data=true
}
