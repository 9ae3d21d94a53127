# offers.fish FOLDER LINE...: for each line a line "== LINE", and what fish offers at its
# end with the completions in a folder.
for file in $argv[1]/*.fish
    source $file
end
for line in $argv[2..-1]
    echo "== $line"
    complete -C $line
end
