#!/bin/sh
# Real curl, and requests as other programs write them, on raw sockets.
# shellcheck disable=SC1090,SC1091 # what is sourced is checked by itself
if ! command -v curl >/dev/null || ! command -v bash >/dev/null; then
    echo 'needs curl and bash'
    exit 77
fi
. "$CHECKS/checks.sh"
. ./lib.sh
for subject in waiting answers streams bodies headers methods sockets leaving; do
    . "./$subject.sh"
done
finish curl "$(curl --version | sed -n '1s/^curl \([^ ]*\).*/\1/p')"
