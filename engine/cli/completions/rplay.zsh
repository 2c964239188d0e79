# The project's own words: hosts, tags, modules, playbooks.
_rplay_words() {
    local -a found typed
    # Not `words`, which lacks what precedes a command.
    typed=(${(Q)${(z)BUFFER}})
    found=(${(f)"$(rplay self words $1 -- $typed 2>/dev/null)"})
    _sequence compadd -a found
}
_rplay_hosts() { _rplay_words hosts }
_rplay_tags() { _rplay_words tags }
_rplay_modules() {
    local -a found
    found=(${(f)"$(rplay self words modules 2>/dev/null)"})
    compadd -a found
}
_rplay_playbooks() {
    local -a found
    found=(${(f)"$(rplay self words playbooks 2>/dev/null)"})
    compadd -a found
    _files -g '*.y(a|)ml'
}
_rplay_first() {
    _rplay_playbooks
    _rplay_commands
}
