"""What can go wrong with a broker over either version of AMQP, and what a person can do about it."""

from __future__ import annotations

from pywats_cfx.amqp.tls import HandshakeWasted, KeyNotPinned
from pywats_cfx.config import AMQPConfig
from pywats_events.transports.brokers import explain_network, refuses_certificate


class BrokerGone(Exception):  # noqa: N818  # says what happened
    """The connection ended without a word."""


class IntakeFailed(Exception):  # noqa: N818  # says what happened
    """Taking a message in failed with an error that nobody expected."""


class PublishFailed(Exception):  # noqa: N818  # says what happened
    """A message was not published, or it is not known whether it was; the text says why and what to do."""


class BrokerUnfit(Exception):  # noqa: N818  # says a state
    """The broker can't be used; the text says why and what to do."""


def explain_connection(error: BaseException, config: AMQPConfig) -> str | None:
    """Say in one line what keeps us from the broker. None: it has nothing to do with the network or TLS."""
    broker = config.broker
    match error:
        case KeyNotPinned():
            return (
                f"{broker}: its public key is not pinned (SHA-256 {error.pin}): if that is the broker's new "
                "key, add it to public_key_pins; if not, somebody else answers in its place"
            )
        case HandshakeWasted():
            return refuses_certificate(error, config)
        case IntakeFailed():
            return (
                f"a message could not be taken in: {error}; this is a fault of the program, please report it"
            )
    return explain_network(error, config)


def without_name(said: str, config: AMQPConfig) -> str:
    """Leave the broker's name out of the beginning of what was said, for a line that has named it."""
    rest = said.removeprefix(config.broker)
    return said if rest == said else rest.lstrip(": ")


def refuses_user(config: AMQPConfig) -> str:
    """Say that user or password are wrong."""
    return (
        f'{config.broker} refuses user "{config.username}": check username and password '
        "(the user guest is refused from other machines)"
    )


def refuses_virtual_host(config: AMQPConfig) -> str:
    """Say that the virtual host is not for us."""
    return (
        f'{config.broker} refuses virtual host "{config.virtual_host}" to user "{config.username}": '
        "check virtual_host, create it, give the user permissions, or raise the limit of connections"
    )


def acknowledgement_timeout(config: AMQPConfig) -> str:
    """Say that the broker lost patience with a message that we hold."""
    return (
        f"{config.broker}: a message was not acknowledged within the broker's consumer_timeout; it is "
        "delivered again. Raise consumer_timeout there if a destination may be down for longer"
    )
