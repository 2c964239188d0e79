
# The project's own words: hosts, tags, modules, playbooks.
function __rplay_words
    rplay self words $argv[1] -- (commandline -opc) 2>/dev/null
end
# The last of several, as in `-l web,db`.
function __rplay_list
    set -l before (commandline -ct | string replace -r '^--?[a-z-]+=' '' | string match -r '^.*,')
    __rplay_words $argv[1] | string replace -r '^' "$before"
end
complete -c rplay -s l -l limit -x -a "(__rplay_list hosts)"
complete -c rplay -n "not __fish_seen_subcommand_from adhoc config doc" -s t -l tags -x -a "(__rplay_list tags)"
complete -c rplay -l skip-tags -x -a "(__rplay_list tags)"
complete -c rplay -n "__fish_seen_subcommand_from adhoc" -s m -l module-name -x -a "(__rplay_words modules)"
complete -c rplay -n "__fish_seen_subcommand_from doc" -a "(__rplay_words modules)"
complete -c rplay -n "__fish_seen_subcommand_from adhoc console" -a "(__rplay_list hosts)"
complete -c rplay -n "__fish_use_subcommand" -a "(__rplay_words playbooks)"
