#!/bin/sh
# factord under systemd: woken by the first login, and by each one after whatever ended it.
. /vm/lib

person aria
token aria hotp
pam_stack vm-activation
rules <<'EOF'
[[rule]]
services = ["vm-activation"]
factors = ["totp"]
EOF

attempt() { dialogue 'pamtester vm-activation aria authenticate' 'Passcode' "$1"; }
logs_in() { # WHEN
	screen=$(attempt "$(code_of aria)") || fail "$1: $screen"
	has "$screen" "successfully authenticated" "$1"
	equal "$(systemctl is-active factord.service)" active "the service, $1"
}
is() { [ "$(systemctl show -P "$2" "$1")" = "$3" ]; }
pid() { systemctl show -P MainPID factord.service; }

proves "the first login wakes the daemon, and hears its verdict"
systemctl stop factord.service
equal "$(systemctl is-active factord.service || :)" inactive "a service that was stopped"
equal "$(systemctl is-active factord.socket)" active "the socket of a service that was stopped"
logs_in "at the first login"

proves "the same daemon serves the next one, and a wrong code is refused by it"
before=$(pid)
refused 'pamtester vm-activation aria authenticate' 'Passcode' 000000 'Passcode' 000001 'Passcode' 000002
equal "$(pid)" "$before" "the daemon's pid"

proves "after a restart the next login works, through the same socket"
socket=$(stat -c %i /run/factord/factord.sock)
systemctl restart factord.service
logs_in "after a restart"
equal "$(stat -c %i /run/factord/factord.sock)" "$socket" "the socket's inode"
[ "$(pid)" != "$before" ] || fail "restart did not restart"

proves "after kill -9 the next login works, at once"
before=$(pid)
kill -9 "$before"
logs_in "after kill -9"
[ "$(pid)" != "$before" ] || fail "kill -9 did not kill"

proves "who is being asked when the daemon is killed is refused"
screen=$(refused 'pamtester vm-activation aria authenticate' Passcode "!kill -9 $(pid)" "" "$(code_of aria)")
lacks "$screen" "successfully" "an attempt whose daemon died"
logs_in "after one was refused so"

proves "twenty crashes in a row shut nobody out"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	factorctl status >/dev/null || fail "no answer after $i crashes"
	kill -9 "$(pid)"
done
equal "$(systemctl is-active factord.socket)" active "the socket after twenty crashes"
logs_in "after twenty crashes"

proves "a cold start takes no more than 15 times what a unit of /bin/true takes"
cat >"$mine/cold" <<'EOF'
# cold CODE: from connecting to the verdict.
use IO::Socket::UNIX;
my $s = IO::Socket::UNIX->new("/run/factord/factord.sock") or die "connecting: $!\n";
$s->autoflush(1);
<$s>;
print $s "AUTH user=aria service=vm-activation conv=prompt\n";
<$s> =~ /^INQUIRE/ or die "no question\n";
print $s "D $ARGV[0]\nEND\n";
<$s> =~ /^S VERDICT allow/ or die "no allow\n";
EOF
timed() { # COMMAND...: prints the milliseconds that it takes
	began=$(date +%s%N)
	"$@" || fail "$*"
	echo $((($(date +%s%N) - began) / 1000000))
}
at_exit "rm -f /run/systemd/system/vm-true.service; systemctl daemon-reload"
printf '[Service]\nType=oneshot\nExecStart=/bin/true\n' >/run/systemd/system/vm-true.service
systemctl daemon-reload
for n in 1 2 3 4 5; do
	systemctl -q stop factord.service 2>/dev/null
	code=$(code_of aria)
	timed perl "$mine/cold" "$code" >>"$mine/colds"
	timed systemctl start vm-true.service >>"$mine/trues"
done
cold=$(median <"$mine/colds")
true_=$(median <"$mine/trues")
echo "$cold ms, and /bin/true $true_ ms"
[ "$cold" -le $((15 * true_)) ] || fail "a cold start takes $cold ms, and a unit of /bin/true $true_ ms"

proves "an idle daemon ends, cleanly, and the next login wakes it"
{ printf '[daemon]\nidle_exit = "1s"\n'; cat /etc/factord/factord.toml; } >"$mine/idle.toml"
rules <"$mine/idle.toml"
systemctl restart factord.service
eventually "the idle daemon has ended" is factord.service ActiveState inactive
is factord.service Result success || fail "an idle daemon ends with $(systemctl show -P Result factord.service)"
screen=$(attempt "$(code_of aria)") || fail "after an idle exit: $screen"
eventually "it ends again" is factord.service ActiveState inactive
