#!/bin/sh
# The other factors of a YubiKey that is plugged in: hmac through its keyboard interface,
# piv through the real pcscd, fido2 through its own. Each is enrolled and then gives sudo.
# Takes 85 s.
. /vm/lib

person kira sudo
pam_service sudo <$snippets/sudo
only() { # FACTOR: that sudo takes
	rules <<EOT
[[rule]]
services = ["sudo"]
factors = ["$1"]
EOT
}
secret=303132333435363738393a3b3c3d3e3f40414243
(umask 077; echo $secret >"$mine/secret")
keys "serial=31345678 long=hmac:$secret,lt64,touch"
console_login 1 kira

# proven FACTOR: what the newest audit record says sudo was allowed by.
proven() { has "$(audited kira)" "\"factor\":\"$1\"" "the audit record"; }
enrolled() { # FACTOR [QUESTION ANSWER]...: by root, guided
	factor=$1
	shift
	screen=$(dialogue "factorctl enroll $factor --user kira $options" "$@") || fail "enroll $factor: $screen"
	has "$screen" "$factor $factor-1 is enrolled for kira" "enroll $factor"
}

proves "hmac: two challenges enrol the slot"
only hmac
options="--slot 2 --secret-file $mine/secret"
enrolled hmac "Press Enter to try the slot:" "" "Touch YubiKey 31345678" "$touch" "Touch YubiKey 31345678" "$touch"
has "$(factorctl keys)" kira "factorctl keys"

proves "hmac: a touch gives sudo; before it the key only blinks"
begins_sudo kira
equal "$(key blinks 60s)" "ok challenge" "what blinks"
sees "YubiKey 31345678, then press Enter:"
equal "$(key touch short)" "ok challenge" "the touch"
types 1 ""
became_root
proven hmac

proves "piv: enrolled with the PIN and a touch, attested by the key"
only piv
cd "$mine"
yubico-piv-tool -a generate -s 9a -A ECCP256 --pin-policy always --touch-policy always -o public.pem
options=
enrolled piv "PIN of YubiKey 31345678" 123456 "Touch YubiKey 31345678" "$touch"
cd /

proves "piv: the PIN, then a touch give sudo"
begins_sudo kira
asks_for "PIN of YubiKey 31345678:"
types 1 123456
equal "$(key blinks 60s)" "ok piv" "what blinks"
sees "YubiKey 31345678, then press Enter:"
equal "$(key touch short)" "ok piv" "the touch"
types 1 ""
became_root
proven piv

proves "piv: a wrong PIN makes nothing blink, and the next question says what is left"
begins_sudo kira
asks_for "PIN of YubiKey 31345678:"
types 1 654321
# Where the key takes more than two seconds, that comes with the next Enter.
told() { shows 1 "Wrong, 2 tries are left." || shows 1 "then press Enter:"; }
eventually "what became of the PIN" told
if shows 1 "then press Enter:"; then
	types 1 ""
	sees "wrong PIN: 2 tries are left"
	types 1 ""
	asks_for "PIN of YubiKey 31345678, 2 tries are left:"
fi
lacks "$(key status)" "blinks" "the key"
types 1 123456
equal "$(key blinks 60s)" "ok piv" "what blinks"
key touch short
sees "then press Enter:"
types 1 ""
became_root
has "$(yubico-piv-tool -a verify-pin -P 111111 2>&1)" "2 tries left" "the tries, which the right PIN has set back"

proves "fido2: two touches enrol the key"
only fido2
enrolled fido2 "Touch" "$touch" "once more" - "Touch" "$touch"

proves "fido2: a touch gives sudo"
begins_sudo kira
equal "$(key blinks 60s)" "ok fido" "what blinks"
sees "security key fido2-1, then press Enter:"
equal "$(key touch short)" "ok fido" "the touch"
types 1 ""
became_root
proven fido2

proves "pcscd, and another program at each interface, go on beside it"
equal "$(ykinfo -s -q)" 31345678 "ykinfo"
has "$(fido2-token -L)" "vendor=0x1050" "fido2-token"
has "$(yubico-piv-tool -a status)" 31345678 "yubico-piv-tool"
types 1 exit
keys_away
