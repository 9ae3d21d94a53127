# fish completion of factor-helper. A test keeps it to the verbs and flags of helper.

complete -c factor-helper -f
complete -c factor-helper -n 'not __fish_seen_subcommand_from pam ssh check' -a pam -d 'Under pam_exec'
complete -c factor-helper -n 'not __fish_seen_subcommand_from pam ssh check' -a ssh -d 'As ForceCommand'
complete -c factor-helper -n 'not __fish_seen_subcommand_from pam ssh check' -a check -d 'In scripts'
complete -c factor-helper -l socket -r -F -d "factord's socket"
complete -c factor-helper -l service -x -a '(ls /etc/pam.d 2>/dev/null)' -d 'That the rules see'
complete -c factor-helper -l version -d 'Which factord it belongs to'
complete -c factor-helper -s h -l help -d 'How it is called'
