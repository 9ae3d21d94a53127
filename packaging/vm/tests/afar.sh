#!/bin/sh
# Who has come in from afar as somebody never makes the key blink that is plugged in here,
# though its owner sits at tty1 meanwhile. The key counts what it is asked, and systemd
# how often factord-usb was wanted: both must stay as they are.
# Takes 260 s.
. /vm/lib

patience=400 # for all places together
secret=303132333435363738393a3b3c3d3e3f40414243
person ada sudo
token ada hotp
ssh_server
pam_service sudo <$snippets/sudo
keep /etc/sudoers.d/afar
echo 'ada ALL=(ALL) NOPASSWD: /far/as-root, /usr/bin/su' >/etc/sudoers.d/afar
at_exit "rm -rf /far"
install -d -m 1777 /far
keys "serial=51345678 short=yubico:vvccccccccbg:060203040506:000602030405060708090a0b0c0d0e0f long=hmac:$secret,lt64,touch"
rules <<'EOF'
[[rule]]
name = "the way to this machine"
services = ["sshd"]
factors = ["hmac", "fido2", "touch", "totp"]

[[rule]]
name = "keys"
services = ["sudo", "afar"]
callers = ["root", "user"]
factors = ["hmac", "fido2", "touch"]

[[rule]]
services = ["afar-touch"]
callers = ["user"]
factors = ["touch"]

[[rule]]
services = ["afar-fido2"]
callers = ["user"]
factors = ["fido2"]
EOF

proves "ada's key is enrolled in each way there is"
for pair in hmac:$secret private:060203040506 aes:000602030405060708090a0b0c0d0e0f; do
	echo "${pair#*:}" | install -m 600 /dev/stdin "$mine/${pair%:*}"
done
factorctl enroll yubico --user ada --name typed --public-id vvccccccccbg --private-id-file "$mine/private" --aes-key-file "$mine/aes"
factorctl enroll touch --user ada </dev/null >"$mine/enrol" 2>&1 &
enrolling=$!
eventually "touch is asked for" grep -qi touch "$mine/enrol"
key touch short >/dev/null
wait $enrolling || fail "touch: $(cat "$mine/enrol")"
key fido-touch grant
eventually "fido2 is enrolled" factorctl enroll fido2 --user ada </dev/null
key fido-touch never
# A machine that is very busy may take too long to start factord-usb.
by_hmac() {
	echo | factorctl enroll hmac --user ada --slot 2 --secret-file "$mine/hmac" &
	enrolling=$!
	key blinks 60s && key touch short && key blinks 60s && key touch short
	wait $enrolling
}
eventually "hmac is enrolled" by_hmac
factorctl list --user ada

# What an attacker tries wherever a process of ada's can be. What came of it is left in
# /far/NAME.*; the last is NAME.done.
cat >/far/raw <<'EOF'
#!/usr/bin/perl
# raw COMMAND [ANSWER]...: speaks to factord by hand.
use IO::Socket::UNIX;
my ($command, @answers) = @ARGV;
my $s = IO::Socket::UNIX->new("/run/factord/factord.sock") or die "connecting: $!\n";
$s->autoflush(1);
<$s>;
print $s "$command\n";
while (<$s>) {
	print;
	last if /^(OK|ERR)/;
	next unless /^INQUIRE/;
	print $s @answers ? "D " . shift(@answers) . "\nEND\n" : "CAN\n";
}
EOF
cat >/far/attack <<'EOF'
#!/bin/sh
# attack NAME
at=/far/$1
/usr/bin/factorctl explain --service afar --caller user >$at.explain 2>&1
setsid --wait /usr/libexec/factor-helper check --service afar </dev/null >$at.check 2>&1 && echo ALLOWED >>$at.check
for claims in "conv=none" "conv=prompt race=1" "conv=prompt race=1 first=1 rhost= tty=tty1 ruser=ada" "user=ada conv=info tty=/dev/tty1"; do
	/far/raw "AUTH service=afar $claims" "" 1 2
