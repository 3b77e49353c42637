#!/bin/sh
# docs/troubleshooting.md explains every kind of error of include/base/error.h, with its status and its code, and no other.
#
#   sh tests/lint/errors.sh [ROOT]
set -eu
cd "${1:-.}"
[ -e include/base/error.h ] || exit 0

# A line each: kind, status, code.
table=$(sed -n 's/^ *X(\([A-Z_]*\), \([0-9]*\), "[a-z_]*", \(NULL\|"[a-z_]*"\),.*/\1 \2 \3/p' include/base/error.h |
    tr -d '"' | awk '{ print tolower($1), $2, $3 }' | sort)
# shellcheck disable=SC2016 # the backquotes are the page's
page=$(sed -n 's/^| `\([a-z_]*\)` | \([0-9]*\) | \([^|]*\) |.*/\1 \2 \3/p' docs/troubleshooting.md | tr -d '`' |
    sed 's/ –$/ NULL/' | sort)

difference=$(printf '%s\n%s\n' "$table" "$page" | sort | uniq -u)
if [ -z "$table" ] || [ -n "$difference" ]; then
    echo "docs/troubleshooting.md and include/base/error.h differ in: $(echo "$difference" | tr '\n' ';')"
    exit 1
fi
