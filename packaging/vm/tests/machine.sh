#!/bin/sh
# What befalls a machine: a daemon that hangs, a crowd at the socket, a full disk, homes
# that can't be written. None of it lets anybody in, and it shuts nobody out for long.
. /vm/lib

person mara
token mara hotp
printf 'auth required pam_factord.so first\naccount required pam_permit.so\n' | pam_service vm-machine
rules <<'EOF'
[[rule]]
services = ["vm-machine"]
factors = ["totp"]
EOF
attempt() { dialogue 'pamtester vm-machine mara authenticate' 'Passcode' "$1"; }
logs_in() { # WHEN
	screen=$(attempt "$(code_of mara)") || fail "$1: $screen"
	has "$screen" "successfully authenticated" "$1"
}
pid() { systemctl show -P MainPID factord.service; }

proves "the journal has each record's fields, and an id for each kind"
logs_in "before anything"
record() { journalctl -q --boot -o json FACTORD_USER=mara FACTORD_VERDICT=allow | tail -n 1 | grep .; }
eventually "a record in the journal" record >"$mine/record"
record=$(tail -n 1 "$mine/record")
for field in '"FACTORD_SERVICE":"vm-machine"' '"FACTORD_FACTOR":"totp"' '"MESSAGE_ID":"0f4dfaa973ec65343542794755c64e0f"' \
	"\"_UID\":\"$(id -u factord)\"" '"_SYSTEMD_UNIT":"factord.service"' '"PRIORITY":"6"'; do
	has "$record" "$field" "the record in the journal"
done

proves "systemd finds the units as tight as they were meant"
systemd-analyze security --threshold=15 factord.service >"$mine/security" || fail "$(cat "$mine/security")"
systemd-analyze security --threshold=10 factord-usb@0.service >>"$mine/security" || fail "$(cat "$mine/security")"
grep "exposure level" "$mine/security"

proves "a daemon that hangs is replaced by the watchdog, which ends the wait"
at_exit "rm -rf /run/systemd/system/factord.service.d; systemctl daemon-reload"
mkdir -p /run/systemd/system/factord.service.d
printf '[Service]\nWatchdogSec=5\n' >/run/systemd/system/factord.service.d/vm.conf
systemctl daemon-reload
systemctl restart factord.service
before=$(pid)
kill -STOP "$before"
# The signal that ends the daemon wakes it too, maybe for long enough to accept who waits.
screen=$(attempt "$(code_of mara)") || has "$screen" "not available" "while the daemon hung"
logs_in "after it hung"
[ "$(pid)" != "$before" ] || fail "the daemon is the one that hung"
has "$(journalctl -q --boot -u factord.service -o cat)" "Watchdog timeout" "the journal"
rm -rf /run/systemd/system/factord.service.d
systemctl daemon-reload
systemctl restart factord.service

proves "a thousand connections of nobody's leave room for who logs in"
cat >"$mine/crowd" <<'EOF'
use IO::Socket::UNIX;
my @all;
for (1 .. 1000) {
	my $s = IO::Socket::UNIX->new("/run/factord/factord.sock") or last;
	push @all, $s;
}
print scalar @all, "\n";
$| = 1;
print "they stand\n";
sleep 600;
EOF
chmod 755 "$mine"
runuser -u nobody -- perl "$mine/crowd" >"$mine/stands" &
at_exit "pkill -KILL -u nobody"
eventually "the crowd stands" grep -q stand "$mine/stands"
equal "$(head -n 1 "$mine/stands")" 1000 "the connections"
logs_in "beside a thousand others"
pkill -KILL -u nobody

proves "on a full disk nobody gets in, and with room everybody does again"
systemctl stop factord.service
at_exit "systemctl stop factord.service; umount /var/lib/factord 2>/dev/null"
cp -a /var/lib/factord "$mine/state"
mount -t tmpfs -o "size=4m,mode=0700,uid=factord,gid=factord" state /var/lib/factord
cp -a "$mine/state/." /var/lib/factord/
logs_in "on a small disk"
code=$(code_of mara)
dd if=/dev/zero of=/var/lib/factord/fill bs=4k 2>/dev/null || :
equal "$(df --output=avail /var/lib/factord | tail -n 1 | tr -d ' ')" 0 "room on the disk"
n=0
# Pages that the database has freed before may do for a while.
while [ $n -lt 30 ] && screen=$(attempt "$code"); do code=$(code_of mara); n=$((n + 1)); done
lacks "$screen" "successfully" "a login on a full disk"
echo "refused after $n logins: $(echo "$screen" | tail -n 2 | tr '\r\n' '  ')"
rm /var/lib/factord/fill
logs_in "with room again"
systemctl stop factord.service
cp -a /var/lib/factord/. "$mine/state/"
umount /var/lib/factord
cp -a "$mine/state/." /var/lib/factord/ # with the counter of what was spent

proves "homes that can't be written are no matter"
systemctl stop factord.service
at_exit "umount /home"
mount --bind /home /home
mount -o remount,ro,bind /home
! touch /home/probe 2>/dev/null || fail "/home can be written"
logs_in "with a read-only /home"

proves "idle, it is small"
kB=$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$(pid)/status")
echo "$kB kB of its own"
[ "$kB" -lt 20480 ] || fail "it has $kB kB"
