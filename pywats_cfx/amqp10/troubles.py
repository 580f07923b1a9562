"""What went wrong with a broker over AMQP 1.0, and what a person can do about it."""

from __future__ import annotations

from typing import Final

from pywats_cfx.amqp.troubles import (
    BrokerGone,
    acknowledgement_timeout,
    explain_connection,
    refuses_user,
    refuses_virtual_host,
)
from pywats_cfx.amqp10 import ProtonMissing
from pywats_cfx.amqp10.errors import LoginRefused, NotAmqp10, ProtocolError, RemoteError
from pywats_cfx.amqp10.watching import BrokerDeaf, LinkDead
from pywats_cfx.config import AMQPConfig
from pywats_events.transports.brokers import lost

#: RabbitMQ 3 describes its internal errors by pages of its own state.
_LONGEST: Final = 200
_NO_ACCESS: Final = "amqp:unauthorized-access"


class NotPrepared(Exception):  # noqa: N818  # says what happened
    """Exchange, queue or bindings are not as configured and can't be made so; the text says why."""


def is_acknowledgement_timeout(error: BaseException) -> bool:
    """Tell whether the broker lost patience with messages that we hold and have not acknowledged."""
    return (
        isinstance(error, RemoteError)
        and "timed out" in error.description
        and "acknowledge" in error.description
    )


def explain(error: BaseException, config: AMQPConfig) -> str:  # noqa: PLR0911  # an answer for each
    """Say in one line what happened and what to do. Names the broker, never the password."""
    match error:
        case LoginRefused():
            return _login(error, config)
        case NotAmqp10():
            return _other_protocol(error, config)
        case RemoteError():
            return _remote(error, config)
        case ProtocolError():
            return _protocol(error, config)
        case LinkDead():
            return (
                f"{config.broker} does not answer on our link any more, only elsewhere: "
                f"{_read_from(config)} was deleted or moved, or what served us there died"
            )
        case BrokerDeaf():
            return f"{config.broker} gives signs of life and answers nothing ({error}): is it overloaded?"
        case NotPrepared() | ProtonMissing():
            return str(error)
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return explain_connection(cause, config) or lost(cause, config)


def _read_from(config: AMQPConfig) -> str:
    return f'queue "{config.queue}"' if config.address is None else f'address "{config.address}"'


def _login(error: LoginRefused, config: AMQPConfig) -> str:
    broker = config.broker
    match error.mechanism:
        case "PLAIN":
            return refuses_user(config)
        case "EXTERNAL":
            return (
                f"{broker} does not know the owner of our certificate (SASL EXTERNAL): "
                "create the user that it names there, or check cert_file"
            )
        case "ANONYMOUS":
            return f"{broker} refuses a login without a user: set username and password"
    offered = ", ".join(error.offered) or "nothing"
    return (
        f"{broker} does not take a login by SASL {config.mechanism}, it offers {offered}: allow it in the "
        "broker, or set sasl to another one"
    )


def _other_protocol(error: NotAmqp10, config: AMQPConfig) -> str:
    if error.speaks_091:
        return (
            f"{config.broker} speaks AMQP 0-9-1 only: enable the plugin rabbitmq_amqp1_0 "
            'or set protocol = "0-9-1"'
        )
    if not error.answer:
        return (
            f"{config.broker} closed the connection without a word: check port and tls; a RabbitMQ 3 "
            "may lack the plugin rabbitmq_amqp1_0"
        )
    return f"{config.broker} does not speak AMQP 1.0: check the port (and tls)"


def _protocol(error: ProtocolError, config: AMQPConfig) -> str:
    if "idle-timeout" in error.description:
        return lost(BrokerGone(f"no sign of life (heartbeat {config.heartbeat} s)"), config)
    return (
        f"{config.broker} broke the protocol ({error}), so the connection was ended: what listens there, "
        "or stands between, does not speak AMQP 1.0 as it should"
    )


def _remote(error: RemoteError, config: AMQPConfig) -> str:  # noqa: C901, PLR0911  # an answer for each
    broker = config.broker
    description = " ".join(error.description.split())[:_LONGEST]
    said = ": ".join(part for part in (error.condition, description) if part)
    if is_acknowledgement_timeout(error):
        return acknowledgement_timeout(config)
    if error.scope == "connection":
        if error.condition == _NO_ACCESS:
            return refuses_virtual_host(config)
        return f"{broker} closed the connection: {said or 'no reason given'}"
    match error.condition:
        case "amqp:internal-error" if error.description == "shutdown":
            return f"{broker} closed the connection: it shuts down"
        case "":
            return f'{broker} ended our link: queue "{config.queue}" was deleted or moved'
        case condition if condition == _NO_ACCESS:
            return (
                f'{broker} refuses access to user "{config.username}" ({said}): give it read permission on '
                "the queue, and write permission on the exchange that it publishes to"
            )
        case "amqp:not-found":
            return f"{broker}: queue or exchange is missing ({said}): create it, or check queue and address"
        case "amqp:resource-deleted":
            return f"{broker} ended our link: what it was attached to was deleted or moved ({said})"
        case "amqp:resource-locked":
            return (
                f'{broker}: another connection holds queue "{config.queue}" for itself ({said}): end that one'
            )
        case "amqp:precondition-failed":
            return (
                f"{broker}: what is there has other settings than the address asks for ({said}): "
                f"check address, and durable, which is {str(config.durable).lower()}"
            )
        case "amqp:invalid-field":
            return f"{broker} does not understand an address ({said}): check address and publish_address"
    return f"{broker} refused or ended what we do ({error.scope}): {said}"
