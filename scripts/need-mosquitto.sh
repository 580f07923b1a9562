#!/bin/sh
# Sees to it that Mosquitto's programs are there; the tests start brokers of their own with them.
set -eu
PATH="$PATH:/usr/sbin:/usr/local/sbin"
command -v mosquitto >/dev/null 2>&1 && command -v mosquitto_passwd >/dev/null 2>&1 && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    # not an end: the tests that need it fail with this reason, all others run
    echo "Mosquitto is missing, so the tests that need it will fail: apt-get install mosquitto (as root), or leave them out with: make test ARGS=--no-brokers" >&2
    exit 0
fi

echo "Installing Mosquitto for the tests (the package mosquitto; no service is started)..."
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get update -qq
if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mosquitto >/dev/null; then
    echo "Mosquitto could not be installed, so the tests that need it will fail." >&2
fi
