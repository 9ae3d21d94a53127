#!/bin/sh
# Ten logins queue for one key: each is told for what it waits, the touches are theirs in
# the order in which they came, and none is lost. And how long a touch takes to allow.
# Takes 55 s.
. /vm/lib

secret=303132333435363738393a3b3c3d3e3f40414243
person quin
keys "serial=52345678 long=hmac:$secret,lt64,touch"
rules <<'EOF'
[[rule]]
callers = ["user"]
factors = ["hmac"]
EOF
echo $secret | install -m 600 /dev/stdin "$mine/hmac"
echo | factorctl enroll hmac --user quin --slot 2 --secret-file "$mine/hmac" >"$mine/enrol" 2>&1 &
enrolling=$!
for touch in 1 2; do
	equal "$(key blinks 60s)" "ok challenge" "what blinks, $(cat "$mine/enrol")"
	key touch short >/dev/null
done
wait $enrolling || fail "hmac: $(cat "$mine/enrol")"

at_exit "rm -rf /queue"
install -d -m 1777 /queue
cat >/queue/join <<'EOF'
#!/usr/bin/perl
# join N: logins for the services job-1 to job-N, all at once, and one anew if logind was too
# slow to say where it is. What each hears, and when, is in a file of its number.
use IO::Select;
use IO::Socket::UNIX;
use Time::HiRes "time";
my $all = IO::Select->new;
my (%file, %number, %rest, %joined);
sub begin {
	my $n = shift;
	my $s = IO::Socket::UNIX->new("/run/factord/factord.sock") or die "connecting: $!\n";
	$number{$s} = $n;
	$all->add($s);
	$s->syswrite("AUTH service=job-$n conv=prompt\n");
}
sub ended {
	my $s = shift;
	$all->remove($s);
	begin($number{$s}) unless $joined{$number{$s}};
}
sub hear {
	my $s = shift;
	my $n = $number{$s};
	return ended($s) unless $s->sysread($rest{$s}, 4096, length($rest{$s} // ""));
	while ($rest{$s} =~ s/^(.*\n)//) {
		my $line = $1;
		syswrite $file{$n}, sprintf "%.3f %s", time, $line;
		$joined{$n} = 1 if $line =~ /^S INFO Touch/;
		return ended($s) if $line =~ /^ERR/;
	}
}
for my $n (1 .. $ARGV[0]) {
	open($file{$n}, ">", "/queue/$n") or die "$!\n";
	begin($n);
}
while ($all->count) {
	hear($_) for $all->can_read;
	if (keys %joined == $ARGV[0]) { open(my $joined, ">", "/queue/joined") }
}
EOF
chmod 755 /queue/join
console_login 1 quin

proves "ten wait for one key, and know for what it is used before"
types 1 "/queue/join 10"
eventually "ten in the queue" test -e /queue/joined
oldest() { # the one that is told to touch for itself
	for n in 1 2 3 4 5 6 7 8 9 10; do
		! grep -q VERDICT /queue/$n || continue
		case $(tail -n 1 /queue/$n) in
		*"Touch YubiKey 52345678 for job-"*) ;;
		*"Touch YubiKey 52345678"*) echo $n; return ;;
		esac
	done
	return 1
}
eventually "there is an oldest" oldest >/dev/null
first=$(oldest)
has "$(cat /queue/$first)" " waits for the next touch" "what job-$first is told"
for n in 1 2 3 4 5 6 7 8 9 10; do
	[ $n = $first ] || has "$(cat /queue/$n)" "Touch YubiKey 52345678 for job-$first first, then again for this" "what job-$n is told"
done

proves "each touch is for the oldest, and nobody is lost"
let_in() { cat /queue/[0-9]* | grep -c "S VERDICT allow basis=factor factor=hmac"; }
for touch in 1 2 3 4 5 6 7 8 9 10; do
	equal "$(key blinks 60s)" "ok challenge" "what blinks for touch $touch"
	eventually "there is an oldest" oldest >/dev/null
	next=$(oldest)
	equal "$(key touch short)" "ok challenge" "touch $touch"
	eventually "job-$next is let in: $(cat /queue/$next)" grep -q "S VERDICT allow basis=factor factor=hmac" /queue/$next
	equal "$(let_in)" $touch "logins that were let in"
done
equal "$(grep -l "VERDICT allow" /queue/[0-9]* | wc -l)" 10 "logins that were let in"
equal "$(factorctl audit --user quin --json | grep -c '"verdict":"allow".*"factor":"hmac"')" 10 "records of the ten"

proves "from the touch to the verdict"
for n in 1 2 3 4 5; do
	rm -f /queue/1
	types 1 "clear; /queue/join 1"
	key blinks 60s >/dev/null
	touched=$(date +%s.%N)
	key touch short >/dev/null
	eventually "a verdict" grep -q VERDICT /queue/1
	perl -e 'printf "  %d ms\n", 1000 * ($ARGV[0] - $ARGV[1])' "$(sed -n 's/ S VERDICT.*//p' /queue/1)" "$touched"
done
