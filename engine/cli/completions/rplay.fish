
# The project's own words: hosts, tags, modules, playbooks.
complete -c rplay -s l -l limit -x -a "(rplay self words hosts 2>/dev/null)"
complete -c rplay -n "not __fish_seen_subcommand_from adhoc config doc" -s t -l tags -x -a "(rplay self words tags 2>/dev/null)"
complete -c rplay -l skip-tags -x -a "(rplay self words tags 2>/dev/null)"
complete -c rplay -n "__fish_seen_subcommand_from adhoc" -s m -l module-name -x -a "(rplay self words modules 2>/dev/null)"
complete -c rplay -n "__fish_seen_subcommand_from doc" -a "(rplay self words modules 2>/dev/null)"
complete -c rplay -n "__fish_seen_subcommand_from adhoc console" -a "(rplay self words hosts 2>/dev/null)"
complete -c rplay -n "__fish_use_subcommand" -a "(rplay self words playbooks 2>/dev/null)"
