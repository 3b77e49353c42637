#!/bin/sh
# Calls that this code does without (they write past ends, take no errors, or hide a wait), and notes of unfinished work.
#
#   sh tests/lint/banned.sh [ROOT]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-.}"
bad=0

calls='v?sprintf|strcpy|strcat|strncpy|gets|ato(i|l|ll|f)|strtok|u?sleep|alloca|localtime|gmtime|asctime|ctime|rand'
# New in jansson 2.14; Ubuntu 22.04 has 2.13.
calls="$calls|json_object_(getn|setn(_new)?(_nocheck)?|deln|keylen_foreach)"
find src include tests -name '*.[ch]' -exec awk -f "$here/strip.awk" {} + |
    awk -v calls="(^|[^A-Za-z0-9_])($calls)[ \t]*\\\\(" '
        {
            place = $0
            match(place, /^[^:]*:[0-9]*:/)
            text = substr(place, RLENGTH + 1)
            place = substr(place, 1, RLENGTH)
        }
        match(text, calls) { print place " banned call: " substr(text, RSTART, RLENGTH) "...)"; bad = 1 }
        END { exit bad }' || bad=1

# The words are put together here so that this file does not hold them.
words="TO""DO|FIX""ME|XX""X"
found=$(find src include tests scripts Makefile .ci -type f -exec \
    grep -nHIE "(^|[^A-Za-z0-9_])($words)([^A-Za-z0-9_]|$)" {} + 2>/dev/null || true)
if [ -n "$found" ]; then
    echo "$found"
    echo "unfinished work belongs in the tracker, not in a comment"
    bad=1
fi
exit "$bad"
