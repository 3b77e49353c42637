#!/bin/sh
# Whatever --help names stands in the manual page and in the shells' completions, and nothing else does.
#
#   sh tests/lint/manual.sh [ROOT]
set -eu
cd "${1:-.}"
[ -e src/main.c ] || exit 0
bad=0

# The options of a text, a line each.
options() {
    grep -o -e '--[a-z][a-z_-]*' | sort -u
}

help=$(sed -n '/^static const char HELP/,/;$/p' src/main.c | options)
page=$(sed -n 's/\\-/-/g; s/^\.It.*Fl -/--/p' packaging/man/replibridge.1 | options)

# compare NAME TEXT
compare() {
    difference=$(printf '%s\n%s\n' "$help" "$2" | sort | uniq -u)
    if [ -n "$difference" ]; then
        echo "$1: differs from --help of src/main.c in: $(echo "$difference" | tr '\n' ' ')"
        bad=1
    fi
}

compare packaging/man/replibridge.1 "$page"
for file in packaging/completion/replibridge.bash packaging/completion/_replibridge; do
    compare "$file" "$(options <"$file")"
done
exit $bad
