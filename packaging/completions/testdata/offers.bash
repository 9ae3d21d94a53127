# offers.bash FOLDER LINE...: for each line a line "== LINE", and what bash offers at its
# end with the completions in a folder.
folder=$1
shift

# bash lets it be called only while it completes.
compopt() { by=$2; }

for line; do
	echo "== $line"
	source "$folder/${line%% *}.bash"
	# As COMP_WORDBREAKS would have it.
	read -ra COMP_WORDS <<<"${line//=/ = }"
	[[ $line != *' ' ]] || COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) by=''
	name=$(complete -p "${line%% *}") name=${name% *} name=${name##* }
	"$name" "${line%% *}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	case $by in
	default) mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}") ;;
	dirnames) mapfile -t COMPREPLY < <(compgen -d -- "${COMP_WORDS[COMP_CWORD]}") ;;
	esac
	printf '%s\n' "${COMPREPLY[@]}"
done
