# offers.zsh FOLDER LINE...: for each line a line "== LINE", and what zsh offers at its
# end with the completions in a folder. zsh completes in a terminal alone: zpty is one.
zmodload zsh/zpty || exit
zpty shell zsh -f -i

zpty -w shell "fpath=(${(q)1} \$fpath); PROMPT=; source ${(q)0:A:h}/tell.zsh"
zpty -r -m shell text '*<ready>*' || exit
shift
for line; do
	print -r -- "== $line"
	zpty -w -n shell $'\C-u'"$line"$'\t'
	zpty -r -m shell text '*<end>*' || exit
	print -rl -- ${${(M)${(f)${text//$'\r'/}}:#offer *}#offer }
done
