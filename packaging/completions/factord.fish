# fish completion of factord. A test keeps it to the flags of cmd/factord.

complete -c factord -f
complete -c factord -l config -r -F -d 'Rules and settings'
complete -c factord -l state -x -a '(__fish_complete_directories)' -d 'Database and seal key'
complete -c factord -l socket -r -F -d 'Where to listen'
complete -c factord -l usb-socket -r -F -d 'Where factord-usb is asked'
complete -c factord -l init -d 'Make an empty database and a seal key'
complete -c factord -l check-config -d 'Say what is wrong with the configuration'
complete -c factord -l backup -r -F -d 'Write the database to a new file'
complete -c factord -l restore -r -F -d 'Put a backup in the place of the database'
complete -c factord -l rekey -d 'Seal the database with a new key'
complete -c factord -l new-key-file -r -F -d 'The new key'
complete -c factord -l version -d 'Which factord this is'
complete -c factord -l help -d 'How it is called'
