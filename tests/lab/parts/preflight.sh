# What a host cannot carry is refused before anything is done, all of it at once and with the arithmetic.
preflight() {
    ten todo-1 >"$scratch/before"
    refused 'more replicas than MySQL takes' '\(100 \+ 4 standing in\) replicas x 100 connections \+ 10 = 10410, MySQL allows 151' \
        -e count=100 -e '{"data_services_mysql_options": []}'
    refused 'of both hosts, where they share it' '\(150 \+ 4 standing in\) \+ \(150 \+ 4 standing in\) replicas x 100 connections \+ 10 = 30810, MySQL allows 12000' \
        -e count=150 -e todo_data_host=todo-1
    refused 'a count that fits nothing' 'memory: \(5000 \+ 4 standing in\) replicas x 16 MiB .* MiB; tasks: .* = 4160128, .*network: .* = 5006 containers, .* 1023 .*; disk: .* x 100 MiB x 3 files .* MiB free; connections:' \
        --tags replicas -e count=5000 -e todo_replicas_log_max_size=100m -e preflight_host_tasks=4000000
    refused 'more connections than files' 'files: 30000000 connections \+ 810 other files of MySQL = 30000810, a container may open [0-9]' \
        -e '{"data_services_mysql_options": ["--max-connections=30000000"]}'
    refused 'ports that are not to be had' 'ports: .* 33000 to 33013, the kernel gives 32768 to' -e todo_replicas_base_port=32999 --check
    on todo-1 'docker run --detach --name in-the-way --publish 127.0.0.1:3012:6379 registry.lab:5000/todo/redis:7.4.0 >/dev/null
        systemd-run --quiet --unit in-the-way python3 -m http.server --bind 127.0.0.1 3013; sleep 2'
    refused 'ports that others have' 'ports: 3012 is needed and published by the container in-the-way; ports: 3013 is needed and taken by python3' --tags replicas
    on todo-1 'docker rm --force --volumes in-the-way >/dev/null; systemctl stop in-the-way'
    ten todo-1 >"$scratch/after"
    check 'nothing was touched' '^10 same$' sh -c "cmp '$scratch/before' '$scratch/after' && echo \$(wc -l <'$scratch/after') same"
    play 'and with what it can carry nothing is to be done' 'changed=0 '
}
