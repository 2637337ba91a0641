# Completion of rusage(1) for fish. tests/tools/command_options.py writes the options.

function __rusage_before_command
    set -l words (commandline -opc)[2..-1]
    while set -q words[1]
        if contains -- $words[1] -n -o -f --pid --runs --plot --output --export --warmup --format --prepare --samples --against --interval --limit-maxrss --limit-cputime --limit-tree-rss --limit-tree-pss
            set -e words[1] # and its value
        else if test "$words[1]" = -- || not string match -q -- '-*' "$words[1]"
            return 1
        end
        set -e words[1]
    end
end

complete -c rusage -n __rusage_before_command -s n -l runs -x -d 'run the command RUNS times, report statistics'
complete -c rusage -n __rusage_before_command -l compare -d 'compare commands without a shell, 3 s for each'
complete -c rusage -n __rusage_before_command -s o -l output -r -F -d 'write the report to FILE, not to standard error'
complete -c rusage -n __rusage_before_command -l json -d 'report in JSON; -o - writes to standard output'
complete -c rusage -n __rusage_before_command -l export -r -F -d 'also report to FILE, .json, .csv or .md'
complete -c rusage -n __rusage_before_command -s h -l help -d 'print this help and exit'
complete -c rusage -n __rusage_before_command -l warmup -x -d 'make N unreported runs first'
complete -c rusage -n __rusage_before_command -l prepare -x -d 'run COMMAND before each run, without a shell'
complete -c rusage -n __rusage_before_command -l show-output -d 'show output on terminals, instead of the progress'
complete -c rusage -n __rusage_before_command -l ignore-failure -d 'continue after a run that fails, and count it'
complete -c rusage -n __rusage_before_command -l markdown -d 'print a Markdown table; also of a single run'
complete -c rusage -n __rusage_before_command -l csv -d 'print comma-separated values, a row for each run'
complete -c rusage -n __rusage_before_command -l tree -d 'sample the memory of all processes together'
complete -c rusage -n __rusage_before_command -l pss -d 'also the sum that counts shared pages once (Linux)'
complete -c rusage -n __rusage_before_command -l interval -x -d 'seconds between two samples (0.01)'
complete -c rusage -n __rusage_before_command -l samples -r -F -d 'write the samples to FILE as CSV; implies --tree'
complete -c rusage -n __rusage_before_command -l plot -r -F -d 'draw them: .png, .svg or .pdf; implies --tree'
complete -c rusage -n __rusage_before_command -l pid -x -d 'report a running process, not a command'
complete -c rusage -n __rusage_before_command -l limit-maxrss -x -d 'limit on the peak of the largest process'
complete -c rusage -n __rusage_before_command -l limit-tree-rss -x -d 'limit on all processes together, like 500M'
complete -c rusage -n __rusage_before_command -l limit-tree-pss -x -d 'the same, counting shared pages once (Linux)'
complete -c rusage -n __rusage_before_command -l kill -d 'kill all when a sample exceeds --limit-tree-*'
complete -c rusage -n __rusage_before_command -l limit-cputime -x -d 'limit on user and system time, also of orphans'
complete -c rusage -n __rusage_before_command -l against -r -F -d 'compare with a report in JSON; limits like +10%'
complete -c rusage -n __rusage_before_command -s f -l format -x -d 'report in FORMAT: letters, or %{ru_maxrss}'
complete -c rusage -n __rusage_before_command -s p -l portability -d 'report real, user and system time as in POSIX'
complete -c rusage -n __rusage_before_command -s v -l verbose -d 'report all figures, regardless of -f and -p'
complete -c rusage -n __rusage_before_command -s q -l quiet -d 'leave out the line about a failure'
complete -c rusage -n __rusage_before_command -s a -l append -d 'append to FILE, with the command in text reports'
complete -c rusage -n __rusage_before_command -l info -d 'print the facts for a bug report and exit'
complete -c rusage -n __rusage_before_command -s V -l version -d 'print the version and exit'
complete -c rusage -x -a "(__fish_complete_subcommand -n -o -f --pid --runs --plot --output --export --warmup --format --prepare --samples --against --interval --limit-maxrss --limit-cputime --limit-tree-rss --limit-tree-pss)"
