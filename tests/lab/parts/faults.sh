# The four fault modes of nginx-lb, under load. Each part prints what the clients saw.

# A replica is killed: another one answers, and nobody notices.
failover() {
    under_load 8 on todo-1 'docker kill todo-3 >/dev/null; sleep 2; docker start todo-3 >/dev/null; sleep 1
        docker kill todo-4 todo-7 >/dev/null; sleep 1; docker start todo-4 todo-7 >/dev/null
        kill -9 $(docker inspect --format "{{.State.Pid}}" todo-5)'
    no_failed_get 'killed replicas: no GET fails'
    # What a dead replica refuses it has not begun: that is offered to another one, whatever it is.
    on todo-1 'docker kill $(seq -f todo-%g 2 10) >/dev/null; sleep 0.5'
    under_load 5 true
    none_failed 'nine of ten are dead: no request fails, POSTs included'
    on todo-1 'docker start $(seq -f todo-%g 2 10) >/dev/null'
    # A POST that was sent and not answered fails, unless told that it may be done twice.
    play 'POSTs may be repeated' 'failed=0' --tags lb -e nginx_lb_retry_posts=true
    under_load 8 on todo-1 'for replica in 3 4 5 6; do docker kill todo-$replica >/dev/null; sleep 1; docker start todo-$replica >/dev/null; done'
    none_failed 'then killed replicas cost no POST, either'
    play 'and not again' 'failed=0' --tags lb
}

# A replica hangs: it is given up in the time that its kind of request may take.
failfast() {
    under_load 10 on todo-1 'docker pause todo-3 >/dev/null; sleep 6; docker unpause todo-3 >/dev/null'
    no_failed_get 'a frozen replica: no GET fails'
    within 'a ping waits for the frozen one no longer than its limit of 300 ms, and some' 900 "$(longest ping)" ms
    within 'a read no longer than its limit of 3 s, and some' 4000 "$(longest show)" ms
    # Passwords are hashed for longer than a ping may take. Twelve at once on two CPUs take longer still.
    local user='{"user_name":"slow","password":"secret"}' json='Content-Type: application/json' jobs=() number
    get --output /dev/null "$lb1/api/v1/user/register" -H "$json" -d "$user"
    for number in $(seq 12); do
        get --output /dev/null --write-out '%{http_code} %{time_total}\n' "$lb1/api/v1/user/login" -H "$json" -d "$user" >"$scratch/login-$number" &
        jobs+=($!)
    done
    wait "${jobs[@]}"
    check 'logins have a limit of their own: all of them are answered' '^200 12$' sh -c "cat '$scratch'/login-* | cut -d' ' -f1 | sort | uniq -c | awk '{ print \$2, \$1 }'"
    check 'though they took longer than a ping may' '^yes$' sh -c "cat '$scratch'/login-* | awk '\$2 > 0.3 { slow = 1 } END { print slow ? \"yes\" : \"no\" }'"
}

# What was away is used again, without a hand.
failback() {
    on todo-1 'docker kill todo-3 >/dev/null; sleep 2; docker start todo-3 >/dev/null'
    within 'a restarted replica is used again' 2000 "$(back_after todo-1-3)" ms
    # In the container network a replica may get any address; nginx asks for its port on the host.
    on todo-1 'docker kill todo-3 >/dev/null
        network=$(docker inspect --format "{{range \$name, \$_ := .NetworkSettings.Networks}}{{\$name}}{{end}}" todo-3)
        docker run --detach --name squatter --network "$network" "$(docker inspect --format {{.Config.Image}} lab-redis)" redis-server >/dev/null
        docker start todo-3 >/dev/null'
    within 'one with another address, too' 2000 "$(back_after todo-1-3)" ms
    on todo-1 'docker rm --force --volumes squatter >/dev/null'
    on todo-1 'kill -9 $(docker inspect --format "{{.State.Pid}}" todo-6)
        for _ in $(seq 200); do curl --silent --output /dev/null 127.0.0.1:3006/api/v1/ping && break; sleep 0.05; done'
    within 'one that crashed is started by Docker and used again' 2000 "$(back_after todo-1-6)" ms
}

# None is left: 503 that the balancer before this one understands, and recovery by itself.
failsafe() {
    on todo-1 'docker kill $(seq -f todo-%g 10) >/dev/null'
    check 'all dead: 503 and JSON from the fallback' 'HTTP/1.1 503.*application/json.*Retry-After: 1.*"no replica answers"' get --include "$lb1/api/v1/ping"
    check 'all dead: 503 for the API, too' '^503$' get --output /dev/null --write-out '%{http_code}' "$lb1/api/v1/task_create" -d title=x
    on todo-1 'docker start $(seq -f todo-%g 10) >/dev/null'
    within 'and back by themselves' 5000 "$(back_after todo-1-10)" ms
    # All of them freeze for a moment, as they do when the host is short of something.
    under_load 8 on todo-1 'docker pause $(seq -f todo-%g 10) >/dev/null; sleep 1; docker unpause $(seq -f todo-%g 10) >/dev/null'
    within 'all frozen for a second: over soon after' 5 "$(last_failure)" s
    # A replica that failed takes a few rounds to be an equal again.
    sleep 1; for _ in $(seq 60); do get --output /dev/null "$lb1/api/v1/ping"; done
    play 'all of them, in exact round robin' 'failed=0' playbooks/verify.yml
}
