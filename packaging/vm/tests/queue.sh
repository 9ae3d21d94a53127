#!/bin/sh
# Ten logins queue for one key: each is told for what it waits, the touches are theirs in
# the order in which they came, and none is lost. And how long a touch takes to allow.
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
# join N: logins for the services job-1 to job-N, each begun when the one before it has been
# told how it stands, and anew if logind was too slow to say where it is. What each hears, and
# when, is in a file of its number.
use IO::Handle;
use IO::Select;
use IO::Socket::UNIX;
use Time::HiRes "time";
my $all = IO::Select->new;
my (%file, %number);
sub hear {
	my $s = shift;
	my $line = <$s>;
	if (!defined $line) { $all->remove($s); return "" }
	$file{$number{$s}}->printf("%.3f %s", time, $line);
	return $line;
}
for my $n (1 .. $ARGV[0]) {
	open($file{$n}, ">", "/queue/$n") or die "$!\n";
	$file{$n}->autoflush(1);
	my $heard = "";
	until ($heard =~ /^S INFO/) {
		my $s = IO::Socket::UNIX->new("/run/factord/factord.sock") or die "connecting: $!\n";
		$number{$s} = $n;
		$all->add($s);
		hear($s);
		$s->syswrite("AUTH service=job-$n conv=prompt\n");
		do { $heard = hear($s) } until $heard =~ /^(S INFO|ERR|$)/;
	}
}
open(my $joined, ">", "/queue/joined");
while ($all->count) {
	hear($_) for $all->can_read;
}
EOF
chmod 755 /queue/join
console_login 1 quin

proves "ten wait for one key, and know for what it is used before"
types 1 "/queue/join 10"
eventually "ten in the queue" test -e /queue/joined
told() { has "$(cat "/queue/$1")" "INFO $2" "what job-$1 is told"; }
eventually "the first knows who is next" grep -q "Touch YubiKey 52345678 for this; job-2 waits for the next touch" /queue/1
for n in 2 3 4 5 6 7 8 9 10; do
	told $n "Touch YubiKey 52345678 for job-1 first, then again for this"
done

proves "each touch is for the oldest, and nobody is lost"
for n in 1 2 3 4 5 6 7 8 9 10; do
	equal "$(key blinks 60s)" "ok challenge" "what blinks for job-$n"
	[ $n = 10 ] || lacks "$(cat /queue/$((n + 1)))" VERDICT "job-$((n + 1)) before its touch"
	equal "$(key touch short)" "ok challenge" "touch $n"
	eventually "job-$n is let in: $(cat /queue/$n)" grep -q "S VERDICT allow basis=factor factor=hmac" /queue/$n
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
