# Both hosts behind a stand-in for the cloud's balancer: round robin, a health check that GETs the ping every two
# seconds and takes a host out after three misses. As there, a request that a host drops is not repeated.

balancer=$loopback.10:8080

start_balancer() {
    cat >"$scratch/balancer.cfg" <<END
global
    stats socket $scratch/balancer.sock level admin
defaults
    mode http
    retries 0
    timeout connect 2s
    timeout client 60s
    timeout server 15s
    default-server inter 2s fall 3 rise 2
frontend todo
    bind $balancer
    default_backend hosts
backend hosts
    balance roundrobin
    option httpchk
    http-check send meth GET uri /api/v1/ping
    http-check expect rstatus ^2
    timeout check 1s
    server todo-1 $loopback.11:$http_port check
    server todo-2 $loopback.12:$http_port check
END
    /usr/sbin/haproxy -q -db -f "$scratch/balancer.cfg" >"$scratch/balancer.log" 2>&1 &
    balancer_pid=$!
    for _ in $(seq 50); do get --output /dev/null "http://$balancer/api/v1/ping" && return; sleep 0.1; done
    fail 'the stand-in balancer answers' "$(cat "$scratch/balancer.log")"
}

lose_host() { docker kill "$prefix-todo-2" >/dev/null; }
regain_host() { tests/lab/lab up >/dev/null; }

# One of two hosts is lost under load, and comes back.
two_hosts() {
    play 'one data host for both' 'failed=0' -e todo_data_host=todo-1
    start_balancer
    front=$balancer under_load 15 lose_host
    check 'a whole host is lost: until the balancer has seen it, requests fail' '"failed_gets":[1-9]' cat "$scratch/load"
    # Half a second before it, up to one for it, three checks two seconds apart, and the last one's time limit.
    within 'then none does' 8.5 "$(last_failure)" s
    front=$balancer under_load 5 true
    none_failed 'one host serves alone'
    front=$balancer under_load 75 regain_host
    none_failed 'the host comes back under load: no request fails'
    check 'and serves its half' '^"todo-[12]-[0-9]+"."todo-[12]-[0-9]+"$' sh -c "
        for _ in \$(seq 120); do
            answers=\$(for _ in 1 2; do curl --silent --max-time 5 --noproxy '*' http://$balancer/api/v1/ping; echo; done)
            case \$answers in *todo-2*) echo \"\$answers\"; exit;; esac; sleep 0.5
        done; echo \"\$answers\""
    front=$balancer under_load 40 play 'one host after the other is rolled' 'failed=0' --tags replicas -e todo_data_host=todo-1 -e todo_serial=1 -e todo_version=v3
    none_failed 'no request through the balancer fails meanwhile'
    kill "$balancer_pid"; wait "$balancer_pid" 2>/dev/null
    play 'as before' 'failed=0' -e todo_data_host=todo-1
}
