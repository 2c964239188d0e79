
# The project's own words: hosts, tags, modules, playbooks.
_rplay_project() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} kind= playbook= i
    # bash makes three words of `--limit=web`.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    case $prev in
        -l | --limit) kind=hosts ;;
        --tags | --skip-tags) kind=tags ;;
        # It is another option of these.
        -t) [[ ${COMP_WORDS[1]} != @(adhoc|config|doc) ]] && kind=tags ;;
        -m | --module-name) kind=modules ;;
        doc) [[ $COMP_CWORD -eq 2 && $cur != -* ]] && kind=modules ;;
        adhoc | console) [[ $COMP_CWORD -eq 2 && $cur != -* ]] && kind=hosts ;;
    esac
    # After options, too.
    [[ -z $kind && $cur != -* && $prev != -* && " ${COMP_WORDS[*]:1:COMP_CWORD-1} " == *" "@(adhoc|console)" "* ]] && kind=hosts
    if [[ -n $kind ]]; then
        # The last of several, as in `-l web,db`.
        local before=
        [[ $cur == *,* ]] && before=${cur%,*},
        COMPREPLY=($(compgen -P "$before" -W "$(rplay self words "$kind" -- "${COMP_WORDS[@]}" 2>/dev/null)" -- "${cur##*,}"))
        return
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == *.y?(a)ml && ${COMP_WORDS[i-1]} != @(-*|=) ]] && playbook=1
    done
    _rplay "$@"
    if [[ $cur != -* && -n $playbook && $prev != -* ]]; then
        # Nothing but another playbook.
        COMPREPLY=($(compgen -W "$(rplay self words playbooks 2>/dev/null)" -- "$cur"))
    elif [[ $COMP_CWORD -eq 1 && $cur != -* ]]; then
        COMPREPLY+=($(compgen -W "$(rplay self words playbooks 2>/dev/null)" -- "$cur"))
    fi
}

complete -F _rplay_project -o nosort -o bashdefault -o default rplay