done >$at.raw 2>&1
for verb in KEYS "ENROLL factor=touch" "ENROLL factor=fido2" "ENROLL factor=hmac slot=2"; do
	/far/raw "$verb"
done >$at.verbs 2>&1
echo adapw | setsid --wait sudo -k -S -p '' id -un >$at.sudo 2>&1 && echo ALLOWED >>$at.sudo
: >$at.done
EOF
cat >/far/as-root <<'EOF'
#!/bin/sh
# as-root NAME: the same by a process of root's, which may claim whatever it likes.
at=/far/$1
/usr/bin/factorctl explain --user ada --service afar >$at.explain 2>&1
for claims in "conv=prompt race=1 first=1 tty=tty1" "conv=prompt first=1 rhost= tty=/dev/tty1 ruser=ada" "conv=flush first=1 rhost=localhost"; do
	/far/raw "AUTH user=ada service=sudo $claims" "" 1 2
done >$at.raw 2>&1
: >$at.done
EOF
cat >/far/places <<'EOF'
#!/bin/sh
# Everywhere that somebody in an SSH session gets to.
/far/attack ssh
systemd-run --user --wait --quiet /far/attack manager
systemd-run --user --scope --quiet /far/attack scope
systemd-run --user --pty --wait --quiet /far/attack pty
tmux -L far new-session /far/attack tmux
sudo -n su - ada -c "/far/attack su"
sudo -n /far/as-root sudo
echo "/far/attack at" | at now
systemd-run --user --quiet --unit later sh -c "until test -e /far/they-left; do sleep 0.2; done; exec /far/attack later"
EOF
chmod 755 /far/raw /far/attack /far/as-root /far/places

slow() { journalctl --sync; journalctl -q --boot -u factord.service -o cat | grep -c "where users sit is unknown" || :; }
used() { systemctl show -P NAccepted factord-usb.socket; }

# refused_at NAME: everything that was tried there was refused, and not because factord
# did not hear from logind in time.
refused_at() {
	eventually "the attack from $1 is over" test -e "/far/$1.done"
	has "$(cat "/far/$1.explain")" "usable:    none" "$1 explained"
	for factor in hmac fido2 touch; do
		has "$(tr -s ' ' <"/far/$1.explain")" "missing: $factor: " "$1 explained"
	done
	lacks "$(cat "/far/$1.explain")" "is unknown: " "what logind says of $1"
	has "$(cat "/far/$1.raw")" "S VERDICT deny" "$1 by hand"
	lacks "$(cat "/far/$1.raw")" "S VERDICT allow" "$1 by hand"
	lacks "$(cat "/far/$1.raw")" "S INFO" "what $1 is told to do"
	[ ! -e "/far/$1.check" ] || lacks "$(cat "/far/$1.check" "/far/$1.sudo")" ALLOWED "$1"
	[ ! -e "/far/$1.verbs" ] || lacks "$(cat "/far/$1.verbs")" "
OK" "$1 managing"
	equal "$(key asked)" "$asked" "what the key was asked from $1"
	equal "$(used)" "$operations" "operations of factord-usb from $1"
	equal "$(slow)" 0 "times that logind was too slow, at $1"
}

proves "a service of ada's own begins with the machine, and waits"
uid=$(id -u ada)
unit=/home/ada/.config/systemd/user
install -d -o ada -g ada /home/ada/.config /home/ada/.config/systemd $unit $unit/default.target.wants
cat >$unit/boot.service <<'EOF'
[Service]
ExecStart=/bin/sh -c 'until test -e /far/now; do sleep 0.2; done; exec /far/attack boot'
EOF
ln -s ../boot.service $unit/default.target.wants/
loginctl enable-linger ada
at_exit "loginctl disable-linger ada"
eventually "ada's service manager" systemctl is-active --quiet "user@$uid.service"

