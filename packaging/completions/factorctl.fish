# fish completion of factorctl. A test keeps it to the verbs and flags of cmd/factorctl.

# The verb and its arguments before the cursor, without flags and their values.
function __factorctl_words
    set -l value no
    for word in (commandline -opc)[2..-1]
        if test $value = yes
            set value no
            continue
        end
        switch $word
            case --json --help --version --no-confirm --no-presence --check --first --follow --refusals '--*=*'
            case '--*'
                set value yes
            case '-*'
            case '*'
                echo $word
        end
    end
end

# Whether the verb is one of those given.
function __factorctl_verb
    set -l words (__factorctl_words)
    contains -- "$words[1]" $argv
end

# Whether the verb is enroll, of one of the factors given or of one that is still to come.
function __factorctl_enrolls
    set -l words (__factorctl_words)
    test "$words[1]" = enroll; or return
    test (count $words) -eq 1; or contains -- $words[2] $argv
end

# Whether argument N of one of the verbs given is next; 0 is the verb.
function __factorctl_next -a place
    set -l words (__factorctl_words)
    test (count $words) -eq $place; or return
    test $place -eq 0; or contains -- $words[1] $argv[2..-1]
end

complete -c factorctl -f
complete -c factorctl -l json -d 'Print JSON'
complete -c factorctl -s h -l help -d 'How it is called'
complete -c factorctl -n 'not __factorctl_verb demo check-config completion' -l socket -r -F -d "factord's socket"
complete -c factorctl -n '__factorctl_next 0' -l version -d 'Which factord it belongs to'

# Verbs, and those that "help" is asked about.
set -l first '__factorctl_next 0; or __factorctl_next 1 help'
complete -c factorctl -n $first -a enroll -d 'Set up a factor'
complete -c factorctl -n $first -a list -d 'Show what is enrolled'
complete -c factorctl -n $first -a remove -d 'Remove a factor'
complete -c factorctl -n $first -a forget -d 'Let no login be remembered any more'
complete -c factorctl -n $first -a resync -d 'Find a counting token again'
complete -c factorctl -n $first -a test -d 'Try a login, without logging in'
complete -c factorctl -n $first -a keys -d 'Show which keys are plugged in'
complete -c factorctl -n $first -a explain -d 'Show which rule decides about a login'
complete -c factorctl -n $first -a invite -d 'Make a code to enrol a first factor with'
complete -c factorctl -n $first -a bypass -d 'Make a code that lets in once'
complete -c factorctl -n $first -a import -d 'Enrol many keys from a file'
complete -c factorctl -n $first -a unlock -d 'End the waiting after wrong codes'
complete -c factorctl -n $first -a audit -d 'Show who was let in, and why'
complete -c factorctl -n $first -a status -d 'Show whether factord runs'
complete -c factorctl -n $first -a check-config -d 'Say what is wrong with a configuration'
complete -c factorctl -n $first -a demo -d 'Watch it work'
complete -c factorctl -n $first -a completion -d 'Print completions for a shell'
complete -c factorctl -n '__factorctl_next 0' -a help -d 'Say how a verb is called'

# Arguments.
complete -c factorctl -n '__factorctl_next 1 enroll' -a totp -d 'Codes of an app'
complete -c factorctl -n '__factorctl_next 1 enroll' -a hotp -d 'Codes of a counting token'
complete -c factorctl -n '__factorctl_next 1 enroll' -a backup -d 'Ten codes on paper'
complete -c factorctl -n '__factorctl_next 1 enroll' -a yubico -d 'A YubiKey that types'
complete -c factorctl -n '__factorctl_next 1 enroll' -a touch -d 'A YubiKey that is plugged in, and touched'
complete -c factorctl -n '__factorctl_next 1 enroll' -a hmac -d "A YubiKey's challenge-response slot"
complete -c factorctl -n '__factorctl_next 1 enroll' -a piv -d "A YubiKey's smart card"
complete -c factorctl -n '__factorctl_next 1 enroll' -a fido2 -d 'A security key of any maker'
complete -c factorctl -n '__factorctl_next 1 enroll' -a duo -d 'An account at Duo'
complete -c factorctl -n '__factorctl_next 1 list forget unlock invite bypass' -a '(__fish_complete_users)'
complete -c factorctl -n '__factorctl_next 2 remove resync' -a '(__fish_complete_users)'
complete -c factorctl -n '__factorctl_next 1 import check-config' -F
complete -c factorctl -n '__factorctl_next 1 completion' -a 'bash zsh fish'

