"""Messages that AMQP 0-9-1 can't carry, in a queue that is read over it: they are taken out over AMQP 1.0."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from brokers import Machine, RabbitMQ
from brokers.machine10 import data, publish10
from brokers.recorder import Recorder
from proton import Message, ulong

from pywats_cfx.amqp.transport import CFXTransport
from pywats_cfx.config import AMQPConfig, CFXConfig
from pywats_events.message import RawMessage

pytestmark = pytest.mark.broker


def nothing(_: RawMessage) -> list[Any]:
    return []


@pytest.fixture
def config(broker: RabbitMQ) -> AMQPConfig:
    unique = uuid4().hex
    return AMQPConfig(
        protocol="0-9-1",
        host=broker.host,
        port=broker.port,
        queue=f"q-{unique}",
        exchange=f"x-{unique}",
        reconnect_initial_delay=0.02,
        reconnect_max_delay=0.05,
    )


@asynccontextmanager
async def running(config: AMQPConfig, intake: Recorder) -> AsyncIterator[CFXTransport]:
    transport = CFXTransport(CFXConfig(amqp=config), adapter=nothing)
    await transport.start(intake)
    try:
        yield transport
    finally:
        await transport.stop()
        await transport.close()


def of_year_one() -> Message:
    message = data(b"poison")
    message.creation_time = datetime(1, 1, 1, tzinfo=UTC).timestamp()
    return message


POISON = {
    "uuid": lambda: data(b"poison", id=UUID(bytes=b"\xff" * 16)),
    "ulong": lambda: data(b"poison", id=ulong(7)),
    "binary": lambda: data(b"poison", id=b"\xff\xfe\xfd"),
    "long reply-to": lambda: data(b"poison", reply_to="r" * 300),
    "year one": of_year_one,
}


async def with_queue(config: AMQPConfig) -> None:
    """Let the transport make queue and exchange, and leave."""
    intake = Recorder()
    async with running(config, intake):
        await intake.until_connected()


@pytest.mark.parametrize("kind", POISON)
async def test_poison_between_good_messages(config: AMQPConfig, broker: RabbitMQ, kind: str):
    """Everything arrives, the poison too, with one line for it; nothing is lost, nothing stays behind."""
    await with_queue(config)
    messages = [b"0", b"1", POISON[kind](), b"2", b"3"]
    await asyncio.to_thread(publish10, broker.port, f"/amq/queue/{config.queue}", *messages)
    intake = Recorder()
    with structlog.testing.capture_logs() as lines:
        async with running(config, intake):
            await intake.until(lambda: {b"0", b"1", b"poison", b"2", b"3"} == set(intake.bodies))
            await intake.until_connected(times=1)
        async with Machine(broker.url) as machine:
            assert await machine.depth(config.queue) == 0
    for body in set(intake.bodies):
        once = [message for message in intake.messages if message.body == body]
        assert len([one for one in once if not one.properties.get("redelivered")]) <= 1
    assert intake.bodies.count(b"poison") == 1
    taken = [line for line in lines if "was taken out" in line["event"]]
    assert len(taken) == 1
    assert taken[0]["queue"] == config.queue


async def test_many_in_a_row(config: AMQPConfig, broker: RabbitMQ):
    """One after the other is taken out; the good ones between and behind them arrive over AMQP 0-9-1."""
    await with_queue(config)
    messages = [make() for make in POISON.values()]
    for index, message in enumerate(messages):
        message.body = b"poison %d" % index
    await asyncio.to_thread(
        publish10, broker.port, f"/amq/queue/{config.queue}", *messages, b"between", POISON["uuid"](), b"last"
    )
    expected = {b"poison %d" % index for index in range(5)} | {b"between", b"poison", b"last"}
    intake = Recorder()
    async with running(config, intake) as transport:
        await intake.until(lambda: expected == set(intake.bodies))
        assert transport.amqp.protocol == "0-9-1"
    assert len([body for body in intake.bodies if b"poison" in body]) == 6


async def test_poison_that_is_acknowledged_late(config: AMQPConfig, broker: RabbitMQ):
    """With a journal that acknowledges late the poison is held meanwhile, and what is behind it goes on."""
    await with_queue(config)
    await asyncio.to_thread(
        publish10, broker.port, f"/amq/queue/{config.queue}", POISON["ulong"](), b"behind"
    )
    intake = Recorder(acknowledges=False)
    async with running(config, intake):
        await intake.until_taken(2)
        assert intake.bodies == [b"poison", b"behind"]
        for message in intake.messages:
            await message.ack()
    async with Machine(broker.url) as machine:
        assert await machine.depth(config.queue) == 0


async def test_poison_that_is_not_acknowledged_stays(config: AMQPConfig, broker: RabbitMQ):
    """What was taken out and never acknowledged is in the queue again when we have left."""
    await with_queue(config)
    await asyncio.to_thread(publish10, broker.port, f"/amq/queue/{config.queue}", POISON["ulong"]())
    intake = Recorder(acknowledges=False)
    async with running(config, intake):
        await intake.until_taken(1)
    async with Machine(broker.url) as machine:
        assert await machine.until_depth(config.queue, lambda depth: depth >= 1) == 1
