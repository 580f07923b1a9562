"""What went wrong with the broker, and what a person can do about it."""

from __future__ import annotations

import asyncio
import socket
import ssl

from aiormq import exceptions as amqp

from pywats_cfx.config import AMQPConfig


class ConsumerCancelled(Exception):  # noqa: N818  # says what happened
    """The broker ended our consumer: its queue is gone, or moved."""


class BrokerGone(Exception):  # noqa: N818  # says what happened
    """The connection ended without a word."""


class UnreadableFrame(Exception):  # noqa: N818  # says what happened
    """The library failed on what the broker sent, in a way that it has no name for."""


class VirtualHostRefused(Exception):  # noqa: N818  # says what happened
    """The broker took user and password, and refused the virtual host."""


class IntakeFailed(Exception):  # noqa: N818  # says what happened
    """Taking a message in failed with an error that nobody expected."""


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
        f'queue "{config.queue}" at {config.address} is blocked: the message at its head cannot be read over '
        "AMQP 0-9-1 and ends the connection each time. An AMQP 1.0 sender gave it a message-id or "
        "correlation-id that is not a short text, or a creation-time outside of 1970 to 9999. Take that one "
        f"message out over AMQP 1.0 (address /amq/queue/{config.queue}) or purge the queue; the messages "
        "behind it are waiting and are not lost"
    )


def explain(error: BaseException, config: AMQPConfig) -> str:  # noqa: C901, PLR0911  # one answer for each error
    """Say in one line what happened and what to do. Names the broker, never the password."""
    broker = config.address
    if is_unreadable(error):
        return (
            f'{broker}: the connection broke on a message of queue "{config.queue}" that AMQP 0-9-1 '
            f"cannot carry ({type(error).__name__}); reading on one message at a time"
        )
    match error:
        case amqp.ChannelClosed():
            return _channel(error, config)
        case amqp.ProbableAuthenticationError():
            return (
                f'{broker} refuses user "{config.username}": check username and password '
                "(the user guest is refused from other machines)"
            )
        case amqp.AuthenticationError():
            return f"{broker} does not take a user name and password (SASL PLAIN): allow it in the broker"
        case VirtualHostRefused():
            return (
                f'{broker} refuses virtual host "{config.virtual_host}" to user "{config.username}": '
                "check virtual_host, create it, give the user permissions, or raise the limit of connections"
            )
        case amqp.ConnectionClosed():
            return _closed(error, config)
        case ssl.SSLCertVerificationError():
            said = getattr(error, "verify_message", error)
            return (
                f"{broker}: its certificate is not trusted ({said}): "
                "set ca_file to the certificate of its authority, and host to a name that it is made for"
            )
        case ssl.SSLError():
            said = error.reason or error
            return f"{broker}: no TLS connection ({said}): check port, ca_file, cert_file and key_file"
        case FileNotFoundError() | PermissionError():
            return f"{broker}: a certificate file can't be read ({error}): check ca_file, cert_file, key_file"
        case TimeoutError():
            return (
                f"{broker} does not answer within {config.connect_timeout:g} s: check host, port and firewall"
            )
        case ConsumerCancelled():
            return f'{broker} ended our consumer: queue "{config.queue}" was deleted or moved'
        case IntakeFailed():
            return (
                f"a message could not be taken in: {error}; this is a fault of the program, please report it"
            )
    return _unreachable(error, config)


def _unreachable(error: BaseException, config: AMQPConfig) -> str:
    broker = config.address
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    certificate = error.__cause__
    if isinstance(certificate, ssl.SSLError):
        return explain(certificate, config)
    if isinstance(cause, socket.gaierror):
        return f'{broker}: no machine is called "{config.host}": check host'
    if isinstance(cause, ConnectionRefusedError):
        return f"{broker} refuses the connection: is the broker running, and is the port right?"
    if isinstance(error, amqp.ProtocolSyntaxError | amqp.IncompatibleProtocolError):
        return f"{broker} does not speak AMQP 0-9-1: check the port (and tls)"
    text = str(cause) or type(cause).__name__
    return f"connection to {broker} lost: {text}"


def _closed(error: amqp.ConnectionClosed, config: AMQPConfig) -> str:
    said = _said(error)
    return f"{config.address} closed the connection: {said}"


def _channel(error: amqp.ChannelClosed, config: AMQPConfig) -> str:
    broker, said = config.address, _said(error)
    match error:
        case amqp.ChannelPreconditionFailed() if "inequivalent" in said:
            return (
                f"{broker}: queue or exchange exists with other settings ({said}): make durable, "
                "queue_arguments and exchange_type the same, or leave it as it is with declare_queue = false "
                "(declare_exchange = false for the exchange)"
            )
        case _ if is_acknowledgement_timeout(error):
            return (
                f"{broker}: a message was not acknowledged within the broker's consumer_timeout; it is "
                "delivered again. Raise consumer_timeout there if a destination may be down for longer"
            )
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
