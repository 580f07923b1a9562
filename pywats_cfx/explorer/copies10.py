"""Copies of what comes to an address of a broker, over AMQP 1.0."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final
from uuid import uuid4

from pywats_cfx.amqp.content import Content
from pywats_cfx.amqp10.addresses import Product
from pywats_cfx.amqp10.delivery import read_transfer
from pywats_cfx.amqp10.errors import Amqp10Error, ConnectionLost
from pywats_cfx.amqp10.links import Outcome, Transfer
from pywats_cfx.amqp10.opening import open_broker
from pywats_cfx.amqp10.troubles import explain
from pywats_cfx.explorer.refusal import USAGE, RefusedError
from pywats_cfx.explorer.way import HANDLE, Way, explained

_WINDOW: Final = 100


async def copies(way: Way, ready: Callable[[str], None]) -> AsyncGenerator[tuple[Content, str]]:
    """Give a copy of each message, with its subject, until whoever asks has enough.

    Args:
        way: the broker, and the address.
        ready: hears what is watched, once nothing is missed any more.

    Raises:
        RefusedError: the broker gives no copies, or there is no connection, or it ended.
    """
    config = way.config10
    with explained(explain, config, Amqp10Error):
        connection = await open_broker(config, container=f"{HANDLE}-{uuid4()}")
        try:
            address = _address(way, Product.of(connection.properties))
            arrived: asyncio.Queue[Transfer] = asyncio.Queue()  # bounded by the window
            async with asyncio.timeout(config.connect_timeout):
                receiver = await connection.receiver(
                    address,
                    on_transfer=arrived.put_nowait,
                    name=f"{address} {uuid4().hex[:8]}",
                    copies=True,
                )
            if not receiver.gives_copies:
                raise RefusedError(
                    f'{config.broker} does not promise copies of what comes to "{address}", so reading would '
                    "take messages away from others: name a topic"
                )
            receiver.open_window(_WINDOW)
            ready(f'address "{address}"')
            while True:
                transfer = await _next(arrived, receiver.ended)
                transfer.settle(Outcome.ACCEPTED)
                content = read_transfer(transfer.encoded)
                yield content, str(content.properties.get("subject") or address)
        finally:
            await connection.close()


def _address(way: Way, product: Product) -> str:
    broker = way.config.broker
    if product.is_rabbitmq:
        # its queues give no copies, and what it makes for a reader of an exchange stays behind for ever
        raise RefusedError(
            f"{broker} is a RabbitMQ: over AMQP 1.0 reading takes messages away or leaves a queue "
            "behind; watch its exchange over AMQP 0-9-1, with --exchange NAME"
        )
    address = way.address or way.exchange
    if address is None:
        raise RefusedError(f"{broker} is no RabbitMQ: say what to watch by --address", USAGE)
    return address


async def _next(arrived: asyncio.Queue[Transfer], ended: asyncio.Future[Exception]) -> Transfer:
    getting = asyncio.ensure_future(arrived.get())
    try:
        await asyncio.wait((getting, ended), return_when=asyncio.FIRST_COMPLETED)
        if getting.done():
            return getting.result()
        reason = ended.result()
        raise reason if isinstance(reason, Amqp10Error | OSError) else ConnectionLost(str(reason))
    finally:
        getting.cancel()
