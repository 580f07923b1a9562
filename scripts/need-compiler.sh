#!/bin/sh
# Sees to it that python-qpid-proton (AMQP 1.0) can be compiled: it comes as source only.
set -eu
python=$1

"$python" -c 'import proton' 2>/dev/null && exit 0

missing=
command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || missing="gcc libc6-dev"
header=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include") + "/Python.h")')
[ -e "$header" ] || missing="$missing python3-dev"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "AMQP 1.0 needs python-qpid-proton, which is compiled on installation, and a C compiler or Python's headers are missing; install them first: apt-get install$(printf ' %s' $missing) (as root)." >&2
    exit 1
fi
echo "Installing a C compiler and Python's headers for python-qpid-proton ($missing)..."
apt-get update -qq
# shellcheck disable=SC2086  # several packages
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
