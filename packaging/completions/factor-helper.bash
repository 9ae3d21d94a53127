# bash completion of factor-helper. A test keeps it to the verbs and flags of helper.

_factor_helper() {
	local cur=$2 prev=$3
	# bash makes words of their own of "=" and of what stands behind it.
	[[ $cur == = ]] && cur=''
	[[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
	COMPREPLY=()
	case $prev in
	--socket) compopt -o default ;;
	--service) COMPREPLY=($(cd /etc/pam.d 2>/dev/null && compgen -f -- "$cur")) ;;
	*) COMPREPLY=($(compgen -W 'pam ssh check --socket --service --version --help' -- "$cur")) ;;
	esac
}

complete -F _factor_helper factor-helper
