#!/bin/sh
# Who sits at this machine, as the real logind says it. A rule with networks =
# ["local"] stands here for all that only the own seat may use: keys in a USB port.
# Takes 75 s.
. /vm/lib

person sara sudo
token sara hotp
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
name = "afar"
services = ["vm-seat"]
callers = ["user"]
networks = ["127.0.0.1/32"]
mode = "exempt"

[[rule]]
name = "nowhere"
services = ["sudo", "vm-seat"]
callers = ["root", "user"]
factors = ["totp"]

[[rule]]
name = "the way to this machine"
services = ["sshd"]
mode = "exempt"
EOF

# The first two rules let in, the third asks, and nobody answers. factord waits for
# logind no longer than 3 seconds, and then knows nothing: so one no is not believed.
# No terminal, or the helper would ask there, and wait.
cat >"$mine/probe" <<'EOF'
#!/bin/sh
verdict=refused
for try in 1 2 3 4 5; do
	setsid --wait /usr/libexec/factor-helper check --service vm-seat </dev/null >/dev/null 2>&1 && { verdict=allowed; break; }
done
echo $verdict >"$1.new"
mv "$1.new" "$1"
EOF
chmod 755 "$mine/probe" "$mine"
mkdir "$mine/answers"
chmod 1777 "$mine/answers"
rule() { audited sara | sed 's/.*"rule":"\([^"]*\)".*/\1/'; }
answer() { # NAME
	eventually "an answer from $1" test -e "$mine/answers/$1"
	cat "$mine/answers/$1"
}
where() { # NAME: which rule was for the probe that left this answer
	case $(answer "$1") in
	allowed) rule ;;
	refused) echo nowhere ;;
	esac
}

proves "a login on tty1 sits here"
console_login 1 sara
types 1 "$mine/probe $mine/answers/tty1"
equal "$(where tty1)" here "tty1"

# Where logind was slow, sudo asks: then that was no proof, and the next try may be.
sudo_on_tty1() { # TRY
	types 1 "clear; sudo -k -p 'password of %u, try $1:' sh -c 'id -un >$mine/answers/sudo$1'"
	eventually "sudo's question on tty1" shows 1 "password of sara, try $1:"
	types 1 sarapw
	eventually "sudo lets in or asks" ran_or_asked "$1"
	[ -e "$mine/answers/sudo$1" ] || types 1 "$(code_of sara)"
	equal "$(answer "sudo$1")" root "what sudo on tty1 ran"
	[ "$(rule)" = here ]
}
ran_or_asked() { test -s "$mine/answers/sudo$1" || shows 1 Passcode; }

proves "sudo on tty1 asks for the password alone"
sudo_on_tty1 1 || sudo_on_tty1 2 || sudo_on_tty1 3 || fail "sudo on tty1 asks for a code: rule \"$(rule)\""

# factord tells of keys only who sits here, and is logged in nowhere else. None is
# plugged in: it is the refusal that tells.
keys_seen() { # NAME: what factorctl keys said there
	eventually "an answer from $1" test -e "$mine/answers/$1"
	case $(cat "$mine/answers/$1") in
	*"only who sits at this machine"*) sed -n 's/.*end session \([^ ]*\) .*/elsewhere: \1/p; t; s/.*hint: log in at.*/refused/p' "$mine/answers/$1" ;;
	*) echo told ;;
	esac
}
cat >"$mine/keys" <<'EOF'
#!/bin/sh
for try in 1 2 3 4 5; do
	factorctl keys >"$1.new" 2>&1 || :
	grep -q "hint: log in at" "$1.new" || break
done
mv "$1.new" "$1"
EOF
chmod 755 "$mine/keys"

proves "keys are for who sits here"
types 1 "$mine/keys $mine/answers/keys1"
equal "$(keys_seen keys1)" told "keys on tty1"

