#!/bin/sh
# Downloads the pinned modules and compiles them, so that run.sh needs neither the network nor much time.
set -eu
cd "$(dirname "$0")"
wanted=$(sed -n 's/^go 1\.\([0-9]*\).*/\1/p' go.mod)
found=$(go env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
if [ "${found:-0}" -lt "$wanted" ]; then
    echo "needs Go 1.$wanted or newer"
    exit 77
fi
# shellcheck source=tests/clients/go/env.sh
. ./env.sh
go mod download
go build -o "$TOOLS/built" .
