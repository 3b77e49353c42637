#!/bin/sh
# Installs the pinned LiteLLM with its proxy into a virtual environment in $TOOLS.
set -eu
python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
    echo 'needs Python 3.11 or newer, with venv'
    exit 77
}
python3 -m venv "$TOOLS/venv"
"$TOOLS/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$(dirname "$0")/requirements.txt"
