#!/bin/sh
# Installs the pinned gateway of Portkey, and the OpenAI SDK to ask it with, into $TOOLS. The gateway's newest web
# server is not installed: with it, on Node 20, each of the gateway's streams ends as a 500 of the gateway's own.
set -eu
if ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null; then
    echo 'needs Node 20 or newer, with npm'
    exit 77
fi
cp "$(dirname "$0")/package.json" "$(dirname "$0")/package-lock.json" "$TOOLS"
cd "$TOOLS"
npm ci --silent --no-audit --no-fund --no-update-notifier
