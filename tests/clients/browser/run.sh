#!/bin/sh
# A page in Chromium. Modules are looked for beside the file that imports them, hence the copy.
set -eu
command -v chromium >/dev/null || { echo 'needs chromium' && exit 77; }
cp ./*.mjs page.html "$CHECKS/checks.mjs" "$SCRATCH"
ln -s "$TOOLS/node_modules" "$SCRATCH/node_modules"
exec node "$SCRATCH/main.mjs"
