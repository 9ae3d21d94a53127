# bash completion of factorctl. A test keeps it to the verbs and flags of cmd/factorctl.

# Users whose names are no more than a word to the shell: a directory may have any.
_factorctl_users() { compgen -u -X '*[!A-Za-z0-9._@-]*' -- "$1"; }

_factorctl() {
	local cur=$2 prev=$3 verb='' first='' arguments=0 valued=0 i words=''
	# bash makes words of their own of "=" and of what stands behind it.
	[[ $cur == = ]] && cur=''
	[[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}

	for ((i = 1; i < COMP_CWORD; i++)); do
		if ((valued)); then
			[[ ${COMP_WORDS[i]} == = ]] || valued=0
			continue
		fi
		case ${COMP_WORDS[i]} in
		--json | --help | --version | --no-confirm | --no-presence | --check | --first | --follow | --refusals) ;;
		--*) valued=1 ;;
		-*) ;;
		=) valued=1 ;;
		*)
			if [[ $verb ]]; then
				((++arguments))
				first=${first:-${COMP_WORDS[i]}}
			else
				verb=${COMP_WORDS[i]}
			fi
			;;
		esac
	done

	COMPREPLY=()
	case $prev in
	--user | --ruser)
		COMPREPLY=($(_factorctl_users "$cur"))
		return
		;;
	--socket | --secret-file | --private-id-file | --aes-key-file | --users | --verify-file)
		compopt -o default
		return
		;;
	--service)
		COMPREPLY=($(cd /etc/pam.d 2>/dev/null && compgen -f -- "$cur"))
		return
		;;
	--algorithm) words='SHA1 SHA256 SHA512' ;;
	--digits) words='6 7 8' ;;
	--slot) words='1 2 9a 9c 9d 9e' ;;
	--verification) words='pin built-in' ;;
	--factor) words='yubico fido2' ;;
	--caller) words='root user' ;;
	--verdict) words='allow deny wrong' ;;
	--kind) words='verdict answer sent enroll remove unlock bypass invite forget resync import restore rekey' ;;
	--for) words='15m 1h 24h 3d' ;;
	--since) words='1h 12h 1d 7d' ;;
	--name | --period | --look-ahead | --counter | --prefix | --public-id | --serial | --scan-map | --rhost | --origin | --last)
		return
		;;
	esac
	if [[ $words ]]; then
		COMPREPLY=($(compgen -W "$words" -- "$cur"))
		return
	fi

	if [[ $cur == -* ]]; then
		case $verb in
		enroll)
			case $first in
			totp) words='--user --name --no-confirm --secret-file --algorithm --digits --period' ;;
			hotp) words='--user --name --no-confirm --secret-file --algorithm --digits --look-ahead --counter --prefix' ;;
			backup) words='--user --name' ;;
			yubico) words='--user --name --no-confirm --public-id --private-id-file --aes-key-file' ;;
			touch) words='--user --name --serial --scan-map --public-id --private-id-file --aes-key-file' ;;
			hmac) words='--user --name --slot --serial --secret-file --no-presence' ;;
			piv) words='--user --name --slot --serial --no-presence' ;;
			fido2) words='--user --name --serial --verification' ;;
			duo) words='--user' ;;
			*)
				words='--user --name --no-confirm --secret-file --algorithm --digits --period --look-ahead --counter --prefix
					--public-id --private-id-file --aes-key-file --slot --serial --verification --scan-map --no-presence'
				;;
			esac
			;;
		list | remove | resync | forget | unlock) words='--user' ;;
		test) words='--user --service --rhost --first' ;;
		explain) words='--user --service --rhost --ruser --caller' ;;
		invite | bypass) words='--user --for' ;;
		import) words='--user --users --factor --origin' ;;
		audit) words='--user --service --verdict --kind --since --last --follow --refusals --verify-file' ;;
		status) words='--check' ;;
		'') words='--version' ;;
		esac
		words+=' --json --help'
		[[ $verb =~ ^(demo|check-config|completion)$ ]] || words+=' --socket'
		COMPREPLY=($(compgen -W "$words" -- "$cur"))
		return
	fi

	case $verb$arguments in
	0 | help0) words='enroll list remove forget resync test keys explain invite bypass import unlock audit status check-config demo completion help' ;;
	enroll0) words='totp hotp backup yubico touch hmac piv fido2 duo' ;;
	completion0) words='bash zsh fish' ;;
	import0 | check-config0) compopt -o default ;;
	list0 | forget0 | unlock0 | invite0 | bypass0 | remove1 | resync1) COMPREPLY=($(_factorctl_users "$cur")) ;;
	esac
	[[ -z $words ]] || COMPREPLY=($(compgen -W "$words" -- "$cur"))
}

complete -F _factorctl factorctl
