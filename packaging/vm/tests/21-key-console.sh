#!/bin/sh
# The YubiKey in software is a keyboard to the console, and a device that Debian's usbip
# imports.
. /vm/lib

person kim
keys "serial=12345678 short=static:kim long=static:kimpw"

proves "somebody logs in on tty1 with nothing but the key"
switch_to 1
eventually "a login prompt" shows 1 "login:"
key touch short
eventually "a password prompt" shows 1 "Password:"
key touch long
eventually "a shell" shows 1 "kim@"
has "$(loginctl list-sessions --no-legend)" "kim" "the sessions"
key type 'tty >seen; id -un >>seen\r'
seen() { [ "$(cat /home/kim/seen 2>/dev/null)" = "/dev/tty1
kim" ]; }
eventually "the shell obeys" seen
key type 'exit\r'
keys_away

proves "Debian's usbip takes the key from a server"
/host/virtual-yubikey --usbip 127.0.0.1:3240 --socket "$mine/keys" --key "serial=87654321" </dev/null >"$mine/keys.log" 2>&1 &
keys_pid=$!
at_exit keys_away
eventually "the server answers" keys_answer
has "$(usbip list -r 127.0.0.1 2>&1)" "1050:0407" "the list"
usbip attach -r 127.0.0.1 -b 1-1
eventually "the key" on_bus 1
equal "$(ykinfo -s -q)" 87654321 "the serial number"
has "$(usbip port 2>/dev/null)" "1050:0407" "the ports"
usbip detach -p "$(usbip port 2>/dev/null | sed -n 's/^Port \([0-9]*\):.*/\1/p')"
eventually "an empty bus" on_bus 0
