#!/bin/sh
# The first script on each machine: installs what "make install" installs, as
# README.md ("Protect sudo") says. The tests after it stand on that.
. /vm/lib

proves "the steps of the README give a machine that answers"
cp -r --preserve=mode,links,timestamps /host/root/. /
systemd-sysusers
systemd-tmpfiles --create
runuser -u factord -- /usr/local/sbin/factord --init
systemctl reload apparmor.service
systemctl daemon-reload
systemctl enable --now factord.socket
udevadm control --reload && udevadm trigger
systemctl enable --now factord-usb.socket

equal "$(systemctl is-active factord.socket)" active "the socket"
equal "$(systemctl is-active factord.service || :)" inactive "the service before anybody asks"
factorctl status || fail "status"

proves "systemd finds nothing wrong with the units"
found=$(systemd-analyze verify factord.socket factord.service factord-usb.socket 2>&1) || fail "$found"
equal "$found" "" "what systemd-analyze verify says"

proves "the daemon is nobody that anything belongs to but its own state"
equal "$(ps -o user= -p "$(systemctl show -P MainPID factord.service)")" factord "the daemon's user"
equal "$(stat -c '%U:%G %a' /var/lib/factord)" "factord:factord 700" "the state"
equal "$(stat -c '%U:%G %a' /etc/factord/factord.toml)" "root:factord 640" "the configuration"
