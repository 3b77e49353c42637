#!/bin/sh
# The repository makes sense alone: nothing in it names a path of the machine it was written on, or a folder beside it.
#
#   sh tests/lint/workplace.sh [ROOT]
set -eu
cd "${1:-.}"

# The paths are put together here so that this file does not hold them.
paths="\.\./""shared|(^|[^A-Za-z0-9_.-])/""work/"
found=$(find . \( -name .git -o -name 'build*' \) -prune -o -type f -exec grep -nHIE "$paths" {} + || true)
if [ -n "$found" ]; then
    echo "$found"
    echo "a path that only one machine has"
    exit 1
fi
