#!/bin/sh
# The official OpenAI SDK for Go.
set -eu
# shellcheck source=tests/clients/go/env.sh
. ./env.sh
GOPROXY=off go build -o "$SCRATCH/checks" .
exec "$SCRATCH/checks"
