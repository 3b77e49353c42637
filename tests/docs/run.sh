#!/bin/sh
# Runs what the README and docs/ tell people to run, against the daemon and a simulated Replicate.
#
#   [BUILD=build] sh tests/docs/run.sh [FILE.md…]
#
# The last line is `N passed, N failed`.
set -eu
cd "$(dirname "$0")/../.."

BUILD=${BUILD:-build}
for program in "$BUILD/replibridge" "$BUILD/replicate-sim"; do
    [ -x "$program" ] || { echo "left out: tests/docs ($program is not built)" && echo '0 passed, 0 failed' && exit 0; }
done
for tool in python3 curl; do
    command -v "$tool" >/dev/null || { echo "left out: tests/docs (needs $tool)" && echo '0 passed, 0 failed' && exit 0; }
done
export BUILD PYTHONDONTWRITEBYTECODE=1
exec python3 tests/docs/check.py "$@"
