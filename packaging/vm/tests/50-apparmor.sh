#!/bin/sh
# AppArmor: all that factord and factord-usb do is within their profiles, and what they have
# no business with is not. All tests of this machine run so; this one looks at it.
. /vm/lib

person abe
token abe hotp
pam_stack vm-mac
pam_stack vm-mac-later
served() { # BACKEND SERVICE
	cat <<EOT
[audit]
file = "/var/log/factord/audit.jsonl"

[usb]
backend = "$1"

[[rule]]
services = ["$2"]
factors = ["totp", "touch", "hmac", "piv", "fido2"]
EOT
}
rules <<EOT
$(served hidraw vm-mac)
EOT

pid() { systemctl show -P MainPID factord.service; }
confinement() { cat "/proc/$1/attr/current"; }
# complaints: what AppArmor has refused them since the machine started, or would have.
complaints() { journalctl -q --boot -o cat _TRANSPORT=audit | grep -E 'apparmor="(DENIED|ALLOWED)".* profile="factord' || :; }

proves "the first login wakes a daemon that is confined, which serves it"
systemctl stop factord.service
screen=$(dialogue 'pamtester vm-mac abe authenticate' Passcode "$(code_of abe)") || fail "$screen"
equal "$(confinement "$(pid)")" "factord (enforce)" "the daemon"
eventually "its record in the journal" sh -c 'journalctl -q --boot FACTORD_USER=abe -o cat | grep -q .'
has "$(cat /var/log/factord/audit.jsonl)" '"abe"' "[audit] file"

proves "it takes another configuration when it is told to"
before=$(pid)
served libusb vm-mac-later >/etc/factord/factord.toml
systemctl reload factord.service || fail "reload"
dialogue 'pamtester vm-mac abe authenticate' >"$mine/screen" && fail "the old rules: $(cat "$mine/screen")"
screen=$(dialogue 'pamtester vm-mac-later abe authenticate' Passcode "$(code_of abe)") || fail "$screen"
equal "$(pid)" "$before" "the daemon's pid"

proves "root's own commands go where root says"
systemctl stop factord.service
factord --backup "$mine/backup" || fail "--backup"
systemctl stop factord.service
factord --restore "$mine/backup" || fail "--restore"
factorctl status || fail "after the restore"

public=vvccccccccbi
secret=303132333435363738393a3b3c3d3e3f40414243
(umask 077; echo 050203040506 >"$mine/private-id"; echo 000502030405060708090a0b0c0d0e0f >"$mine/aes-key"; echo $secret >"$mine/secret")
keys "serial=50345678 short=yubico:$public:050203040506:000502030405060708090a0b0c0d0e0f:7 long=hmac:$secret,lt64,touch"

# enrolled FACTOR OPTIONS [QUESTION ANSWER]...: asks the key for what a login asks it for.
enrolled() {
	factor=$1 options=$2
	shift 2
	screen=$(dialogue "factorctl enroll $factor --user abe $options" "$@") || fail "enroll $factor: $screen"
	has "$screen" "is enrolled for abe" "enroll $factor"
}
confined() {
	for process in $(pgrep -x factord-usb); do
		equal "$(confinement "$process")" "factord-usb (enforce)" "factord-usb"
		echo "$process is confined" >>"$mine/confined"
	done
}
for backend in hidraw libusb; do
	proves "factord-usb reaches the key's keyboard, confined: by $backend"
	served $backend vm-mac >/etc/factord/factord.toml
	systemctl reload factord.service
	listed() { factorctl keys | grep -F 50345678; }
	eventually "factorctl keys lists the key" listed
	dialogue "factorctl enroll touch --user abe --name $backend --public-id $public --private-id-file $mine/private-id --aes-key-file $mine/aes-key" "Touch the YubiKey" - >"$mine/screen" 2>&1 &
	enrolling=$!
	eventually "the key is listened to" listened_to
	confined
	key touch short
	wait $enrolling || fail "$(cat "$mine/screen")"
	grep -q confined "$mine/confined" || fail "no process of factord-usb"
	rm "$mine/confined"
	enrolled hmac "--name $backend --slot 2 --secret-file $mine/secret" "Press Enter to try the slot:" "" "Touch YubiKey" "$touch" "Touch YubiKey" "$touch"
	if [ $backend = hidraw ]; then
		for id in $(factorctl list --user abe | grep -oE '\b(touch|hmac|yubico)-[0-9]+' | sort -u); do factorctl remove "$id" --user abe; done
	fi
