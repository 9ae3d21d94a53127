#!/bin/sh
# The OTP application of the YubiKey in software, by programs that know nothing of it.
. /vm/lib

nist=303132333435363738393a3b3c3d3e3f40414243 # with its digest, of NIST PUB 198 A.2
digest=0922d3405faa3d194f82a45830737d5cc6c75d24
otp=yubico:vvccccccccbd:010203040506:000102030405060708090a0b0c0d0e0f:7

keys "serial=12345678 short=$otp long=hmac:$nist,lt64,touch"

proves "USB sees a YubiKey with three interfaces"
has "$(lsusb -d 1050:)" "ID 1050:0407 Yubico.com Yubikey 4/5 OTP+U2F+CCID" "lsusb"
tree=$(lsusb -t)
has "$tree" "If 0, Class=Human Interface Device, Driver=usbhid, 12M" "the keyboard"
has "$tree" "If 1, Class=Human Interface Device, Driver=usbhid, 12M" "FIDO"
has "$tree" "If 2, Class=Chip/SmartCard" "the reader"
descriptors=$(lsusb -v -d 1050: 2>/dev/null)
has "$descriptors" "wTotalLength       0x0096" "the configuration"
has "$descriptors" "dwMaxCCIDMsgLen      3072" "the reader's descriptor"

proves "ykinfo reads the status and the serial number"
info=$(ykinfo -a)
has "$info" "serial: 12345678" ykinfo
has "$info" "version: 5.4.3" ykinfo
has "$info" "touch_level: 7" ykinfo
has "$info" "slot1_status: 1" ykinfo
has "$info" "product_id: 407" ykinfo

proves "what a touch types arrives key by key: 44 letters and Enter"
# pressed FILE: the letters that evtest saw going down, and whatever else.
pressed() {
	sed -n 's/.*(EV_KEY), code [0-9]* (KEY_\([A-Z0-9]*\)), value 1$/\1/p' "$1" | sed 's/^ENTER$/./' | tr -d '\n' | tr A-Z a-z
}
ends() { case $(pressed "$1") in *.) ;; *) return 1 ;; esac; }
evtest "$(keyboard /sys/bus/usb/devices/1-1:1.0)" >"$mine/events" 2>&1 &
eventually "evtest is ready" grep -q "Testing" "$mine/events"
typed=$(key touch short)
eventually "evtest sees Enter" ends "$mine/events"
equal "$(pressed "$mine/events")" "${typed#ok }." "what evtest saw"
equal "$(expr length "${typed#ok }")" 44 "the length"
equal "$(grep -c 'EV_KEY), .* value 0$' "$mine/events")" 45 "the releases"
has "$typed" "ok vvccccccccbd" "the public id"

proves "the next touch types another OTP of the same key"
again=$(key touch short)
[ "$again" != "$typed" ] || fail "the same OTP twice"
has "$again" "ok vvccccccccbd" "the public id"

proves "a challenge is answered when the key is touched, and not before"
ykchalresp -2 "Sample #2" >"$mine/answer" &
asked=$!
equal "$(key blinks 60s)" "ok challenge" "what blinks"
equal "$(cat "$mine/answer")" "" "the answer before the touch"
equal "$(key touch short)" "ok challenge" "the touch"
wait $asked || fail "ykchalresp failed"
equal "$(cat "$mine/answer")" $digest "the answer"

proves "the key can be pulled out, and put in again"
key unplug
eventually "evtest ends" grep -q "No such device" "$mine/events"
eventually "an empty bus" on_bus 0
ykinfo -s 2>/dev/null && fail "ykinfo found a key"
key plug
eventually "the key" on_bus 1
equal "$(ykinfo -s -q)" 12345678 "the serial number"
keys_away

proves "both slots answer challenges, of any length or of 64 bytes; one that is empty does not"
keys "serial=7 apps=otp short=hmac:$nist,lt64 long=hmac:$nist"
has "$(lsusb -d 1050:)" "ID 1050:0401" "a key with OTP alone"
equal "$(ykchalresp -1 -H "Sample #2")" $digest "slot 1"
equal "$(ykchalresp -1 -x 000102030405)" "$(ykchalresp -1 -x 000102030405)" "the same twice"
[ "$(ykchalresp -2 "Sample #2")" != $digest ] || fail "slot 2 drops what follows a short challenge"
keys_away
keys "serial=7 apps=otp+fido short=hmac:$nist,lt64"
ykchalresp -2 "Sample #2" 2>/dev/null && fail "an empty slot answers"
keys_away

proves "nobody touches: the challenge is given up"
keys "serial=7 long=hmac:$nist,lt64,touch touch-wait=1s"
ykchalresp -2 "Sample #2" 2>"$mine/error" && fail "answered without a touch"
has "$(cat "$mine/error")" "timeout" "ykchalresp"
keys_away

proves "two keys are two"
keys "serial=11111111 short=$otp" "serial=22222222 apps=otp+piv"
serials=$(ykinfo -n0 -s -q; ykinfo -n1 -s -q)
equal "$(echo "$serials" | sort | tr '\n' ' ')" "11111111 22222222 " "the serial numbers"
key unplug 11111111
eventually "one key" on_bus 1
equal "$(ykinfo -s -q)" 22222222 "the one that is left"
