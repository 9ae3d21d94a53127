#!/bin/sh
# SSH with the snippet for it: a key, then a TOTP code by keyboard-interactive.
. /vm/lib

person sven
token sven
ssh_server
login="$(ssh_to sven) 'echo let in as \$(id -un)'"

proves "a key and a code open a session"
screen=$(dialogue "$login" Passcode "$(code_of sven)") || fail "refused: $screen"
has "$screen" "let in as sven" "the session"
has "$(audited sven)" '"rhost":"127.0.0.1"' "the audit record"

proves "a wrong code does not"
screen=$(refused "$login" Passcode 000000 Passcode 000001 Passcode 000002)
lacks "$screen" "let in as" "the session"

proves "who has no key is asked nothing"
screen=$(refused "$(echo "$login" | sed "s|-i [^ ]*|-i /dev/null|")")
lacks "$screen" Passcode "a login without a key"

proves "without factord nobody gets in"
at_exit "systemctl start factord.socket"
systemctl stop factord.socket factord.service
screen=$(refused "$login")
lacks "$screen" "let in as" "the session"
systemctl start factord.socket
screen=$(dialogue "$login" Passcode "$(code_of sven)") || fail "refused after factord came back: $screen"
