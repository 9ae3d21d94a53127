#!/bin/sh
# factord under systemd: woken by the first login, and by each one after whatever ended it.
. /vm/lib

person aria
token aria hotp
printf 'auth required pam_factord.so first\naccount required pam_permit.so\n' | pam_service vm-activation
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
dialogue 'pamtester vm-activation aria authenticate' 'Passcode' - >"$mine/screen" 2>&1 &
asked=$!
eventually "a question" grep -q Passcode "$mine/screen"
kill -9 "$(pid)"
wait $asked && fail "let in by nobody: $(cat "$mine/screen")"
lacks "$(cat "$mine/screen")" "successfully" "an attempt whose daemon died"
logs_in "after one was refused so"

proves "twenty crashes in a row shut nobody out"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	factorctl status >/dev/null || fail "no answer after $i crashes"
	kill -9 "$(pid)"
done
equal "$(systemctl is-active factord.socket)" active "the socket after twenty crashes"
logs_in "after twenty crashes"

proves "an idle daemon ends, cleanly, and the next login wakes it"
{ printf '[daemon]\nidle_exit = "1s"\n'; cat /etc/factord/factord.toml; } >"$mine/idle.toml"
rules <"$mine/idle.toml"
systemctl restart factord.service
eventually "the idle daemon has ended" is factord.service ActiveState inactive
is factord.service Result success || fail "an idle daemon ends with $(systemctl show -P Result factord.service)"
screen=$(attempt "$(code_of aria)") || fail "after an idle exit: $screen"
eventually "it ends again" is factord.service ActiveState inactive
