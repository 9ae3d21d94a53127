#!/bin/sh
# factord-usb in the sandbox of its unit: keys are within reach, in all their ways, and
# nothing else is. A probe under the unit's own settings tries both; outside of them it
# finds everything open, or it would show nothing.
# Takes 55 s.
. /vm/lib

person sia
keys "serial=12345678 short=yubico:vvccccccccbd:010203040506:000102030405060708090a0b0c0d0e0f long=hmac:303132333435363738393a3b3c3d3e3f40414243,lt64,touch"
chmod 755 "$mine"

cat >"$mine/ask" <<'EOF'
#!/usr/bin/perl
# ask VERB REQUEST: prints what factord-usb answers.
# ask -hold N VERB REQUEST: does so N times at once, prints how many are heard, and waits.
use IO::Select;
use IO::Socket::UNIX;
$| = 1;
my $n = $ARGV[0] eq "-hold" ? (shift, shift)[1] : 0;
my ($verb, $request) = @ARGV;
sub connected {
	my $s = IO::Socket::UNIX->new("/run/factord/usb.sock") or die "connecting: $!\n";
	$s->autoflush(1);
	return $s;
}
$SIG{PIPE} = "IGNORE";
if ($n) {
	my @all = map { connected() } 1 .. $n;
	my $heard = 0;
	my $all = IO::Select->new(@all);
	while ($all->count) { # whoever is first is answered first: it does not wait for long
		for ($all->can_read) {
			$heard++ if (<$_> // "") =~ /^OK factord-usb/ && print $_ "$verb\nD $request\nEND\n";
			$all->remove($_);
		}
	}
	print "$heard of $n\n";
	sleep 600;
}
my $s = connected();
print $s "$verb\n";
while (<$s>) {
	print;
	print $s "D $request\nEND\n" if /^INQUIRE/;
	last if /^ERR/ || /^OK$/;
}
EOF
chmod 755 "$mine/ask"
as_factord() { runuser -u factord -- "$mine/ask" "$@"; }

proves "hidraw, libusb and pcscd work from inside"
# Opening a key by libusb takes long on a busy machine, so it may take more than one try.
seen_by() { # BACKEND
	seen=$(as_factord KEYS '{"wait":0,"cards":true,"backend":"'$1'"}')
	for part in '"serial":12345678' '"slots":[{' FIDO_2_0 '"piv":{'; do
		case $seen in *"$part"*) ;; *) echo "no $part by $1: $seen"; return 1 ;; esac
	done
}
for backend in hidraw libusb; do
	eventually "every application of the key, by $backend" seen_by $backend
done

proves "and both listen to its keyboard"
for backend in hidraw libusb; do
	as_factord CAPTURE '{"serials":[12345678],"wait":60000,"backend":"'$backend'"}' >"$mine/captured" &
	asked=$!
	eventually "it listens, by $backend" grep -q "S INFO touch" "$mine/captured"
	typed=$(key touch short)
	wait $asked || fail "capture by $backend"
	has "$(cat "$mine/captured")" "\"text\":\"$(printf %s "${typed#ok }" | base64 -w 0)\"" "what was captured by $backend"
	eventually "the keyboard is back" on_bus 1
done

# probe: says of each thing whether it is open to who runs it. (/tmp is another one inside.)
probe=/run/probe
at_exit "rm -rf $probe /run/probe.out"
mkdir -p $probe
cat >$probe/probe <<'EOF'
#!/bin/sh
try() { # WHAT COMMAND...
	what=$1
	shift
	if "$@" >/dev/null 2>&1; then echo "$what open"; else echo "$what shut"; fi
}
nodes() { ls /dev/hidraw*; }
reads() { (: <"$1"); }
writes() { (: >>"$1"); }
for node in $(nodes); do try "key $node" reads $node; done
for device in /dev/vda /dev/tty1 /dev/uinput /dev/kmsg /dev/mem /dev/vcs1; do try $device reads $device; done
try home ls /home/sia
try state ls /var/lib/factord
try configuration ls /etc/factord
try "writing /etc" writes /etc/probe
try "writing /var" writes /var/probe
try "writing /run" writes /run/factord/probe
try "writing /dev/shm" writes /dev/shm/probe
try "others' processes" ls /proc/1/cwd
try "the rest of /proc" reads /proc/meminfo
try network perl -MSocket -e 'socket(my $s, AF_INET, SOCK_STREAM, 0) or die'
try "namespaces" unshare --user true
try "mounts" mount -t tmpfs none /mnt
try "kernel settings" writes /proc/sys/kernel/domainname
try "owners" chown 1 "$0.owned"
try "priorities" renice -n -5 -p $$
EOF
: >$probe/probe.owned
chmod 755 $probe/probe

# under_the_unit: what the probe finds in a unit with the settings of factord-usb's.
unit=/run/systemd/system/probe.service
at_exit "rm -f $unit; systemctl daemon-reload"
under_the_unit() {
	sed -e '/^ExecStopPost/d; /^CollectMode/d; /^StandardOutput/d; /^AppArmorProfile/d' \
		-e '/^RuntimeMaxSec/d' -e "s|^ExecStart=.*|Type=oneshot\nExecStart=$probe/probe\nStandardOutput=file:/run/probe.out|" /usr/lib/systemd/system/factord-usb@.service >$unit
	rm -f /run/probe.out
	systemctl daemon-reload
	systemctl start probe.service || fail "the probe"
	cat /run/probe.out
}

proves "outside of the sandbox, root finds everything open"
free=$($probe/probe)
echo "$free" | sed 's/^/  /'
umount /mnt
rm -f /etc/probe /var/probe /run/factord/probe /dev/shm/probe
shut=$(echo "$free" | grep -c shut$ || :)
equal "$shut" 0 "what is shut to root"

proves "inside, the key alone is"
inside=$(under_the_unit)
echo "$inside" | sed 's/^/  /'
equal "$(echo "$inside" | wc -l)" "$(echo "$free" | wc -l)" "the number of trials"
echo "$inside" | grep -v '^key ' | grep -q open$ && fail "something else is open"
echo "$inside" | grep '^key ' | grep -q shut$ && fail "the key is shut"

proves "nobody but factord is answered: not its group, not root"
runuser -u sia -- "$mine/ask" KEYS '{"wait":0}' >"$mine/refused" 2>&1 && fail "sia: $(cat "$mine/refused")"
has "$(cat "$mine/refused")" "Permission denied" "sia"
has "$(setpriv --reuid sia --regid factord --clear-groups "$mine/ask" KEYS '{"wait":0}')" "ERR 3 0 uid $(id -u sia) may not ask for keys" "sia in factord's group"
has "$("$mine/ask" KEYS '{"wait":0}')" "ERR 3 0 uid 0 may not ask for keys" "root"

proves "a flood of 40 gets 32, and the next one after it is served"
calm() { [ "$(systemctl show -P NConnections factord-usb.socket)" = 0 ]; }
eventually "the last ones have ended" calm
as_factord -hold 40 CAPTURE '{"serials":[1],"wait":120000}' >"$mine/flood" &
flood=$!
at_exit "pkill -KILL -u factord -f $mine/ask"
patience=600 # 32 processes take a while to start
eventually "all are answered" grep -q of "$mine/flood"
equal "$(cat "$mine/flood")" "32 of 40" "the flood"
equal "$(systemctl show -P NConnections factord-usb.socket)" 32 "processes of factord-usb"
pkill -KILL -u factord -f "$mine/ask"
wait $flood || :
eventually "all have ended with who asked" calm
has "$(as_factord KEYS '{"wait":0}')" '"serial":12345678' "the next one"
