#!/bin/sh
# Sees to it that PostgreSQL's programs are there; the tests start servers of their own with them.
set -eu
for programs in /usr/lib/postgresql/*/bin/initdb; do
    [ -x "$programs" ] && exit 0
done

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    # not an end: the tests that need it fail with this reason, all others run
    echo "PostgreSQL is missing, so the tests that need it will fail: apt-get install postgresql (as root), or leave them out with: make test ARGS=--no-brokers" >&2
    exit 0
fi

echo "Installing PostgreSQL for the tests (the package postgresql; no service is started)..."
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get update -qq
if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null; then
    echo "PostgreSQL could not be installed, so the tests that need it will fail." >&2
fi
