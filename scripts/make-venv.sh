#!/bin/sh
# Makes the virtual environment, and says in one line what is missing where it can't.
set -eu
venv=$1

python=
for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
    [ -n "$candidate" ] || continue
    if command -v "$candidate" >/dev/null 2>&1 &&
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "pywats-bridge needs Python 3.11 or later; install it (Debian: apt-get install python3) or set PYTHON=/path/to/python." >&2
    exit 1
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "Installing Python's venv module (python3-venv)..."
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
    else
        echo "Python's venv module is missing; install it first: apt-get install python3-venv (as root)." >&2
        exit 1
    fi
fi

rm -rf "$venv"
"$python" -m venv "$venv"
