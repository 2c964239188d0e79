# Each of N requests, counted in what the replicas of todo-1 have logged: `MISSING TWICE`.
counted() { sed -n 's#.*GET /api/v1/counted/\([0-9]*\).*#\1#p' | sort -n | uniq -c | awk -v n="$1" '$1 > 1 { twice++ } END { print n - NR, twice + 0 }'; }
shown='for n in $(seq 10); do lab-logs show todo-$n; done'

# All replicas' logs in one directory, within bounds; no line is lost when they start together and while logs are cut.
logs() {
    local small='--tags replicas -e todo_replicas_log_size=8k'
    play 'logs cut in small parts' 'failed=0' $small
    local begun; begun=$(on todo-1 "$shown"' | grep -c "listening on"')
    on todo-1 'docker restart --time 1 $(seq -f todo-%g 10) >/dev/null & for _ in $(seq 40); do lab-logs rotate; sleep 0.2; done; wait' &
    local cutting=$!
    sleep 0.5; until get "$lb1/api/v1/ping" | grep -q todo-1; do sleep 0.1; done
    get --output /dev/null "$lb1/api/v1/counted/[1-3000]" &
    get --output /dev/null "$lb1/api/v1/counted/[3001-6000]"; wait $! $cutting
    check 'replicas that started together have logged it, each' "^$((begun + 10))\$" on todo-1 "$shown"' | grep -c "listening on"'
    check 'each request is logged once, while logs are cut' '^0 0$' sh -c "tests/lab/lab ssh todo-1 '$shown' >'$scratch/shown'; $(declare -f counted); counted 6000 <'$scratch/shown'"
    check 'in many parts, and no log is left over its bound' '^[1-9][0-9]+ 0$' on todo-1 'lab-logs rotate; cd /var/log/lab; echo $(ls todo-*/*.log.2* | wc -l) $(find . -name "*.log" -size +8192c | wc -l)'
    play 'collected here' 'failed=0' playbooks/logs.yml -e todo_replicas_collect_dir="$scratch/logs" -e hours=1
    check 'all of it, a file for each replica' '^0 0 10$' sh -c "$(declare -f counted); echo \$(cat '$scratch'/logs/todo-1/todo-*.log | counted 6000) \$(ls '$scratch'/logs/todo-2/ | grep -cxE 'todo-([1-9]|10).log')"
    check 'what the containers say, too' 'mysqld.*ready for connections' cat "$scratch/logs/todo-1/docker/lab-mysql.log"
    play 'a bound for all' 'failed=0' $small -e todo_replicas_log_total=100k
    check 'is kept' '^yes$' on todo-1 'lab-logs rotate; cd /var/log/lab; [ "$(find . -type f -printf "%s\n" | awk "{ t += \$1 } END { print t }")" -le $((100 * 1024 + 10 * 8192)) ] && echo yes'
    for n in $(seq 7001 7020); do get --output /dev/null "$lb1/api/v1/counted/$n"; done
    check 'and what comes after is logged' '^20$' on todo-1 "$shown"' | grep -cE "/counted/70[0-2][0-9][^0-9]"'
    on todo-1 'systemctl start lab-logs.service'
    check 'by a timer' '^active success$' on todo-1 'echo $(systemctl is-active lab-logs.timer) $(systemctl show --property Result --value lab-logs.service)'
    play 'as it was' 'failed=0' --tags replicas
    play 'again' 'changed=0 ' --tags replicas
}
