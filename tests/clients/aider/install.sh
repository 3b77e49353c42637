#!/bin/sh
# Installs the pinned aider into a virtual environment in $TOOLS.
set -eu
python3 -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null || {
    echo 'needs Python 3.10, 3.11 or 3.12, with venv'
    exit 77
}
python3 -m venv "$TOOLS/venv"
"$TOOLS/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$(dirname "$0")/requirements.txt"
