"""Filters of a project's own."""


class FilterModule:
    def filters(self):
        return {
            "shouted": lambda text: text.upper() + "!",
            "of_role": lambda servers, role: [server for server in servers if server["tags"]["role"] == role],
        }
