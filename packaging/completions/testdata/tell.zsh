# Read by the shell of offers.zsh: says what it is about to offer.
autoload -Uz compinit && compinit -u -D
bindkey -e
bindkey '^I' complete-word
unsetopt auto_list auto_menu beep
zstyle ':completion:*' completer _complete

compadd() {
	local -a fit
	if ((${argv[(I)-[OAD]]})); then # zsh's own functions ask what fits
		builtin compadd "$@"
		return
	fi
	builtin compadd -O fit "$@"
	(($#fit)) && print -rl -- '' "offer "$^fit
	builtin compadd "$@"
}

_tell_end() {
	print -r -- $'\n<end>'
	comppostfuncs=(_tell_end) # each is called once
}
comppostfuncs=(_tell_end)
print -r -- '<re''ady>' # not as the terminal echoes this line
