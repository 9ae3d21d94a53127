#!/bin/sh
# Who sits at this machine, as the real logind says it. A rule with networks =
# ["local"] stands here for all that only the own seat may use: keys in a USB port.
. /vm/lib

person sara sudo
token sara
ssh_server
pam_service sudo <$snippets/sudo
rules <<'EOF'
[[rule]]
name = "here"
services = ["sudo", "vm-seat"]
callers = ["root", "user"]
networks = ["local"]
mode = "exempt"

[[rule]]
name = "elsewhere"
services = ["sudo", "vm-seat"]
callers = ["root", "user"]
factors = ["totp"]

[[rule]]
name = "the way to this machine"
services = ["sshd"]
mode = "exempt"
EOF
# Exit code 0 only for who sits here, since nobody answers the question. A probe by
# file, because what the console shows is cut at its width.
cat >"$mine/probe" <<'EOF'
#!/bin/sh
/usr/local/libexec/factor-helper check --service vm-seat </dev/null >"$1.said" 2>&1 && where=here || where=elsewhere
echo $where >"$1.new" && mv "$1.new" "$1"
EOF
chmod 755 "$mine/probe" "$mine"
mkdir "$mine/answers"
chmod 1777 "$mine/answers"
answer() { # NAME
	eventually "an answer from $1" test -e "$mine/answers/$1"
	cat "$mine/answers/$1"
}

proves "a login on tty1 sits here"
console_login 1 sara
types 1 "$mine/probe $mine/answers/tty1"
equal "$(answer tty1)" here "tty1"

proves "sudo on tty1 asks for the password alone"
types 1 "sudo -k sh -c 'id -un >$mine/answers/sudo'"
eventually "sudo's question on tty1" shows 1 "password for sara:"
types 1 sarapw
equal "$(answer sudo)" root "what sudo on tty1 ran"

# The rest happens while sara sits at tty1: whoever comes as her from afar must not
# become her who sits there.
in_ssh() { # COMMAND [QUESTION ANSWER]...
	command=$1
	shift
	screen=$(dialogue "$(ssh_to sara) -tt \"$command\"" "$@") || fail "$command: $screen"
}

proves "ssh does not, though it comes from this machine's own address"
in_ssh "$mine/probe $mine/answers/ssh"
equal "$(answer ssh)" elsewhere "ssh"

proves "sudo inside ssh asks for the code"
in_ssh "sudo -k id -un" "password for sara:" sarapw Passcode "$(code_of sara)"
has "$screen" root "what sudo inside ssh ran"
has "$(audited sara)" '"rule":"elsewhere"' "the audit record"

proves "neither does tmux inside ssh"
in_ssh "tmux -L vm new-session '$mine/probe $mine/answers/tmux'"
equal "$(answer tmux)" elsewhere "tmux"

proves "nor a service that ssh starts in the user manager"
in_ssh "systemd-run --user --wait --quiet $mine/probe $mine/answers/manager"
equal "$(answer manager)" elsewhere "systemd-run --user"

proves "nor at, cron or whoever is in no session"
runuser -u sara -- "$mine/probe" "$mine/answers/none"
equal "$(answer none)" elsewhere "no session"

proves "who sits there but has switched away is not at the seat either"
types 1 "sleep 2; until test -e $mine/go; do sleep 0.2; done; $mine/probe $mine/answers/away"
chvt_to 2
: >"$mine/go"
equal "$(answer away)" elsewhere "a console in the background"
chvt_to 1
