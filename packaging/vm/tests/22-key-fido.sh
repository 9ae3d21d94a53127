#!/bin/sh
# The FIDO application of the YubiKey in software, by libfido2's own tools.
. /vm/lib

keys "serial=12345678 short=static:notouch"
node=$(hidraw /sys/bus/usb/devices/1-1:1.1)

proves "fido2-token finds it and says what it can do"
has "$(fido2-token -L)" "$node: vendor=0x1050, product=0x0407 (Yubico YubiKey OTP+FIDO+CCID)" "the list"
info=$(fido2-token -I "$node")
has "$info" "version strings: U2F_V2, FIDO_2_0, FIDO_2_1" "the information"
has "$info" "fwversion: 0x50403" "the information"

# challenge: what a server would send.
challenge() { head -c 32 /dev/urandom | base64; }

# enrolment FILE: what fido2-cred is given.
enrolment() { printf '%s\nrelying.example\nalice\nYWxpY2U=\n' "$(challenge)" >"$1"; }

# question FILE: what fido2-assert is given.
question() { printf '%s\nrelying.example\n%s\n' "$(challenge)" "$(head -n 1 "$mine/pub")" >"$1"; }

proves "a credential is made when the key is touched"
enrolment "$mine/enrol"
fido2-cred -M -i "$mine/enrol" "$node" >"$mine/cred" &
asked=$!
equal "$(key blinks 60s)" "ok fido" "what blinks"
equal "$(key touch short)" "ok fido" "the touch"
wait $asked || fail "fido2-cred -M failed"
fido2-cred -V -i "$mine/cred" -o "$mine/pub"
tail -n +2 "$mine/pub" >"$mine/pub.pem"

proves "it signs when the key is touched, and the signature is good"
question "$mine/ask"
fido2-assert -G -i "$mine/ask" "$node" >"$mine/assert" &
asked=$!
equal "$(key blinks 60s)" "ok fido" "what blinks"
equal "$(key touch long)" "ok fido" "the touch"
wait $asked || fail "fido2-assert -G failed"
fido2-assert -V -p -i "$mine/assert" "$mine/pub.pem" es256

proves "a signature over something else is refused"
{ challenge; tail -n +2 "$mine/assert"; } >"$mine/other"
fido2-assert -V -i "$mine/other" "$mine/pub.pem" es256 2>/dev/null && fail "it is taken"

proves "a key that says no makes nothing, and one that is always touched is quick"
key fido-touch deny
fido2-assert -G -i "$mine/ask" "$node" >"$mine/assert" 2>"$mine/error" && fail "signed after a no"
has "$(cat "$mine/error")" "FIDO_ERR_OPERATION_DENIED" "fido2-assert"
key fido-touch grant
question "$mine/ask"
fido2-assert -G -i "$mine/ask" "$node" >"$mine/assert"
fido2-assert -V -p -i "$mine/assert" "$mine/pub.pem" es256

proves "it keeps its credentials without power, and blinks no more when it is pulled out"
key fido-touch never
question "$mine/ask"
fido2-assert -G -i "$mine/ask" "$node" >"$mine/assert" 2>"$mine/error" &
asked=$!
equal "$(key blinks 60s)" "ok fido" "what blinks"
key unplug
wait $asked && fail "signed by a key that is gone"
has "$(key status)" "ok 12345678 1050:0407" "the key"
lacks "$(key status)" "blinks" "the key"
key plug
eventually "the key" on_bus 1
key fido-touch grant
node=$(hidraw /sys/bus/usb/devices/1-1:1.1)
fido2-assert -G -i "$mine/ask" "$node" >"$mine/assert"
fido2-assert -V -p -i "$mine/assert" "$mine/pub.pem" es256
keys_away

proves "with a PIN it verifies who that is; FIDO is the first interface of a key without OTP"
keys "serial=9 apps=fido+piv fido-pin=2468 fido-touch=grant"
has "$(lsusb -d 1050:)" "ID 1050:0406" "the key"
node=$(hidraw /sys/bus/usb/devices/1-1:1.0)
has "$(fido2-token -I "$node")" "clientPin" "the information"
enrolment "$mine/enrol"
dialogue "fido2-cred -M -v -i $mine/enrol $node >$mine/cred" "Enter PIN for $node:" 2468
fido2-cred -V -v -i "$mine/cred" -o "$mine/pub"
tail -n +2 "$mine/pub" >"$mine/pub.pem"
question "$mine/ask"
dialogue "fido2-assert -G -v -i $mine/ask $node >$mine/assert" "Enter PIN for $node:" 2468
fido2-assert -V -v -p -i "$mine/assert" "$mine/pub.pem" es256
dialogue "fido2-assert -G -v -i $mine/ask $node >$mine/assert" "Enter PIN for $node:" 1357 && fail "a wrong PIN"
has "$(fido2-token -I "$node")" "pin retries: 7" "the information"
keys_away

proves "a key with FIDO alone"
keys "serial=9 apps=fido"
has "$(lsusb -d 1050:)" "ID 1050:0402" "the key"
has "$(fido2-token -L)" "product=0x0402 (Yubico YubiKey FIDO)" "the list"
