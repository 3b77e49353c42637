#!/bin/sh
# Fetches the pinned OpenAI SDK and what it needs into $TOOLS/lib.
set -eu
cd "$(dirname "$0")"
release=$(javac -version 2>/dev/null | sed -n 's/^javac \([0-9]*\).*/\1/p')
if [ "${release:-0}" -lt 17 ]; then
    echo 'needs a JDK, 17 or newer'
    exit 77
elif ! command -v mvn >/dev/null; then
    echo 'needs Maven'
    exit 77
fi
mvn --batch-mode --quiet -Dmaven.repo.local="$TOOLS/repository" \
    dependency:copy-dependencies -DoutputDirectory="$TOOLS/lib"
rm -rf "$TOOLS/repository"
