#!/bin/sh
# Which room may include which: a file sees its own room and the rooms below it. The siblings openai and replicate
# never see each other; they meet in the server.
#
#   sh tests/lint/layers.sh [ROOT]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-.}"

find src include -name '*.[ch]' -exec awk -v keep_strings=1 -f "$here/strip.awk" {} + | awk '
    BEGIN {
        may["base"] = " base "
        may["config"] = " config base "
        may["openai"] = " openai config base "
        may["replicate"] = " replicate base "
        may["manual.c"] = " config base "
        may["server"] = may["main.c"] = " server openai replicate config base "
    }
    function complain(text) { print file ":" line ": " text; bad = 1 }
    {
        file = $0; sub(/:.*/, "", file)
        rest = substr($0, length(file) + 2)
        line = rest; sub(/:.*/, "", line)
        text = substr(rest, length(line) + 2)
        split(file, parts, "/")
        room = parts[2]
    }
    !(room in may) && !(room in told) { told[room] = 1; complain("there is no room \"" room "\"") }
    text ~ /^[ \t]*#[ \t]*include[ \t]*"/ {
        path = text
        sub(/^[^"]*"/, "", path)
        sub(/".*/, "", path)
        if (path ~ /(^|\/)\.\.\//)
            complain("\"" path "\" climbs out of its folder")
        else if (path ~ /\//) {
            to = path
            sub(/\/.*/, "", to)
            if (index(may[room], " " to " ") == 0)
                complain("the room \"" room "\" may not include \"" path "\"")
        }
    }
    END { exit bad }'
