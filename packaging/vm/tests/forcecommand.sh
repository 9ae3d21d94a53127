#!/bin/sh
# factor-helper as sshd's ForceCommand, with the snippet for it, in sessions of logind's.
. /vm/lib

person fred
token fred
rules <<'EOT'
[[rule]]
services = ["sshd"]
callers = ["user"]
factors = ["totp"]
EOT
at_exit "systemctl reload ssh.service"
keep /etc/ssh/sshd_config.d/00-factord.conf
sed '/^#/d' $snippets/sshd-forcecommand >/etc/ssh/sshd_config.d/00-factord.conf
grep -q "^    ForceCommand /" /etc/ssh/sshd_config.d/00-factord.conf || fail "the snippet has no ForceCommand"
sshd -t || fail "sshd does not take what the snippet says"
systemctl reload ssh.service
ssh-keygen -q -t ed25519 -N '' -f "$mine/key"
eventually "sshd listens again" host_key >"$mine/known"
login=$(ssh_to fred)

proves "a code opens the session, which is one of logind's, from afar"
rc=0
screen=$(dialogue "$login -tt 'loginctl --no-pager show-session \$XDG_SESSION_ID -p Name -p Remote; exit 7'" Passcode "$(code_of fred)") || rc=$?
[ $rc = 7 ] || fail "the command ends with $rc: $screen"
has "$screen" "Name=fred" "logind"
has "$screen" "Remote=yes" "logind"
has "$(audited fred)" '"rhost":"127.0.0.1"' "the audit record"

proves "the login shell, too"
screen=$(dialogue "$login" Passcode "$(code_of fred)" "fred@" "echo I am \$(id -un) in \$0; exit") || fail "$screen"
has "$screen" "I am fred in -bash" "the shell"

proves "a wrong code ends it, and runs nothing"
screen=$(refused "$login -tt 'touch ~/ran'" Passcode 000000 Passcode 000001 Passcode 000002)
[ ! -e ~fred/ran ] || fail "the command ran"

proves "without a terminal nobody is asked, and nothing runs"
! $login 'touch ~/ran' </dev/null >"$mine/said" 2>&1 || fail "let in"
[ ! -e ~fred/ran ] || fail "the command ran"
has "$(cat "$mine/said")" "terminal" "what was said"

proves "nor where factord is away"
at_exit "systemctl start factord.socket"
systemctl stop factord.socket factord.service
screen=$(refused "$login -tt 'touch ~/ran'")
[ ! -e ~fred/ran ] || fail "the command ran"
