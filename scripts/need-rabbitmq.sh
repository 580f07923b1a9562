#!/bin/sh
# Sees to it that RabbitMQ's programs are there; the tests start brokers of their own with them.
set -eu
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    # not an end: the tests that need it fail with this reason, all others run
    echo "RabbitMQ is missing, so the tests that need it will fail: apt-get install rabbitmq-server (as root), or leave them out with: make test ARGS=--no-brokers" >&2
    exit 0
fi

echo "Installing RabbitMQ for the tests (the package rabbitmq-server; no service is started)..."
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get update -qq
if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends rabbitmq-server >/dev/null; then
    echo "RabbitMQ could not be installed, so the tests that need it will fail." >&2
fi
