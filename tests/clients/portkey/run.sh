#!/bin/sh
# Portkey's gateway in front of the daemon. Modules are looked for beside the file that imports them, hence the copy.
set -eu
cp ./*.mjs "$CHECKS/checks.mjs" "$CHECKS/loopback.mjs" "$SCRATCH"
ln -s "$TOOLS/node_modules" "$SCRATCH/node_modules"
exec node "$SCRATCH/main.mjs"
