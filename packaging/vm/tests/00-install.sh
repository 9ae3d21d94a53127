#!/bin/sh
# The first script on each machine: installs the packages. The tests after it stand on that.
. /vm/lib

config >/var/lib/vm-config # as 99-package has to find it

proves "apt installs both packages, and that changes no login"
DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y /host/packages/*.deb
config | diff /var/lib/vm-config - || fail "PAM or sshd is configured otherwise"
systemctl -q is-enabled factord.socket factord-usb.socket || fail "a socket is not enabled"

equal "$(systemctl is-active factord.socket)" active "the socket"
equal "$(systemctl is-active factord.service || :)" inactive "the service before anybody asks"
factorctl status || fail "status"

proves "systemd finds nothing wrong with the units"
found=$(systemd-analyze verify --man=no factord.socket factord.service factord-usb.socket 2>&1) || fail "$found"
equal "$found" "" "what systemd-analyze verify says"

proves "the daemon is nobody that anything belongs to but its own state"
equal "$(ps -o user= -p "$(systemctl show -P MainPID factord.service)")" factord "the daemon's user"
equal "$(stat -c '%U:%G %a' /var/lib/factord)" "factord:factord 700" "the state"
equal "$(stat -c '%U:%G %a' /etc/factord/factord.toml)" "root:factord 640" "the configuration"
