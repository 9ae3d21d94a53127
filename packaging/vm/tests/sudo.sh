#!/bin/sh
# sudo with the snippet for it: a password, then a TOTP code.
. /vm/lib

person sid sudo
token sid
for service in sudo sudo-i; do
	pam_service $service <$snippets/sudo
done

as_sid="cd /; runuser -u sid -- sudo -k"
password='[sudo] password for sid:'

proves "a password and a code make sid root"
code=$(code_of sid)
screen=$(dialogue "$as_sid id -un" "$password" sidpw Passcode "$code") || fail "refused: $screen"
has "$screen" root "what sudo ran"
has "$(audited sid)" '"factor":"totp"' "the audit record"

proves "journald has the record, under the user's name"
eventually "a line in the journal" sh -c 'journalctl -q --boot FACTORD_USER=sid -o cat | grep -q .'

proves "sudo -i asks too"
screen=$(dialogue "$as_sid -i id -un" "$password" sidpw Passcode "$(code_of sid)") || fail "refused: $screen"
has "$screen" root "what sudo -i ran"

proves "the same code does not work twice"
screen=$(refused "$as_sid id -un" "$password" sidpw Passcode "$code" 'used already' ^C)
lacks "$screen" root "what sudo ran"

proves "without factord nobody becomes root"
at_exit "systemctl start factord.socket"
systemctl stop factord.socket factord.service
screen=$(refused "$as_sid id -un" "$password" sidpw 'Sorry, try again' - "$password" ^C)
lacks "$screen" root "what sudo ran"
systemctl start factord.socket
screen=$(dialogue "$as_sid id -un" "$password" sidpw Passcode "$(code_of sid)") || fail "refused after factord came back: $screen"
