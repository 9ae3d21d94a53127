#!/bin/sh
# Keys that only the machine's TPM opens, by the commands of doc/seal-key.md: the seal key,
# Duo's, and that of validation servers. And what becomes of logins when it does not.
. /vm/lib

# documented NAME: the commands that the page has under that name.
page=/usr/share/doc/factord/seal-key.md
documented() { awk -v name="$1" '$0 == "```" { on = 0 } on; $0 == "```sh " name { on = 1 }' $page >"$mine/$1"; [ -s "$mine/$1" ] || fail "$page has no commands for $1"; }
for name in bind lost backup rekey others; do documented $name; done
follow() { # NAME: fails as the first command that does
	sh -eu "$mine/$1" || fail "the commands for \"$1\""
}

person tom
token tom hotp
at_exit "rm -f /var/backups/factord-*"
pam_stack vm-tpm
# The same for who is refused because nobody answers: it waits no longer than it must here.
pam_stack vm-tpm-shut timeout=5
rule='
[[rule]]
services = ["vm-tpm", "vm-tpm-shut"]
factors = ["totp"]'
rules <<EOT
$rule
EOT

# The tests after this one find the key where they expect it.
state=/var/lib/factord
sealed=/etc/credstore.encrypted
before_all() {
	systemctl stop factord.socket factord.service
	rm -rf $sealed /etc/credstore /etc/systemd/system/factord.service.d /run/seal /root/seal.key
	systemctl daemon-reload
	rm -rf $state
	cp -a "$mine/state" $state
	systemctl start factord.socket
}
systemctl stop factord.service
cp -a $state "$mine/state"
at_exit before_all

logs_in() { # WHEN
	screen=$(dialogue 'pamtester vm-tpm tom authenticate' Passcode "$(code_of tom)") || fail "$1: $screen"
}
# shut WHY: factord does not start, the journal says why, and nobody is let in.
shut() {
	since=$(date '+%F %T')
	systemctl restart factord.service && fail "factord runs"
	journalctl -q -u factord.service --since "$since" -o cat >"$mine/journal"
	has "$(cat "$mine/journal")" "$1" "the journal"
	screen=$(refused 'pamtester vm-tpm-shut tom authenticate')
	lacks "$screen" "successfully" "a login"
	[ "$(systemctl is-active factord.service)" != active ] || fail "factord runs"
}

# tpm FOLDER: gives the machine a TPM with what the folder has of it; a new folder is a TPM
# that nobody has used.
tpm() {
	mkdir -p "$1"
	swtpm chardev --vtpm-proxy --tpm2 --tpmstate "dir=$1" --pid "file=$mine/swtpm" --daemon >"$mine/swtpm.log" || fail "$(cat "$mine/swtpm.log")"
	eventually "a TPM" test -c /dev/tpmrm0
}
no_tpm() {
	[ ! -s "$mine/swtpm" ] || kill "$(cat "$mine/swtpm")"
	rm -f "$mine/swtpm"
	eventually "no TPM" test ! -e /dev/tpmrm0
}

proves "the machine has a TPM, and systemd its libraries"
modprobe tpm_vtpm_proxy
at_exit no_tpm
tpm "$mine/tpm"
# It misses firmware that has measured something here, and that alone.
equal "$(systemd-creds has-tpm2 | sed -n 's/^-//p')" firmware "what systemd misses"

proves "the seal key is bound to it, and factord opens its database with what it gives back"
follow bind
equal "$(ls $state/seal.key 2>&1 || :)" "ls: cannot access '$state/seal.key': No such file or directory" "the key in the clear"
grep -q "$(cat /root/seal.key)" $sealed/seal-key && fail "the key can be read in $sealed"
logs_in "with a key of the TPM's"
mv /root/seal.key "$mine/copy"

proves "a file with another letter in it opens nothing: nobody is let in, and the journal says why"
cp $sealed/seal-key "$mine/whole"
perl -0pi -e 'substr($_, length($_) / 2, 1) =~ tr/A-Za-z0-9+\/\n/B-ZAb-za1-90\/+A/' $sealed/seal-key
cmp -s $sealed/seal-key "$mine/whole" && fail "nothing was changed"
shut "Failed to set up credentials"
cat "$mine/journal"
cp "$mine/whole" $sealed/seal-key
logs_in "with the file as it was"

proves "nor does one that was made for another credential"
systemd-creds encrypt --with-key=tpm2 --tpm2-pcrs=16 --name=duo-skey "$mine/copy" $sealed/seal-key
shut "'duo-skey' does not match"
cp "$mine/whole" $sealed/seal-key
logs_in "with the right one"

proves "a backup has the key from systemd"
mkdir -p /var/backups
follow backup
has "$(ls /var/backups)" factord- "the backups"

proves "the database has another key, which was never on the disk"
follow rekey
logs_in "with the new key"
mv $sealed/seal-key "$mine/new"
cp "$mine/whole" $sealed/seal-key
shut "seal key"
cat "$mine/journal"
cp "$mine/new" $sealed/seal-key
logs_in "with the new key again"
systemd-creds decrypt --name=seal-key $sealed/seal-key "$mine/copy"

proves "Duo's key and that of a validation server too: without them factord does not start"
cat - >/etc/factord/factord.toml <<EOT
[duo]
ikey = "DIXXXXXXXXXXXXXXXXXX"
host = "127.0.0.1:1"
skey_file = "credential:duo-skey"

[[yubico.server]]
url = "https://127.0.0.1:1/wsapi/2.0/verify"
client_id = 1
api_key_file = "credential:yubico-api-key"
$rule
EOT
# Each command reads its key from the terminal; here from a file of its own.
sed -e "s|yubico-api-key - |yubico-api-key $mine/api-key |; s|duo-skey - |duo-skey $mine/skey |" "$mine/others" >"$mine/others.here"
printf %s 0123456789012345678901234567890123456789 >"$mine/skey"
printf %s MDEyMzQ1Njc4OTAxMjM0NTY3ODk= >"$mine/api-key"
follow others.here
factorctl check-config || fail "check-config"
logs_in "with all three keys of the TPM's"
mv $sealed/duo-skey "$mine/duo-skey"
shut "duo-skey"
cp "$mine/duo-skey" $sealed/duo-skey
logs_in "with Duo's key again"
echo "$rule" >/etc/factord/factord.toml

proves "nothing opens without the TPM, or with another one: nobody is let in, and the journal says why"
no_tpm
shut "Failed to set up credentials"
cat "$mine/journal"
tpm "$mine/other"
shut "Failed to set up credentials"
cat "$mine/journal"

proves "the copy of the key is the way back"
sed "s|/dev/stdin|$mine/copy|" "$mine/lost" >"$mine/lost.here"
follow lost.here
logs_in "with the copy"

proves "and is bound to the TPM that is there now"
sed "s|$state/seal.key|/etc/credstore/seal-key|g" "$mine/bind" >"$mine/bind.again"
follow bind.again
[ ! -e /etc/credstore/seal-key ] || fail "the key in the clear"
logs_in "with a key of the TPM's again"