proves "ada logs in on tty1, where her key works: it blinks for sudo"
console_login 1 ada
before=$(used)
types 1 "sudo -k sh -c 'id -un >/far/control'"
eventually "sudo's question" shows 1 "password for ada:"
types 1 adapw
eventually "the choice of ways" shows 1 "Press Enter for"
types 1 ""
equal "$(key blinks 60s)" "ok challenge" "what blinks"
key touch short
types 1 ""
eventually "sudo is done" test -s /far/control
equal "$(cat /far/control)" root "what sudo at tty1 ran"
[ "$(used)" -gt "$before" ] || fail "operations are not counted"

proves "and for each other factor"
types 1 "clear; /usr/libexec/factor-helper check --service afar-fido2 && echo fido2 >/far/control2"
equal "$(key blinks 60s)" "ok fido" "what blinks"
key touch short
eventually "fido2 lets in" test -s /far/control2
types 1 "clear; /usr/libexec/factor-helper check --service afar-touch && echo touch >/far/control3"
listens() {
	for pid in $(pgrep -u factord-usb); do
		ls -l "/proc/$pid/fd" 2>/dev/null | grep -q "$(keyboard /sys/bus/usb/devices/1-1:1.0)" && return
	done
	return 1
}
eventually "the key is listened to" listens
key touch short
eventually "touch lets in" test -s /far/control3

# From here on nothing may happen to the key.
asked=$(key asked) operations=$(used)
key blinks 3h >"$mine/blinks" 2>&1 &
watch=$!
at_exit "kill $watch 2>/dev/null"

proves "sshd asks for a code, whatever is answered first"
login=$(ssh_to ada)
screen=$(dialogue "$login -tt /far/places" Passcode "" Passcode 1 Passcode "$(code_of ada)") || fail "$screen"
lacks "$screen" "YubiKey" "what sshd shows"
: >/far/now
for place in ssh manager scope pty tmux su sudo at; do
	proves "from afar: $place"
	refused_at $place
done

proves "a service from before she came is not at her console"
refused_at boot

proves "nor is what was left behind when those from afar had left"
remote() { for s in $(loginctl list-sessions --no-legend | sed -n "s|^ *\([^ ]*\) *$uid ada .*|\1|p"); do loginctl show-session -P Remote "$s"; done; }
alone() { ! remote | grep -q yes; }
eventually "no session from afar" alone
has "$(remote)" no "her sessions"
: >/far/they-left
refused_at later

proves "cron's jobs sit nowhere"
echo '* * * * * test -e /far/cron.begun || { : >/far/cron.begun; /far/attack cron; }' | crontab -u ada -
at_exit "crontab -u ada -r"
refused_at cron

proves "the key has not blinked, and works at tty1 as before"
kill -0 $watch || fail "the key has blinked: $(cat "$mine/blinks")"
equal "$(cat "$mine/blinks")" "" "what blinked"
rm /far/control
types 1 "clear; sudo -k sh -c 'id -un >/far/control'"
eventually "sudo's question" shows 1 "password for ada:"
types 1 adapw
eventually "the choice of ways" shows 1 "Press Enter for"
types 1 ""
equal "$(key blinks 60s)" "ok challenge" "what blinks"
key touch short
types 1 ""
eventually "sudo is done" test -s /far/control

proves "tmux that was begun at tty1 is not hers alone while somebody is attached from afar"
types 1 "tmux -L desk new-session -d"
eventually "tmux at tty1" runuser -u ada -- tmux -L desk has-session
asked=$(key asked) operations=$(used)
screen=$(dialogue "$login -tt 'tmux -L desk new-window /far/attack\ shared; until test -e /far/shared.done; do sleep 0.2; done'" Passcode "$(code_of ada)") || fail "$screen"
refused_at shared
has "$(cat /far/shared.explain)" "ada is also logged in from elsewhere" "in a tmux of tty1's"