done

proves "and the key's two other applications, pcscd's among them"
cd "$mine"
yubico-piv-tool -a generate -s 9a -A ECCP256 --pin-policy always --touch-policy always -o public.pem
cd /
enrolled piv "" "PIN of YubiKey 50345678" 123456 "Touch YubiKey 50345678" "$touch"
enrolled fido2 "" "Touch" "$touch" "once more" - "Touch" "$touch"

proves "nothing of all that was refused, or would have been"
equal "$(complaints)" "" "AppArmor's complaints"

# Who runs it is root, so that it is the profile that shuts what is shut. (The state is
# open to its owner alone, and root here has no rights that go over that.)
cat >/run/probe <<'EOF2'
#!/usr/bin/perl
# probe [PROFILE]: enters the profile, and says of each thing whether it is open.
use strict;
use Socket;
if (my $profile = shift) {
	open my $own, ">", "/proc/self/attr/current" or die "$!\n";
	syswrite $own, "changeprofile $profile" or die "entering $profile: $!\n";
}
sub try { my ($what, $open) = @_; print "$what ", $open ? "open" : "shut", "\n" }
sub reads { open my $f, "<", shift }
sub writes { open my $f, ">>", shift }
for my $file (qw(/etc/shadow /etc/ssh/ssh_host_ed25519_key /root/note /home/abe/note /dev/vda /dev/tty1 /proc/1/environ)) {
	try("reading $file", reads($file));
}
try("writing $_", writes($_)) for qw(/etc/note /usr/local/note /home/abe/note /tmp/note /dev/shm/note /etc/factord/note);
try("listing /home", opendir(my $dir, "/home"));
try("a program", system("/bin/true") == 0);
try("owners", chown(1, 1, "/root/note"));
try("the network", socket(my $inet, AF_INET, SOCK_STREAM, 0));
try("configuration", reads("/etc/factord/factord.toml"));
try("certificates", reads("/etc/ssl/certs/probe.pem"));
try("a key", reads("/dev/hidraw0"));
EOF2
chmod 755 /run/probe
at_exit "rm -f /run/probe /root/note /etc/note /usr/local/note /tmp/note /dev/shm/note /etc/factord/note /etc/ssl/certs/probe.pem"
echo note >/root/note
echo note >/home/abe/note
mkdir -p /etc/ssl/certs
echo note >/etc/ssl/certs/probe.pem

proves "outside of a profile, root finds everything open"
free=$(/run/probe)
trials=$(echo "$free" | wc -l)
equal "$(echo "$free" | grep shut$ || :)" "" "what is shut to root"

opens() { # PROFILE WHAT...: and nothing else
	profile=$1
	shift
	found=$(/run/probe "$profile") || fail "the probe in $profile"
	equal "$(echo "$found" | wc -l)" "$trials" "the number of trials"
	equal "$(echo "$found" | sed -n 's/ open$//p')" "$(printf '%s\n' "$@")" "what is open to $profile"
}
proves "inside, the daemon's own things alone are, the network among them"
opens factord "the network" configuration certificates

proves "and to factord-usb the key"
opens factord-usb "a key"

proves "what was refused is in the journal, where it was looked for above"
reported() { complaints | grep 'apparmor="DENIED"' | grep "profile=\"$1\"" | grep -q 'name="/etc/shadow"'; }
eventually "what the daemon's profile has refused" reported factord
eventually "what that of factord-usb has" reported factord-usb
