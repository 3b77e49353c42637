#!/bin/sh
# The official OpenAI SDK for Node. Modules are looked for beside the file that imports them, hence the copy.
set -eu
cp ./*.mjs "$CHECKS/checks.mjs" "$SCRATCH"
ln -s "$TOOLS/node_modules" "$SCRATCH/node_modules"
exec node "$SCRATCH/main.mjs"
