#!/bin/sh
# Installs the pinned Playwright, which drives the browser, and the OpenAI SDK, which runs in it, into $TOOLS. Chromium
# itself is Debian's: it is installed where that is possible.
set -eu
if ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null; then
    echo 'needs Node 20 or newer, with npm'
    exit 77
fi
if ! command -v chromium >/dev/null; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo 'needs chromium'
        exit 77
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    if ! apt-get install -y -qq --no-install-recommends chromium; then
        echo 'needs chromium, which could not be installed'
        exit 77
    fi
fi
cp "$(dirname "$0")/package.json" "$(dirname "$0")/package-lock.json" "$TOOLS"
cd "$TOOLS"
npm ci --silent --no-audit --no-fund --no-update-notifier
