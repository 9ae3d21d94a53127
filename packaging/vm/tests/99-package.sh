#!/bin/sh
# The packages: what the README says, an upgrade in the middle of a login, and a purge.
# The last test, since factord is gone after it.
# Takes 105 s.
. /vm/lib

export DEBIAN_FRONTEND=noninteractive

person alice sudo
config >"$mine/config"
diff /var/lib/vm-config "$mine/config" || fail "a test before has left PAM or sshd changed"
# Until a test's factord.toml is put back by the trap, the installed one is in force.
cmp /etc/factord/factord.toml /usr/share/doc/factord/factord.toml || fail "a test before has left factord.toml changed"

proves "three commands of the README, and alice needs a code for sudo"
token alice
factorctl enroll backup --user alice >"$mine/backup"
pam-auth-update --enable factord-sudo
as_alice="cd /; runuser -u alice -- sudo -k"
password='[sudo] password for alice:'
screen=$(dialogue "$as_alice id -un" "$password" alicepw Passcode "$(code_of alice)") || fail "refused: $screen"
has "$screen" root "what sudo ran"
screen=$(refused "$as_alice id -un" "$password" alicepw Passcode 000000 Passcode 000001 Passcode 000002 "$password" ^C)
lacks "$screen" root "what sudo ran"

proves "who is being asked when an upgrade comes is let finish, and finds the new factord next"
before_upgrade=$(systemctl show -P MainPID factord.service)
code=$(code_of alice)
cat >"$mine/upgrade" <<'EOF'
#!/bin/sh
exec >"$0.out" 2>&1
export DEBIAN_FRONTEND=noninteractive
apt-get -qq -o Dpkg::Use-Pty=0 install -y /host/newer/*.deb
echo "ended $?"
EOF
chmod 755 "$mine/upgrade"
# It begins while alice is asked, and has come to where it waits for her before she answers.
screen=$(dialogue "$as_alice id -un" "$password" alicepw Passcode "!systemd-run -q --collect $mine/upgrade; until pgrep -f 'factord.postinst configure' >/dev/null; do sleep 0.2; done; sleep 3" "" "$code") || fail "refused: $screen"
has "$screen" root "what sudo ran"
upgraded() { grep -q ended "$mine/upgrade.out"; }
eventually "the upgrade has ended" upgraded
has "$(cat "$mine/upgrade.out")" "ended 0" "the upgrade"
equal "$(dpkg-query -W -f '${Version}' factord)" "9-1" "the version"
[ "$(systemctl show -P MainPID factord.service)" != "$before_upgrade" ] || fail "factord is still the old one"
screen=$(dialogue "$as_alice id -un" "$password" alicepw Passcode "$(code_of alice)") || fail "refused: $screen"
has "$screen" root "what sudo ran"

proves "a line that needs the module keeps it"
pam_service vm-line <<'EOF'
auth required pam_factord.so
EOF
! apt-get -qq -o Dpkg::Use-Pty=0 purge -y factord factord-usb >"$mine/purge" 2>&1 || fail "purged"
has "$(cat "$mine/purge")" "/etc/pam.d/vm-line:1:auth required pam_factord.so" "what apt says"
rm /etc/pam.d/vm-line
screen=$(refused "$as_alice id -un" "$password" alicepw Passcode 000000 Passcode 000001 Passcode 000002 "$password" ^C)

proves "a purge gives PAM and sshd back byte by byte, and leaves nothing"
apt-get -qq -o Dpkg::Use-Pty=0 purge -y factord factord-usb
config | diff /var/lib/vm-config - || fail "PAM or sshd is configured otherwise"
left=$(find / -xdev \( -path /proc -o -path /sys -o -path /vm -o -path /host -o -path "$mine" -o -path /var/cache -o -path /var/log \) -prune \
	-o \( -name '*factord*' -o -name 'factorctl*' -o -name 'factor-helper*' \) -print; ls -d /run/factord* /var/log/factord* 2>/dev/null || :)
equal "$left" "" "what is left"
equal "$(systemctl list-units --all --no-legend 'factord*')" "" "the units"
screen=$(dialogue "$as_alice id -un" "$password" alicepw) || fail "refused after the purge: $screen"
has "$screen" root "what sudo ran"
