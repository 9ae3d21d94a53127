#!/bin/sh
# The other way to the keys, [usb] backend = "libusb": every factor, and the keyboard that
# the kernel has back afterwards, also when factord-usb was killed.
# Takes 95 s.
. /vm/lib

person lena sudo
pam_service sudo <$snippets/sudo
only() { # FACTOR: that sudo takes
	rules <<EOT
[usb]
backend = "libusb"

[[rule]]
services = ["sudo"]
factors = ["$1"]
EOT
}
public=vvccccccccbe
secret=303132333435363738393a3b3c3d3e3f40414243
keys "serial=32345678 short=yubico:$public:020203040506:000202030405060708090a0b0c0d0e0f:7 long=hmac:$secret,lt64,touch"
(umask 077; echo 020203040506 >"$mine/private-id"; echo 000202030405060708090a0b0c0d0e0f >"$mine/aes-key"; echo $secret >"$mine/secret")
console_login 1 lena
driver() { basename "$(readlink "/sys/bus/usb/devices/1-1:1.$1/driver")"; }
driven() { [ "$(driver 0)" = "$1" ]; }
proven() { has "$(audited lena)" "\"factor\":\"$1\"" "the audit record"; }

# types_again: the key is a keyboard of the console's.
types_again() {
	eventually "the kernel's driver has the keyboard" driven usbhid
	echo >~lena/typed
	chown lena ~lena/typed
	types 1 'clear; echo "reads $((1))"; read -r typed; echo "$typed" >~/typed'
	sees "reads 1"
	otp=$(key touch short)
	eventually "the OTP on tty1" typed ~lena/typed "${otp#ok }"
}

proves "touch: enrolled, and it gives sudo; meanwhile the key is no keyboard"
only touch
screen=$(dialogue "factorctl enroll touch --user lena --public-id $public --private-id-file $mine/private-id --aes-key-file $mine/aes-key" "Touch the YubiKey" "$touch") || fail "$screen"
begins_sudo lena
sees "YubiKey 32345678, then press Enter:"
eventually "libusb has the keyboard" driven usbfs
equal "$(driver 0)" usbfs "the driver of the keyboard"
equal "$(driver 1)" usbhid "the driver of FIDO"
key touch short
types 1 ""
became_root
proven touch
types_again

proves "hmac: enrolled, and it gives sudo"
only hmac
screen=$(dialogue "factorctl enroll hmac --user lena --slot 2 --secret-file $mine/secret" "Press Enter to try the slot:" "" "Touch YubiKey 32345678" "$touch" "Touch YubiKey 32345678" "$touch") || fail "$screen"
begins_sudo lena
equal "$(key blinks 60s)" "ok challenge" "what blinks"
sees "YubiKey 32345678, then press Enter:"
key touch short
types 1 ""
became_root
proven hmac
types_again

proves "fido2 and piv, which need no keyboard, go their own ways"
only fido2
screen=$(dialogue "factorctl enroll fido2 --user lena" "Touch" "$touch" "once more" - "Touch" "$touch") || fail "$screen"
begins_sudo lena
equal "$(key blinks 60s)" "ok fido" "what blinks"
sees "security key fido2-1, then press Enter:"
key touch short
types 1 ""
became_root
proven fido2
only piv
yubico-piv-tool -a generate -s 9a -A ECCP256 --pin-policy always --touch-policy always -o "$mine/public.pem"
screen=$(dialogue "factorctl enroll piv --user lena" "PIN of YubiKey 32345678" 123456 "Touch YubiKey 32345678" "$touch") || fail "$screen"
begins_sudo lena
asks_for "PIN of YubiKey 32345678:"
types 1 123456
equal "$(key blinks 60s)" "ok piv" "what blinks"
sees "YubiKey 32345678, then press Enter:"
key touch short
types 1 ""
became_root
proven piv
equal "$(driver 0)" usbhid "the driver of the keyboard"

proves "given up with ^C: the keyboard is back"
only touch
begins_sudo lena
sees "YubiKey 32345678, then press Enter:"
eventually "libusb has the keyboard" driven usbfs
types 1 "$(printf '\003')"
types_again
[ ! -e "$mine/ran$try" ] || fail "sudo ran its command all the same"

proves "killed in the middle: the unit gives the keyboard back, and sudo goes on"
begins_sudo lena
sees "YubiKey 32345678, then press Enter:"
eventually "libusb has the keyboard" driven usbfs
kill -9 "$(pgrep -x factord-usb)"
eventually "the kernel's driver has the keyboard" driven usbhid
types 1 ""
sees "keys that are plugged in here can't be asked"
types 1 ""
sees "YubiKey 32345678, then press Enter:"
eventually "libusb has the keyboard" driven usbfs
key touch short
types 1 ""
became_root
proven touch
types_again
types 1 exit
