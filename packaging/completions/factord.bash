# bash completion of factord. A test keeps it to the flags of cmd/factord.

_factord() {
	local cur=$2 prev=$3
	# bash makes words of their own of "=" and of what stands behind it.
	[[ $cur == = ]] && cur=''
	[[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
	COMPREPLY=()
	case $prev in
	--state) compopt -o dirnames ;;
	--config | --socket | --usb-socket | --backup | --restore | --new-key-file) compopt -o default ;;
	*) COMPREPLY=($(compgen -W '--config --state --socket --usb-socket --init --check-config --backup --restore --rekey --new-key-file --version --help' -- "$cur")) ;;
	esac
}

complete -F _factord factord