# The rest happens while sara sits at tty1: whoever comes as her from afar must not
# become her who sits there.
in_ssh() { # COMMAND [QUESTION ANSWER]...
	command=$1
	shift
	screen=$(dialogue "$(ssh_to sara) -tt \"$command\"" "$@") || fail "$command: $screen"
}

proves "ssh does not, though it comes from this machine's own address"
in_ssh "$mine/probe $mine/answers/ssh"
equal "$(where ssh)" afar "ssh"

proves "sudo inside ssh asks for the code"
in_ssh "sudo -k id -un" "password for sara:" sarapw Passcode "$(code_of sara)"
has "$screen" root "what sudo inside ssh ran"
equal "$(rule)" nowhere "sudo inside ssh"

proves "tmux inside ssh does not sit here either"
in_ssh "tmux -L vm new-session '$mine/probe $mine/answers/tmux'"
equal "$(where tmux)" afar "tmux"

proves "and a tmux of tty1's that is attached over ssh is no place for a key"
types 1 "tmux -L seat new-session -d; clear"
eventually "tmux runs" runuser -u sara -- tmux -L seat list-sessions
in_ssh "{ sleep 1; tmux -L seat send-keys '$mine/keys $mine/answers/keys2; tmux -L seat detach' Enter; } & loginctl session-status | head -n 1 >$mine/answers/other; tmux -L seat attach"
equal "$(keys_seen keys2)" "elsewhere: $(cut -d' ' -f1 "$mine/answers/other")" "keys in the tmux, attached over ssh"
types 1 "$mine/keys $mine/answers/keys3"
equal "$(keys_seen keys3)" told "keys on tty1, when ssh has ended"

proves "nor does what ssh starts in the user manager"
in_ssh "systemd-run --user --wait --quiet $mine/probe $mine/answers/manager"
equal "$(where manager)" nowhere "systemd-run --user"

proves "nor who is in no session at all"
runuser -u sara -- "$mine/probe" "$mine/answers/none"
equal "$(where none)" nowhere "no session"

proves "nor who sits at tty1 while tty2 is shown"
types 1 "until test -e $mine/away; do sleep 0.2; done; $mine/probe $mine/answers/away"
switch_to 2
at_exit "switch_to 1"
: >"$mine/away"
equal "$(where away)" nowhere "a console in the background"
switch_to 1

proves "and the same console is the seat again when it is shown again"
types 1 "$mine/probe $mine/answers/again"
equal "$(where again)" here "tty1"

# What GNOME and KDE do: a graphical session on a virtual terminal, in which only its
# leader is, and terminals that the user's service manager runs.
proves "sudo in a terminal of a desktop's is at the seat"
pam_service runuser-l <<'EOF'
auth sufficient pam_rootok.so
session required pam_unix.so
session required pam_systemd.so class=user type=wayland
EOF
cat >"$mine/desktop" <<EOF
#!/bin/sh
systemd-run --user --wait --pipe --quiet $mine/keys $mine/answers/keys4
systemd-run --user --wait --pipe --quiet sh -c 'echo sarapw | sudo -k -S id -un' >$mine/answers/desktop.new 2>&1
mv $mine/answers/desktop.new $mine/answers/desktop
EOF
chmod 755 "$mine/desktop"
XDG_SEAT=seat0 XDG_VTNR=3 setsid runuser -l sara -c "until test -e $mine/shown; do sleep 0.2; done; $mine/desktop" </dev/null &
on_tty3() { loginctl list-sessions --no-legend | grep sara | while read -r id rest; do loginctl show-session "$id" -p Type -p VTNr; done | tr '\n' ' ' | grep -q "VTNr=3 Type=wayland"; }
eventually "a desktop on tty3" on_tty3
switch_to 3
at_exit "switch_to 1"
: >"$mine/shown"
equal "$(keys_seen keys4)" told "keys in a desktop's terminal"
has "$(answer desktop)" root "what sudo in a desktop's terminal ran"
equal "$(rule)" here "sudo in a desktop's terminal"
switch_to 1
