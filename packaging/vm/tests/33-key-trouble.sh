#!/bin/sh
# What goes wrong with a key that is plugged in: pulled out at every step, another one,
# held by another program, never touched, factord-usb killed. tty1 shows what is typed
# all the while: what is not captured must arrive there, and what is captured must not.
# Takes 145 s.
. /vm/lib

person trudy
pam_stack vm-wait
rules <<'EOT'
[[rule]]
services = ["vm-wait"]
callers = ["user"]
factors = ["touch"]
EOT
public=vvccccccccbf
mine_=33345678 other=87654321
secrets=$public:030203040506:000302030405060708090a0b0c0d0e0f
keys "serial=$mine_ short=yubico:$secrets:7" \
	"serial=$other short=static:foreign"
key unplug $other
(umask 077; echo 030203040506 >"$mine/private-id"; echo 000302030405060708090a0b0c0d0e0f >"$mine/aes-key")
dialogue "factorctl enroll touch --user trudy --public-id $public --private-id-file $mine/private-id --aes-key-file $mine/aes-key" \
	"Touch the YubiKey" "!/host/virtual-yubikey --at $mine/keys touch $mine_ short" || fail "enroll touch"
console_login 1 trudy
chmod 711 "$mine"
at_exit "sed 's/^/the program said: /' $mine/said"

# waits: a program of trudy's on tty1, without a terminal of its own, waits for the touch.
# tty1 keeps what is typed in ~/typed meanwhile. says TEXT: so the program does, last.
waits() {
	begins_to_wait
	until said "YubiKey $mine_" && ! said "Waiting for"; do
		if grep -q "only at this machine itself\|can't be asked" "$mine/said"; then
			types 1 "$(printf '\004')" # logind or factord-usb was slow: once more
			begins_to_wait
		fi
		sleep 0.2
	done
}
begins_to_wait() {
	: >"$mine/said"
	chmod 666 "$mine/said"
	rm -f ~trudy/typed
	types 1 "clear; (setsid stdbuf -oL pamtester vm-wait trudy authenticate </dev/null >$mine/said 2>&1; echo status \$? >>$mine/said) & cat >~/typed"
	eventually "tty1 keeps what is typed" test -e ~trudy/typed
	eventually "the program says something" test -s "$mine/said"
}
said() { tail -n 1 "$mine/said" | grep -qF -- "$1"; }
says() { eventually "it says \"$1\"" said "$1" || fail "it said: $(cat "$mine/said")"; }
allowed() {
	says "status 0"
	arrived ""
	types 1 "$(printf '\004')"
}
arrived() { typed ~trudy/typed "$1" || fail "\"$(cat ~trudy/typed)\" was typed on tty1, want \"$1\""; }
arrives() { eventually "\"$1\" is typed on tty1" typed ~trudy/typed "$1"; }
ask_for_touch="Touch YubiKey $mine_"
plug_in="Plug in YubiKey $mine_, then touch it"
node() { for d in /sys/bus/usb/devices/*:1.0/0003:*; do keyboard "${d%/*}"; done; }
there() { [ -c "$(node)" ]; }

proves "not plugged in: it is waited for, and then touched"
key unplug $mine_
waits
says "$plug_in"
key plug $mine_
says "$ask_for_touch"
key touch $mine_ short
allowed

proves "plugged in where udev takes three seconds to say whose it is"
at_exit "udevadm control --reload"
at_exit "rm -f /run/udev/rules.d/00-vm-slow.rules"
mkdir -p /run/udev/rules.d
echo 'ACTION=="add", SUBSYSTEM=="hidraw", PROGRAM="/bin/sleep 3"' >/run/udev/rules.d/00-vm-slow.rules
udevadm control --reload
key unplug $mine_
waits
says "$plug_in"
key plug $mine_
says "$ask_for_touch"
key touch $mine_ short
allowed
rm /run/udev/rules.d/00-vm-slow.rules
udevadm control --reload

proves "pulled out while it is waited for, and back under another number"
waits
says "$ask_for_touch"
before=$(node)
key unplug $mine_
says "$plug_in"
key plug $other
eventually "the other key's keyboard" there
key plug $mine_
says "$ask_for_touch"
key unplug $other
eventually "one keyboard" there
[ "$(node)" != "$before" ] || fail "the node is $before again: that proves nothing"
key touch $mine_ short
allowed

proves "another key alone is not asked: what it types is typed"
key unplug $mine_
key plug $other
waits
says "$plug_in"
key touch $other short
arrives foreign
says "$plug_in"
key plug $mine_
says "$ask_for_touch"
key touch $mine_ short
says "status 0"
arrived foreign
types 1 "$(printf '\004')"

proves "of two keys the one that is enrolled counts, and the other one types"
waits
says "$ask_for_touch"
key touch $other short
arrives foreign
key touch $mine_ short
says "status 0"
arrived foreign
types 1 "$(printf '\004')"
key unplug $other
eventually "one keyboard" there

proves "held by another program: the person hears of it, and can go on when it is free"
evtest --grab "$(node)" >"$mine/events" 2>&1 &
holder=$!
eventually "evtest holds it" grep -q Testing "$mine/events"
waits
says "Another program holds YubiKey $mine_: close it, then touch the key"
kill $holder
says "$ask_for_touch"
key touch $mine_ short
allowed

proves "killed in the middle: the program hears it, and the keyboard types at once"
waits
says "$ask_for_touch"
kill -9 "$(pgrep -x factord-usb)"
otp=$(key touch $mine_ short)
arrives "${otp#ok }"
says "status 1"
has "$(cat "$mine/said")" "can't be asked" "the program"
types 1 "$(printf '\004')"
waits
says "$ask_for_touch"
key touch $mine_ short
allowed

proves "touched too late: it is refused, and the OTP goes where the keyboard does"
waits
says "$ask_for_touch"
says "status 1"
otp=$(key touch $mine_ short)
arrives "${otp#ok }"
types 1 "$(printf '\004')"
has "$(cat "$mine/said")" "YubiKey $mine_ was not touched in time" "the program"

proves "pulled out while it types: half an OTP is none, and no letter of it gets out"
keys_away
# The slot counts each plugging in: it goes on well above where the other key was.
keys "serial=$mine_ short=yubico:$secrets:1000,pace=50ms"
waits
says "$ask_for_touch"
key touch $mine_ short &
toucher=$!
sleep 1 # it types for 4.5 s
kill -0 $toucher || fail "it has typed all already: that proves nothing"
key unplug $mine_
says "$plug_in"
key plug $mine_
says "$ask_for_touch"
key touch $mine_ short
allowed

types 1 exit
