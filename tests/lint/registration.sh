#!/bin/sh
# No test is written and then forgotten: every START_TEST is added to a TCase of its file, and every file with tests is
# named and placed so that `make check` builds it.
#
#   sh tests/lint/registration.sh [ROOT]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-.}"

find tests -name '*.c' -exec awk -f "$here/strip.awk" {} + | awk '
    function complain(at, text) { print file ":" at ": " text; bad = 1 }
    function finish(    name) {
        gsub(/[ \t]+/, " ", all)
        for (name in tests)
            if (all !~ ("tcase_add_[a-z_]*\\( ?[^,;]*, ?" name " ?[,)]"))
                complain(tests[name], "the test " name " is added to no TCase")
        if (first && file !~ /^tests\/(unit|golden|machine|exchange|e2e)\/test_[a-z0-9_]*\.c$/)
            complain(first, "tests live in tests/{unit,golden,machine,exchange,e2e}/test_*.c: this file is not built")
        split("", tests)
        all = ""
        first = 0
    }
    {
        name = $0; sub(/:.*/, "", name)
        if (name != file) { if (file != "") finish(); file = name }
        rest = substr($0, length(file) + 2)
        line = rest; sub(/:.*/, "", line)
        text = substr(rest, length(line) + 2)
        all = all " " text
    }
    match(text, /START_TEST[ \t]*\([ \t]*[A-Za-z0-9_]+/) {
        name = substr(text, RSTART, RLENGTH)
        sub(/.*[( \t]/, "", name)
        tests[name] = line
        if (!first) first = line
    }
    END { if (file != "") finish(); exit bad }'
