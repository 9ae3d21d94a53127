#!/bin/sh
# The touch of a YubiKey that is plugged in, from the real keyboard driver to the verdict:
# for sudo, for a screen locker, and beside a question.
# Takes 135 s.
. /vm/lib

person tina sudo
token tina hotp
pam_service sudo <$snippets/sudo
pam_stack vm-lock
rules <<'EOT'
[[rule]]
name = "sudo"
services = ["sudo"]
factors = ["touch"]

[[rule]]
name = "beside a question"
services = ["login", "vm-race"]
callers = ["root", "user"]
factors = ["touch", "totp"]

[[rule]]
name = "the locker"
services = ["vm-lock"]
callers = ["user"]
factors = ["touch"]
EOT
# Keys are of one user, also when that is gone: each test has numbers of its own.
public=vvccccccccbd
keys "serial=12345678 short=yubico:$public:010203040506:000102030405060708090a0b0c0d0e0f:7"
factor() { audited tina | sed -n 's/.*"verdict":"allow".*"factor":"\([^"]*\)".*/\1/p'; }
umask 077
echo 010203040506 >"$mine/private-id"
echo 000102030405060708090a0b0c0d0e0f >"$mine/aes-key"
umask 022

proves "factord sees the key, and that it is nobody's"
listed() { factorctl keys | tr -s ' ' | grep -qF "YubiKey OTP+FIDO+CCID 12345678 5.4.3 touch or hmac (slot 1), fido2, piv -"; }
eventually "factorctl keys lists it" listed # pcscd starts when it is asked

proves "who sits here enrols it: a code for proof, then a touch"
factorctl enroll yubico --user tina --no-confirm --public-id $public --private-id-file "$mine/private-id" --aes-key-file "$mine/aes-key" >/dev/null
console_login 1 tina
at_seat "Passcode" "is set up only at" types 1 "clear; factorctl enroll touch --name desk"
hidden() { stty -F /dev/tty1 -a | grep -q -- " -echo "; }
eventually "what is typed is hidden" hidden # what came before was dropped
types 1 "$(code_of tina)"
sees "Touch the YubiKey that is to be enrolled"
captured=$(key touch short)
sees "touch touch-1 is enrolled for tina"
has "$captured" "ok $public" "what the key typed"
has "$(factorctl list --user tina)" "serial 12345678, token yubico-1" "factorctl list"
lacks "$(screen 1)" "${captured#ok }" "tty1"
has "$(factorctl keys)" tina "factorctl keys"

proves "sudo: Enter, a touch, Enter"
begins_sudo tina
sees "YubiKey 12345678, then press Enter:"
eventually "the key is listened to" listened_to
key touch short
types 1 ""
became_root
equal "$(factor)" touch "the factor"

proves "a locker of the user's own begins at once, and a touch is all it needs"
at_seat "Touch YubiKey 12345678" "only at this machine itself" types 1 "clear; pamtester vm-lock tina authenticate"
key touch short
sees "successfully authenticated"
equal "$(factor)" touch "the factor"

proves "from the key's last letter to the verdict, ten times, it takes less than 150 ms of a machine that is no guest"
cat >~tina/locks <<'EOT'
for n in 1 2 3 4 5 6 7 8 9 10; do
	clear
	echo "round $n"
	pamtester vm-lock tina authenticate && date +%s%N >>~/verdicts
done
EOT
chmod 644 ~tina/locks
at_seat "Touch YubiKey 12345678" "only at this machine itself" types 1 "clear; sh ~/locks"
: >"$mine/touches"
for n in 1 2 3 4 5 6 7 8 9 10; do
	sees "round $n"
	sees "Touch YubiKey 12345678"
	eventually "the key is listened to" listened_to
	key touch short
	date +%s%N >>"$mine/touches"
	verdicts() { [ "$(wc -l <~tina/verdicts)" = $n ]; }
	eventually "verdict $n" verdicts
done
took=$(paste -d ' ' "$mine/touches" ~tina/verdicts | awk '{ print int(($2 - $1) / 1e6) }' | median)
slower=$(slower)
echo "$took ms, on a machine that is $slower times slower"
[ "$took" -lt $((150 * slower)) ] || fail "it took $took ms"

# The client has no terminal: what the key types goes to cat, if it goes anywhere.
proves "what is captured reaches neither tty1 nor another reader of the keyboard"
evtest "$(keyboard /sys/bus/usb/devices/1-1:1.0)" >"$mine/events" 2>&1 &
eventually "evtest is ready" grep -q "Testing" "$mine/events"
: >"$mine/heard"
chmod 666 "$mine/heard"
chmod 711 "$mine"
types 1 "clear; (setsid stdbuf -oL pamtester vm-lock tina authenticate </dev/null >$mine/heard 2>&1; echo status \$? >>$mine/heard) & cat >~/typed"
eventually "the locker's cue" grep -q "Touch YubiKey 12345678" "$mine/heard"
eventually "an empty tty1, and cat" test -e ~tina/typed
before=$(cat /dev/vcs1)
key touch short
eventually "the locker's verdict" grep -q "status" "$mine/heard"
has "$(cat "$mine/heard")" "status 0" "the locker"
equal "$(cat /dev/vcs1)" "$before" "what tty1 shows"
equal "$(cat ~tina/typed)" "" "what was typed on tty1"
lacks "$(cat "$mine/events")" "EV_KEY), " "what evtest saw"

proves "and the next touch reaches both: the keyboard is given back"
otp=$(key touch short)
eventually "the OTP on tty1" typed ~tina/typed "${otp#ok }"
has "$(cat "$mine/events")" "(EV_KEY), code 28 (KEY_ENTER), value 1" "what evtest saw"
types 1 "$(printf '\004')"

proves "beside a question the touch wins"
race() { types 1 "clear; /usr/libexec/factor-helper check --service vm-race; echo status \$((\$? + 100))"; }
at_seat "YubiKey 12345678, or type a code:" "Passcode:" race
eventually "the key is listened to" listened_to
key touch short
sees "status 100"
equal "$(factor)" touch "the factor"

proves "and a typed code wins, after which the key is let go"
at_seat "YubiKey 12345678, or type a code:" "Passcode:" race
eventually "the key is listened to" listened_to
types 1 "$(code_of tina)"
sees "status 100"
equal "$(factor)" totp "the factor"
types 1 "clear; cat >~/typed"
otp=$(key touch short)
eventually "the OTP on tty1" typed ~tina/typed "${otp#ok }"
types 1 "$(printf '\004')"

# login has no session yet, so logind knows of no seat. The key is not asked then.
proves "login on tty1 asks for the code"
pam_service login <$snippets/login
types 1 exit
sees "login:"
types 1 tina
sees "Password:"
types 1 tinapw
sees "Passcode"
lacks "$(screen 1)" "YubiKey" "tty1"
types 1 "$(code_of tina)"
sees "tina@"
equal "$(factor)" totp "the factor"
