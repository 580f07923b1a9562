"""What went wrong with the broker, and what a person can do about it."""

from __future__ import annotations

import asyncio
from typing import Final

from aiormq import exceptions as amqp

from pywats_cfx.amqp.troubles import (
    BrokerGone,
    acknowledgement_timeout,
    explain_connection,
    refuses_user,
    refuses_virtual_host,
)
from pywats_cfx.config import AMQPConfig
from pywats_events.transports.brokers import lost

#: What the library says when the other side answers with the header of another version of AMQP.
_OTHER_AMQP: Final = "Unexpected AMQP protocol header"


class ConsumerCancelled(Exception):  # noqa: N818  # says what happened
    """The broker ended our consumer: its queue is gone, or moved."""


class UnreadableFrame(Exception):  # noqa: N818  # says what happened
    """The library failed on what the broker sent, in a way that it has no name for."""


class VirtualHostRefused(Exception):  # noqa: N818  # says what happened
    """The broker took user and password, and refused the virtual host."""


def of_connection(reason: BaseException | None, config: AMQPConfig) -> Exception:
    """Give the error that stands for what a connection or channel says at its end."""
    if reason is None or isinstance(reason, asyncio.CancelledError):
        # what the library says when no heartbeat came
        return BrokerGone(f"no sign of life (heartbeat {config.heartbeat} s)")
    if isinstance(reason, amqp.AMQPError | OSError | RuntimeError) and isinstance(reason, Exception):
        return reason
    unreadable = UnreadableFrame(f"{type(reason).__name__}: {reason}")
    unreadable.__cause__ = reason
    return unreadable


def is_unreadable(error: BaseException) -> bool:
    """Tell whether a connection ended because of a message that AMQP 0-9-1 can't carry.

    The broker closes with 541 when it can't write such a message; where it can, the library fails on the
    frame. A network that fails shows as ``OSError``, a broker that shuts down as another AMQP error.
    """
    return isinstance(error, amqp.InvalidFrameError | amqp.ConnectionInternalError | UnreadableFrame)


def is_acknowledgement_timeout(error: BaseException) -> bool:
    """Tell whether the broker lost patience with messages that we hold and have not acknowledged."""
    return isinstance(error, amqp.ChannelPreconditionFailed) and "timed out" in _said(error)


def blocked(config: AMQPConfig) -> str:
    """Say that the message at the head of the queue holds up everything behind it."""
    return (
        f'queue "{config.queue}" at {config.broker} is blocked: the message at its head cannot be read over '
        "AMQP 0-9-1 and ends the connection each time. An AMQP 1.0 sender gave it a message-id or "
        "correlation-id that is not a short text, or a creation-time outside of 1970 to 9999. Take that one "
        f"message out over AMQP 1.0 (address /amq/queue/{config.queue}) or purge the queue; the messages "
        "behind it are waiting and are not lost"
    )


def explain(error: BaseException, config: AMQPConfig) -> str:  # noqa: PLR0911  # one answer for each error
    """Say in one line what happened and what to do. Names the broker, never the password."""
    broker = config.broker
    if is_unreadable(error):
        return (
            f'{broker}: the connection broke on a message of queue "{config.queue}" that AMQP 0-9-1 '
            f"cannot carry ({type(error).__name__}); reading on one message at a time"
        )
    match error:
        case amqp.ChannelClosed():
            return _channel(error, config)
        case amqp.ProbableAuthenticationError():
            return refuses_user(config)
        case amqp.AuthenticationError():
            return (
                f"{broker} does not take a login by SASL {config.mechanism}: allow it in the broker, "
                "or set sasl to another one"
            )
        case VirtualHostRefused():
            return refuses_virtual_host(config)
        case amqp.ConnectionClosed():
            return _closed(error, config)
        case ConsumerCancelled():
            return f'{broker} ended our consumer: queue "{config.queue}" was deleted or moved'
    return _unreachable(error, config)


def _unreachable(error: BaseException, config: AMQPConfig) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    known = explain_connection(error, config) or explain_connection(cause, config)
    if known is not None:
        return known
    if isinstance(error, amqp.ProtocolSyntaxError | amqp.IncompatibleProtocolError):
        if _OTHER_AMQP in str(error):
            return f'{config.broker} speaks another AMQP than 0-9-1, so 1.0: set protocol = "1.0"'
        return f"{config.broker} does not speak AMQP 0-9-1: check the port (and tls)"
    return lost(cause, config)


def _closed(error: amqp.ConnectionClosed, config: AMQPConfig) -> str:
    said = _said(error)
    return f"{config.broker} closed the connection: {said}"


def _channel(error: amqp.ChannelClosed, config: AMQPConfig) -> str:
    broker, said = config.broker, _said(error)
    match error:
        case amqp.ChannelPreconditionFailed() if "inequivalent" in said:
            return (
                f"{broker}: queue or exchange exists with other settings ({said}): make durable, "
                "queue_arguments and exchange_type the same, or leave it as it is with declare_queue = false "
                "(declare_exchange = false for the exchange)"
            )
        case _ if is_acknowledgement_timeout(error):
            return acknowledgement_timeout(config)
        case amqp.ChannelNotFoundEntity():
            return (
                f"{broker}: queue or exchange is missing ({said}): create it, or let us with "
                "declare_queue = true and declare_exchange = true"
            )
        case amqp.ChannelAccessRefused():
            return (
                f'{broker} refuses access to user "{config.username}" ({said}): give it read permission on '
                "the queue, and configure and write permission to create and bind it; "
                "or set declare_queue = false"
            )
        case amqp.ChannelLockedResource():
            return (
                f'{broker}: another connection holds queue "{config.queue}" for itself ({said}): end that one'
            )
    return f"{broker} closed the channel: {said}"


def _said(error: BaseException) -> str:
    return " ".join(str(part) for part in error.args if part is not None) or type(error).__name__
