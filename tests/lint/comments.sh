#!/bin/sh
# Every file opens with a comment that says what it is for.
#
#   sh tests/lint/comments.sh [ROOT]
set -eu
cd "${1:-.}"

find src include tests -name '*.[ch]' -exec awk '
    FNR == 1 && $0 !~ /^\/\*[ \t]*[^ \t*]/ { print FILENAME ":1: the file does not open with a comment that says what it is for"; bad = 1 }
    END { exit bad }' {} +
