#!/bin/sh
# A login on tty1 with the password and the OTP that the key itself types there: it has no
# session yet, so nothing captures the key, and what it types goes the way of all typing.
. /vm/lib

person otto
public=vvccccccccbh
keys "serial=41345678 short=yubico:$public:040203040506:000402030405060708090a0b0c0d0e0f:7"
(umask 077; echo 040203040506 >"$mine/private-id"; echo 000402030405060708090a0b0c0d0e0f >"$mine/aes-key")
factorctl enroll yubico --user otto --no-confirm --public-id $public --private-id-file "$mine/private-id" --aes-key-file "$mine/aes-key" >/dev/null
# Before the console has the new stack, which the getty's next login reads.
pam_service login <$snippets/login
rules <<'EOT'
[[rule]]
services = ["login"]
factors = ["yubico"]
mode = "enrolled"
EOT

# Where the emulator stalls between a letter's down and up, the kernel would repeat it
# (EVIOCSREP: delay and period in ms).
perl -e 'open my $key, "+<", $ARGV[0] or die "$!\n";
	my $times = pack "II", 60000, 60000;
	ioctl $key, 0x40084503, $times or die "$!\n"' "$(keyboard /sys/bus/usb/devices/1-1:1.0)"

asked_for_otp() { # logs otto in until there is a question for the OTP
	switch_to 1
	eventually "a login prompt" shows 1 "login:"
	types 1 otto
	sees "Password:"
	types 1 ottopw
	sees "YubiKey"
}

proves "one touch at the question is the login, and leaves no letter on the screen"
asked_for_otp
otp=$(key touch short)
otp=${otp#ok }
has "$otp" $public "what the key typed"
sees "otto@"
lacks "$(screen 1)" "$public" "tty1"
has "$(audited otto)" '"factor":"yubico"' "the audit record"
has "$(loginctl list-sessions --no-legend)" "tty1" "the sessions"

proves "nothing of it is in the journal, the kernel's log, or the shell"
types 1 'clear; read -rt 1 rest; echo "rest=<$rest>"'
sees "rest=<>"
journalctl --sync
for log in "$(journalctl -q --boot -o json)" "$(dmesg)"; do
	lacks "$log" "$otp" "a log"
done

proves "the same OTP, seen over the shoulder, opens nothing"
types 1 "clear; exit"
asked_for_otp
types 1 "$otp"
sees "used already"
lacks "$(screen 1)" "otto@" "tty1"
key touch short
sees "otto@"
types 1 "clear; exit"
eventually "a login prompt" shows 1 "login:"
