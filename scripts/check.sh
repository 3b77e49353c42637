#!/bin/sh
# All tests, on a machine that may have nothing yet, not even make: installs what is missing, then `make check`.
#
#   sh scripts/check.sh [SAN=asan|SAN=tsan]
set -eu
cd "$(dirname "$0")/.."
sh scripts/install-dependencies.sh test
exec make check -j"$(nproc)" "$@"
