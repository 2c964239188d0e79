Nov 27 2026 11:50:31 - site.yml - Reach - ansible.builtin.ping - UNREACHABLE - {"unreachable": true, "exception": "(traceback unavailable)", "msg": "Task failed: Failed to connect to the host via ssh: ssh: connect to host 127.0.0.1 port 1: Connection refused", "changed": false, "_ansible_no_log": false}

