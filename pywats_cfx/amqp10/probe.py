"""Looking at a broker over AMQP 1.0, and at a RabbitMQ's queue and exchange over AMQP 0-9-1."""

from __future__ import annotations

from uuid import uuid4

from pywats_cfx.amqp.troubles import BrokerUnfit
from pywats_cfx.amqp10.addresses import Product
from pywats_cfx.amqp10.connection import Connection
from pywats_cfx.amqp10.errors import Amqp10Error, RemoteError
from pywats_cfx.amqp10.links import Transfer
from pywats_cfx.amqp10.opening import open_broker
from pywats_cfx.amqp10.preparing import cannot_prepare, nothing_to_prepare
from pywats_cfx.amqp10.troubles import explain
from pywats_cfx.config import AMQPConfig

_GOODBYE_SECONDS = 2.0


async def probe(config: AMQPConfig) -> str:
    """Connect, log in and look for what is to be read. No message is taken: no credit is given.

    Returns:
        What is there, in one line.

    Raises:
        BrokerUnfit: it can't be used as configured.
    """
    try:
        connection = await open_broker(config, container=f"pywats-bridge check {uuid4().hex[:8]}")
        try:
            return await _look(connection, config)
        finally:
            await connection.close(_GOODBYE_SECONDS)
    except (Amqp10Error, OSError) as error:
        raise BrokerUnfit(explain(error, config)) from error


async def _look(connection: Connection, config: AMQPConfig) -> str:
    product = Product.of(connection.properties)
    if config.address is not None:
        await _attach(connection, config.address)
        return f'address "{config.address}" can be read'
    if not product.is_rabbitmq:
        await _attach(connection, product.source(config))
        hint = f"; {nothing_to_prepare(config)}" if config.declare_queue else ""
        return f'queue "{config.queue}" can be read{hint}'
    return await _look_at_rabbitmq(connection, product, config)


async def _look_at_rabbitmq(connection: Connection, product: Product, config: AMQPConfig) -> str:
    """Look over AMQP 0-9-1 at what AMQP 1.0 has no words for."""
    # the other protocol's library, for those only who speak to a RabbitMQ
    from pywats_cfx.amqp091.probe import probe as probe091  # noqa: PLC0415

    reason = cannot_prepare(config)
    if reason is None:
        said = await probe091(config)
        if "will be created" in said.partition(",")[0]:
            return said
        await _attach(connection, product.source(config))
        return said
    await _attach(connection, product.source(config))
    return f'queue "{config.queue}" can be read; {reason}'


async def _attach(connection: Connection, address: str) -> None:
    receiver = await connection.receiver(address, on_transfer=_take_nothing, durable=True)
    await receiver.detach(_GOODBYE_SECONDS)
    if (
        receiver.ended.done()
        and isinstance(reason := receiver.ended.result(), RemoteError)
        and reason.condition
    ):
        raise reason


def _take_nothing(_: Transfer) -> None:
    """Leave it: it is not settled, so it goes back."""
