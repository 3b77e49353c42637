#!/bin/sh
# Holds what docs/ tell people to write into the files of other programs against those programs' own schemas: a key that
# they do not know, or a value that they refuse, fails. Nothing of them is run.
#
#   [BUILD=build] sh tests/docs/schemas/run.sh
#
# Installs what it has pinned below $BUILD/schemas; what there is no Python or Node for is left out, and said to be.
# The last line is `N passed, N failed`.
set -eu

BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
here=$(cd "$(dirname "$0")" && pwd)
tools=$BUILD/schemas
n8n=@n8n/n8n-nodes-langchain@2.41.1
passed=0
failed=0

# check WHAT COMMAND…: counts, and says what failed.
check() {
    what=$1
    shift
    if said=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok $what"
    else
        failed=$((failed + 1))
        printf 'not ok %s: %.1500s\n' "$what" "$said"
    fi
}

python_tools() {
    [ -x "$tools/venv/bin/pip" ] || python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$here/requirements.txt"
}

# Of n8n's nodes only what describes them is needed, and none of what they depend on.
node_tools() (
    cp "$here/package.json" "$here/package-lock.json" "$tools" && cd "$tools" || return 1
    npm ci --loglevel=error --ignore-scripts --no-audit --no-fund --no-update-notifier &&
        archive=$(npm pack --loglevel=error --ignore-scripts "$n8n") &&
        tar -xzf "$archive" --strip-components=3 package/dist/types/nodes.json && rm "$archive"
)

# installed NAME COMMAND: installs anew where a pin has changed.
installed() {
    pins=$(cat "$here/package-lock.json" "$here/requirements.txt" "$0" | cksum)
    [ "$(cat "$tools/.$1" 2>/dev/null)" != "$pins" ] || return 0
    "$2" && echo "$pins" >"$tools/.$1"
}

# prepared NAME COMMAND: the same; what does not come counts as failed, and the others are checked nevertheless.
prepared() {
    said=$(installed "$@" 2>&1) && return 0
    failed=$((failed + 1))
    printf 'not ok the tools for %s are installed: %.1500s\n' "$1" "$said"
    return 1
}

# settings PROGRAM HEADING LANGUAGE: is what the page shows below that heading what the program reads?
settings() {
    python3 -B "$here/../snippet.py" docs/use-with.md "$2" "$3" >"$tools/settings" &&
        node "$tools/settings.mjs" "$1" "$tools/settings"
}

mkdir -p "$tools"
cd "$here/../../.."
if python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    if prepared python python_tools; then
        for release in 1.30 1.37; do
            check "Kubernetes $release takes what docs/kubernetes.md shows" \
                "$tools/venv/bin/python" -B "$here/manifests.py" "$release" docs/kubernetes.md
        done
    fi
else
    echo 'left out: Kubernetes (needs Python 3.10 or newer, with venv)'
fi
if command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null; then
    if prepared node node_tools; then
        cp "$here/settings.mjs" "$tools"
        check 'Continue takes its settings' settings continue Continue yaml
        check 'LibreChat takes its settings' settings librechat LibreChat yaml
        check 'n8n knows the node and its parameters' settings n8n n8n json
    fi
else
    echo 'left out: Continue, LibreChat, n8n (need Node 20 or newer, with npm)'
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
