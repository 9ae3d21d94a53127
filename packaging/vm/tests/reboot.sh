#!/bin/sh
# What a reboot leaves: everything that was enrolled, and every code spent that was ever
# let in with, though the power was cut in the same second.
. /vm/lib

begin() {
	person rita
	token rita hotp
	printf 'auth required pam_factord.so first\naccount required pam_permit.so\n' >/etc/pam.d/vm-reboot
	mkdir "$before"
	cp "$mine/secret-rita" /etc/factord/factord.toml "$before/"
	rules <<'EOT'
[[rule]]
services = ["vm-reboot"]
factors = ["totp"]
EOT
	echo 0 >"$before/boots"
	proves "a code lets in"
	logs_in 0
}
attempt() { dialogue 'pamtester vm-reboot rita authenticate' 'Passcode' "$1"; }
code() { oathtool --hotp --base32 --counter "$1" "$(cat "$before/secret-rita")"; }
logs_in() { # COUNTER
	screen=$(attempt "$(code "$1")") || fail "code $1: $screen"
	has "$screen" "successfully authenticated" "code $1"
}
spent() { # COUNTER
	screen=$(refused 'pamtester vm-reboot rita authenticate' 'Passcode' "$(code "$1")" 'used already' ^C)
	lacks "$screen" "successfully" "code $1 once more"
}
boots() { echo "$1" >"$before/boots"; sync; }

[ -e "$before" ] || begin
case $(cat "$before/boots") in
0)
	proves "the power is cut right after the next one"
	boots 1
	logs_in 1
	reboots sh -c 'echo b >/proc/sysrq-trigger'
	;;
1)
	proves "after the cut the machine listens, and asks for the next code"
	equal "$(systemctl is-active factord.socket)" active "the socket"
	equal "$(systemctl is-active factord.service || :)" inactive "the service before anybody asks"
	spent 1
	logs_in 2
	boots 2
	reboots systemctl reboot
	;;
2)
	proves "and so after an orderly reboot"
	equal "$(systemctl is-active factord.socket)" active "the socket"
	spent 2
	logs_in 3
	factorctl audit --user rita | grep -q . || fail "no audit records"
	;;
esac
at_exit "rm -rf $before /etc/pam.d/vm-reboot; userdel --remove rita"
at_exit "cat $before/factord.toml >/etc/factord/factord.toml; systemctl try-restart factord.service"
