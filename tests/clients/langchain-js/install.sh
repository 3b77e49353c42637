#!/bin/sh
# Installs the pinned LangChain into $TOOLS.
set -eu
if ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null
then
    echo 'needs Node 20 or newer, with npm'
    exit 77
fi
cp "$(dirname "$0")/package.json" "$(dirname "$0")/package-lock.json" "$TOOLS"
cd "$TOOLS"
npm ci --silent --ignore-scripts --no-audit --no-fund --no-update-notifier
