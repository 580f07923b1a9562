"""Quorum queues count deliveries and give up at a limit: what ends the bridge goes, and nothing else does."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from brokers import Machine, RabbitMQ
from brokers.recorder import Recorder
from crashing_worker import settings
from proving import publish, run_of

from pywats_cfx import CFXConfig, CFXTransport
from pywats_events.journal import Query
from pywats_events.journal.sqlite import SQLiteJournal

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

WORKER = Path(__file__).with_name("crashing_worker.py")
LIMIT = 4
GOOD = 200


@pytest.fixture(params=["1.0", "0-9-1"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def crashing(number: int) -> bytes:
    """Give a message that ends the process that reads it."""
    document = json.loads(run_of(f"CRASH-{number}", number))
    return json.dumps(document).encode()


async def run_again_and_again(*arguments: object) -> int:
    """Start the worker whenever it has ended, as a service manager does; give how often it crashed."""
    for crashes in range(10 * LIMIT):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(WORKER), *map(str, arguments)), stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(60):
                ended = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if ended == 0:
            return crashes
        assert ended == 9
    pytest.fail("it crashes for ever")


async def dead_bodies(machine: Machine, queue: str) -> list[bytes]:
    """Take what the broker gave up out of its queue, all of it."""
    bodies: list[bytes] = []
    while (message := await machine.channel.basic_get(queue, no_ack=True)).body or message.delivery_tag:
        bodies.append(message.body)
    return bodies


async def test_a_message_that_ends_the_bridge_goes_alone(
    broker: RabbitMQ, tmp_path: Path, protocol: str
) -> None:
    """It comes to the dead-letter queue after so many crashes, and every other message into the journal.

    The prefetch is large: all of them are in the window when it comes.
    """
    name = f"quorum-{uuid4().hex}"
    config = settings(protocol, broker.port, name, LIMIT)
    assert config.prefetch > GOOD
    intake = Recorder()
    transport = CFXTransport(CFXConfig(amqp=config))
    await transport.start(intake)
    await intake.until_connected()
    await transport.stop()
    await transport.close()
    good = [run_of(f"SN-{number:03}", 0) for number in range(GOOD)]
    bad = [crashing(0), crashing(1)]
    await publish(broker.url, f"{name}-machines", [*good[:100], bad[0], *good[100:150], bad[1], *good[150:]])

    path = tmp_path / "journal.db"
    crashes = await run_again_and_again(protocol, broker.port, name, LIMIT, path, GOOD)

    assert crashes >= 2 * LIMIT
    async with Machine(broker.url) as machine:
        await machine.until_depth(f"{name}.dead", lambda depth: depth == len(bad))
        assert await dead_bodies(machine, f"{name}.dead") == bad
        assert await machine.depth(name) == 0
    journal = SQLiteJournal(path)
    await journal.open()
    assert (await journal.stats()).events >= GOOD
    for number in range(GOOD):
        events = await journal.search(Query(unit=f"SN-{number:03}"))
        assert len(events) <= 1
    assert (await journal.ledger()).difference == 0
    await journal.close()


async def test_reading_begins_with_one_message(broker: RabbitMQ, protocol: str) -> None:
    """Until messages were taken in, one is held: a crash counts against that one alone."""
    config = settings(protocol, broker.port, f"quorum-{uuid4().hex}", LIMIT)
    intake = Recorder(acknowledges=False)
    transport = CFXTransport(CFXConfig(amqp=config))
    await transport.start(intake)
    await intake.until_connected()
    await publish(broker.url, config.exchange, [run_of(f"SN-{number}", 0) for number in range(100)])
    async with Machine(broker.url) as machine:
        for number in range(5):
            await intake.until_taken(number + 1)
            await machine.until_depth(config.queue, lambda depth, held=number + 1: depth == 100 - held)
            await intake.messages[number].ack()
        await intake.until_taken(6)
        assert len(intake.messages) == 6
        intake.acknowledges = True
        await intake.messages[5].ack()
        await intake.until_taken(100)
    await transport.stop()
    await transport.close()
