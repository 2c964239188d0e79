"""Writes each result of a run as a line of JSON into the file that PROOF_RECORD names."""

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: record
type: aggregate
short_description: one line of JSON for each result
description: Both engines of a proof have it, so that what they tell can be compared.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record"

    def __init__(self):
        super().__init__()
        path = os.environ.get("PROOF_RECORD")
        self.disabled = not path
        self.file = open(path, "w") if path else None

    def write(self, status, **entry):
        json.dump({"status": status, **entry}, self.file, default=str)
        self.file.write("\n")
        self.file.flush()

    def record(self, status, result):
        # ansible-core 2.19 has made public what was private.
        task = getattr(result, "task", None) or result._task
        host = getattr(result, "host", None) or result._host
        content = getattr(result, "result", None) or result._result
        self.write(status, task=task.get_name(), host=host.get_name(), result=content)

    def v2_runner_on_ok(self, result):
        self.record("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.record("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_skipped(self, result):
        self.record("skipped", result)

    def v2_runner_on_unreachable(self, result):
        self.record("unreachable", result)

    def v2_playbook_on_stats(self, stats):
        hosts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        self.write("stats", hosts=hosts)
