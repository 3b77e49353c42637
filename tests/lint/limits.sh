#!/bin/sh
# Sizes: files of at most 500 lines (tests too), and in src and include functions of at most 60 lines with at most 5
# parameters and at most 3 levels of nesting. The `struct error *` that may end a signature is not counted, nor are
# callbacks whose signature libmicrohttpd dictates. It leans on the layout that .clang-format prescribes: a function's
# braces stand in the first column, and each level of nesting is four spaces.
#
#   sh tests/lint/limits.sh [ROOT]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-.}"
bad=0

for folder in src include tests; do
    [ ! -d "$folder" ] || find "$folder" -name '*.[ch]' -exec awk '
        FNR == 1 && last > 500 { print file ":501: the file has " last " lines, more than 500"; bad = 1 }
        { file = FILENAME; last = FNR }
        END {
            if (last > 500) { print file ":501: the file has " last " lines, more than 500"; bad = 1 }
            exit bad
        }' {} + || bad=1
done

find src include -name '*.[ch]' -exec awk -f "$here/strip.awk" {} + | awk '
    function complain(at, text) { print file ":" at ": " text; bad = 1 }
    # How many parameters the first parenthesis after the name holds; commas of inner ones do not count.
    function parameters(signature,    i, c, depth, commas, seen) {
        if (signature ~ /enum MHD_Result /) return 0
        sub(/, *struct error \*err *\) *$/, ")", signature)
        for (i = index(signature, "("); i <= length(signature); i++) {
            c = substr(signature, i, 1)
            if (c == "(") depth++
            else if (c == ")" && --depth == 0) break
            else if (c == "," && depth == 1) commas++
            else if (c != " ") seen = 1
        }
        return seen ? commas + 1 : 0
    }
    {
        name = $0; sub(/:.*/, "", name)
        if (name != file) { file = name; signature = ""; inside = 0; begins = 0 }
        rest = substr($0, length(file) + 2)
        line = rest; sub(/:.*/, "", line)
        text = substr(rest, length(line) + 2)
        sub(/[ \t]+$/, "", text)
    }
    !inside && text ~ /^[A-Za-z_].*\)[ \t]*\{$/ { complain(line, "the brace of a function stands on its own line") }
    !inside && text == "{" {
        inside = 1
        if (parameters(signature) > 5) complain(begins, "the function has " parameters(signature) " parameters, more than 5")
        next
    }
    !inside {
        if (text ~ /^#/ || text ~ /[;}]$/ || text == "") { signature = ""; begins = 0 }
        else { if (!begins) begins = line; signature = signature " " text }
        next
    }
    text ~ /^}/ {
        if (line - begins + 1 > 60) complain(begins, "the function has " line - begins + 1 " lines, more than 60")
        inside = 0; signature = ""; begins = 0
        next
    }
    text ~ /^                +(if|for|while|switch|do)([ \t({]|$)/ || text ~ /^\t/ {
        if (text ~ /^\t/) complain(line, "a tab: lines are indented with spaces")
        else complain(line, "nested more than 3 levels deep")
    }
    END { exit bad }' || bad=1
exit "$bad"