# Flags.
complete -c factorctl -n '__factorctl_verb enroll list remove forget resync test explain invite bypass import unlock audit' -l user -x -a '(__fish_complete_users)' -d 'Whom it is about'
complete -c factorctl -n '__factorctl_enrolls totp hotp backup yubico touch hmac piv fido2' -l name -x -d 'What to tell it by'
complete -c factorctl -n '__factorctl_enrolls totp hotp yubico' -l no-confirm -d 'Ask for no first code'
complete -c factorctl -n '__factorctl_enrolls totp hotp hmac' -l secret-file -r -F -d 'The secret of a token that exists'
complete -c factorctl -n '__factorctl_enrolls totp hotp' -l algorithm -x -a 'SHA1 SHA256 SHA512' -d 'Of a code token'
complete -c factorctl -n '__factorctl_enrolls totp hotp' -l digits -x -a '6 7 8' -d 'In a code'
complete -c factorctl -n '__factorctl_enrolls totp' -l period -x -d 'Seconds that a TOTP code lasts'
complete -c factorctl -n '__factorctl_enrolls hotp' -l look-ahead -x -d 'How far an HOTP token may be ahead'
complete -c factorctl -n '__factorctl_enrolls hotp' -l counter -x -d 'At which an HOTP token is'
complete -c factorctl -n '__factorctl_enrolls hotp' -l prefix -x -d 'What an HOTP token types before its codes'
complete -c factorctl -n '__factorctl_enrolls yubico touch' -l public-id -x -d 'What a YubiKey types first'
complete -c factorctl -n '__factorctl_enrolls yubico touch' -l private-id-file -r -F -d "A YubiKey's private id"
complete -c factorctl -n '__factorctl_enrolls yubico touch' -l aes-key-file -r -F -d "A YubiKey's AES key"
complete -c factorctl -n '__factorctl_enrolls hmac piv' -l slot -x -a '1 2 9a 9c 9d 9e' -d 'Of a YubiKey'
complete -c factorctl -n '__factorctl_enrolls touch hmac piv fido2' -l serial -x -d 'Which key'
complete -c factorctl -n '__factorctl_enrolls fido2' -l verification -x -a 'pin built-in' -d 'What a FIDO2 key asks of its owner'
complete -c factorctl -n '__factorctl_enrolls touch' -l scan-map -x -d "A YubiKey's own"
complete -c factorctl -n '__factorctl_enrolls hmac piv' -l no-presence -d 'Take a key that asks for no touch'
complete -c factorctl -n '__factorctl_verb test explain audit' -l service -x -a '(ls /etc/pam.d 2>/dev/null)' -d 'Of PAM'
complete -c factorctl -n '__factorctl_verb test explain' -l rhost -x -d "The client's address"
complete -c factorctl -n '__factorctl_verb test' -l first -d 'A first factor was shown'
complete -c factorctl -n '__factorctl_verb explain' -l ruser -x -a '(__fish_complete_users)' -d 'Who calls su or sudo'
complete -c factorctl -n '__factorctl_verb explain' -l caller -x -a 'root user' -d 'Who asks factord'
complete -c factorctl -n '__factorctl_verb invite bypass' -l for -x -a '15m 1h 24h 3d' -d 'How long it is good'
complete -c factorctl -n '__factorctl_verb import' -l users -r -F -d 'Whose the keys are'
complete -c factorctl -n '__factorctl_verb import' -l factor -x -a 'yubico fido2' -d 'Whose file it is'
complete -c factorctl -n '__factorctl_verb import' -l origin -x -d "pam_u2f's"
complete -c factorctl -n '__factorctl_verb audit' -l verdict -x -a 'allow deny wrong' -d 'Only this one'
complete -c factorctl -n '__factorctl_verb audit' -l kind -x -a 'verdict answer sent enroll remove unlock bypass invite forget resync import restore rekey' -d 'Only this one'
complete -c factorctl -n '__factorctl_verb audit' -l since -x -a '1h 12h 1d 7d' -d 'From then on'
complete -c factorctl -n '__factorctl_verb audit' -l last -x -d 'The newest'
complete -c factorctl -n '__factorctl_verb audit' -l follow -d 'Go on with new records'
complete -c factorctl -n '__factorctl_verb audit' -l refusals -d 'What was refused before a factor was asked'
complete -c factorctl -n '__factorctl_verb audit' -l verify-file -r -F -d 'Check the chain of a copy'
complete -c factorctl -n '__factorctl_verb status' -l check -d 'Ask Duo'
