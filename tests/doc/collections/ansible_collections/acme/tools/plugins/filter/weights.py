class FilterModule(object):
    def filters(self):
        return {'heavier': lambda value: value + 1, 'lighter': lambda value: value - 1}
