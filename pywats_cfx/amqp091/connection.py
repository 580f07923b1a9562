"""Opens connections to the broker, and prepares on it what we read from."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import quote, urlencode

from aiormq import Connection
from aiormq.abc import AbstractChannel
from aiormq.exceptions import AMQPConnectionError, IncompatibleProtocolError, ProtocolSyntaxError

from pywats_cfx.amqp.tls import HandshakeWasted, tls_context
from pywats_cfx.amqp091.troubles import VirtualHostRefused
from pywats_cfx.config import AMQPConfig

#: Frames that wait between the socket and our reading of them.
_FRAME_BUFFER: Final = 256
#: What the library says in place of the broker's own words when a virtual host is refused after the login.
_REFUSED: Final = "got <Connection.Close "


async def open_connection(config: AMQPConfig, *, name: str) -> Connection:
    """Connect and log in; ``name`` is what the broker's own pages show.

    Raises:
        OSError: no connection, or none that speaks AMQP.
        ssl.SSLError: no trust.
        AMQPError: the broker refuses us.
        TimeoutError: no answer within ``connect_timeout``.
    """
    context = await tls_context(config)
    connection = Connection(
        _url(config),
        context=context,
        client_properties={"connection_name": name, "product": "pywats-bridge"},
    )
    try:
        async with asyncio.timeout(config.connect_timeout):
            await connection.connect()
    except (AMQPConnectionError, ConnectionResetError) as error:
        if config.tls and isinstance(
            error.__cause__ or error, ConnectionResetError | asyncio.IncompleteReadError
        ):
            raise HandshakeWasted from error
        raise
    except ProtocolSyntaxError as error:
        if _REFUSED in str(error):
            raise VirtualHostRefused(config.virtual_host) from error
        raise IncompatibleProtocolError(str(error)) from error
    return connection


async def open_channel(connection: Connection) -> AbstractChannel:
    """Open a channel to consume on."""
    return await connection.channel(publisher_confirms=False, frame_buffer_size=_FRAME_BUFFER)


async def prepare(channel: AbstractChannel, config: AMQPConfig) -> None:
    """Create, or check, what the configuration says of exchange, queue and bindings.

    Raises:
        ChannelClosed: something is missing, different or forbidden. The channel is closed then.
    """
    if not config.declare_queue:
        await channel.queue_declare(config.queue, passive=True)
        return
    if config.exchange:
        await channel.exchange_declare(
            exchange=config.exchange,
            exchange_type=config.exchange_type,
            durable=True,
            passive=not config.declare_exchange,
        )
    if config.dead_letter_queue is not None:  # first: what has no queue to go to is lost
        await channel.queue_declare(
            config.dead_letter_queue, durable=True, arguments={"x-queue-type": "quorum"}
        )
    await channel.queue_declare(
        config.queue, durable=config.durable, arguments=dict(config.declared_arguments) or None
    )
    if config.exchange:
        for key in config.binding_keys:
            await channel.queue_bind(config.queue, config.exchange, key)


def _url(config: AMQPConfig) -> str:
    """Give the connection's URL, with the password: for the library only, never for a log."""
    user = f"{quote(config.username, safe='')}:{quote(config.password.get_secret_value(), safe='')}"
    host = f"[{config.host}]" if ":" in config.host else config.host
    options = urlencode({"heartbeat": config.heartbeat, "auth": config.mechanism.lower()})
    scheme = "amqps" if config.tls else "amqp"
    return f"{scheme}://{user}@{host}:{config.port}/{quote(config.virtual_host, safe='')}?{options}"
