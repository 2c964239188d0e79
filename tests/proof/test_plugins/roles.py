"""Tests of a project's own."""


class TestModule:
    def tests(self):
        return {"a_role": lambda word: word in ("web", "db")}
