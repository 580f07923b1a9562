"""MQTT through outages: the broker killed, the bridge killed, the bridge away. Each message is one event."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from brokers.mosquitto import Mosquitto
from brokers.ports import free_ports
from mqtt_steps import Taker, bridge, kept_in, numbered, publish, publisher, settings, topic_in

from pywats_events import EventType
from pywats_events.journal import Journal, MessageSums, Query
from pywats_events.journal.postgres import PostgresJournal
from pywats_events.transports.mqtt import MQTTConfig

if TYPE_CHECKING:
    from brokers.postgres import PostgreSQL

pytestmark = pytest.mark.broker

BATCH = 20


async def feed(broker: Mosquitto, topic: str, bodies: Sequence[bytes], *, qos: int) -> None:
    """Publish as a machine with a spool does: in order, and some of it again after the broker was away.

    A broker that is killed may have acknowledged what it had not written down yet.
    """
    position = 0
    while position < len(bodies):
        try:
            async with publisher(broker) as machine:
                while position < len(bodies):
                    batch = bodies[position : position + BATCH]
                    await asyncio.to_thread(machine.publish, topic, *batch, qos=qos)
                    position += BATCH
        except (OSError, TimeoutError):
            position = max(0, position - 2 * BATCH) if qos else position + BATCH


@pytest.mark.parametrize(("qos", "version"), [(0, "5"), (1, "5"), (1, "3.1.1"), (2, "5")])
async def test_broker_killed_with_messages_under_way(
    own_mosquitto: Callable[..., Mosquitto], tmp_path: Path, qos: int, version: str
):
    """At QoS 1 and 2 each message becomes one event; at QoS 0 some may be missing, and none is doubled."""
    broker = own_mosquitto(saves_always=True)
    config = settings(broker, qos=qos, protocol=version, duplicate_window=600)
    bodies = numbered(400)
    async with bridge(tmp_path / "journal", config, Taker()) as reader:
        await reader.until_connected()
        feeding = asyncio.create_task(feed(broker, topic_in(config), bodies, qos=qos))
        for seen in (60, 200):
            await reader.until_any(seen)
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
        await feeding
        await reader.until_connected()
        await publish(broker, topic_in(config), b"last")
        await reader.until([b"last"] if qos == 0 else [*bodies, b"last"])
    kept, _ = await kept_in(tmp_path / "journal")
    assert set(kept.values()) == {1}
    if qos:
        assert len(kept) == len(bodies) + 1


@asynccontextmanager
async def worker(
    config: MQTTConfig, path: Path | str, crash_at: int = 0
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a bridge as a process; it is killed at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(Path(__file__).with_name("mqtt_worker.py"))),
        *(config.model_dump_json(exclude_defaults=True), str(path), str(crash_at)),
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def lines(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    """Give what a process says, until it is silent for too long."""
    assert process.stdout is not None
    while line := await asyncio.wait_for(process.stdout.readline(), 60):
        yield line.decode().strip()


async def until_said(process: asyncio.subprocess.Process, wanted: set[str]) -> None:
    """Read until everything wanted was said; what was is taken out."""
    if wanted:
        async for line in lines(process):
            wanted.discard(line)
            if not wanted:
                return
        raise AssertionError(f"it ended, and has not said {sorted(wanted)[:10]}")


@pytest.mark.parametrize(("qos", "version"), [(1, "5"), (2, "3.1.1")])
async def test_bridge_killed_while_messages_arrive(
    mosquitto: Mosquitto, tmp_path: Path, qos: int, version: str
):
    """However often the bridge is killed, each message becomes one event, without any window."""
    config = settings(mosquitto, qos=qos, protocol=version, duplicate_window=0)
    bodies = numbered(1000)
    wanted = {body.decode() for body in bodies}
    path = tmp_path / "journal"
    async with worker(config, path) as process:
        await until_said(process, {"connected"})
    async with publisher(mosquitto) as machine:
        feeding = asyncio.create_task(asyncio.to_thread(machine.publish, topic_in(config), *bodies, qos=qos))
        for _ in range(3):
            async with worker(config, path) as process:
                seen = 0
                async for line in lines(process):
                    wanted.discard(line)
                    seen += 1
                    if seen == 200:
                        break
        await feeding
    # what the killed ones had journalled and not said any more is in the journal
    kept, _ = await kept_in(path)
    wanted -= kept.keys()
    async with worker(config, path) as process:
        await until_said(process, wanted)
        await publish(mosquitto, topic_in(config), b"last")
        await until_said(process, {"last"})
    kept, _ = await kept_in(path)
    assert set(kept.values()) == {1}
    assert len(kept) == len(bodies) + 1


async def test_three_bridges_killed_one_at_a_time(mosquitto: Mosquitto, postgres: PostgreSQL):
    """They share the messages and one journal; each message becomes one event, without any window."""
    url = await asyncio.to_thread(postgres.fresh)
    first = settings(mosquitto, shared="bridges", duplicate_window=0, receive_maximum=50)
    configs = [first.model_copy(update={"client_id": f"{first.client_id}-{number}"}) for number in range(3)]
    bodies = numbered(1500)
    async with AsyncExitStack() as stack:
        journal = PostgresJournal(url)
        await journal.open()
        stack.push_async_callback(journal.close)
        processes: list[asyncio.subprocess.Process] = []
        for config in configs:
            processes.append(await stack.enter_async_context(worker(config, url)))
            await until_said(processes[-1], {"subscribed"})
        machine = await stack.enter_async_context(publisher(mosquitto))
        for victim, part in enumerate((bodies[:500], bodies[500:1000], bodies[1000:])):
            feeding = asyncio.create_task(asyncio.to_thread(machine.publish, topic_in(first), *part))
            seen = 0
            async for _ in lines(processes[victim]):
                seen += 1
                if seen == 20:
                    break
            processes[victim].kill()
            await processes[victim].wait()
            await feeding  # the others go on with what comes, and more
            processes[victim] = await stack.enter_async_context(worker(configs[victim], url))
            await until_said(processes[victim], {"subscribed"})
        async with asyncio.timeout(60):
            while (kept := await events_in(journal)).keys() < {body.decode() for body in bodies}:
                pass
        for process in processes:
            process.terminate()
            await process.wait()
        kept = await events_in(journal)
        ledger = await journal.ledger()
    assert set(kept.values()) == {1}
    assert len(kept) == len(bodies)
    assert ledger.difference == 0


async def events_in(journal: Journal) -> Counter[str]:
    """Give how many events each body has."""
    entries = await journal.search(Query(limit=5000))
    events = [entry.event for entry in entries if entry.event is not None]
    return Counter(one.payload["body"] for one in events if one.event_type is EventType.CUSTOM)


@pytest.mark.parametrize("qos", [1, 2])
async def test_crash_between_commit_and_acknowledgement(mosquitto: Mosquitto, tmp_path: Path, qos: int):
    """A message that was journalled and not acknowledged comes again and is known by journal and DUP."""
    config = settings(mosquitto, qos=qos, duplicate_window=0)
    path = tmp_path / "journal"
    async with worker(config, path) as process:
        await until_said(process, {"connected"})
    await publish(mosquitto, topic_in(config), *[b"equal"] * 7, qos=qos)
    for _ in range(2):
        async with worker(config, path, crash_at=3) as process:
            assert await asyncio.wait_for(process.wait(), 60) == 9
    async with worker(config, path) as process:
        await until_said(process, {"connected"})
        await publish(mosquitto, topic_in(config), b"last", qos=qos)
        await until_said(process, {"last"})
    kept, ledger = await kept_in(path)
    assert kept == {"equal": 7, "last": 1}
    sums = ledger.messages["mqtt"]
    assert sums.received - sums.repeated == 8
    assert sums.repeated >= 2


@pytest.mark.parametrize("qos", [1, 2])
async def test_ten_thousand_messages_while_the_bridge_is_away(mosquitto: Mosquitto, tmp_path: Path, qos: int):
    """The broker keeps them for our session; each becomes one event when the bridge is back."""
    config = settings(mosquitto, qos=qos)
    async with bridge(tmp_path / "journal", config) as reader:
        await reader.until_connected()
    bodies = numbered(10_000)
    await publish(mosquitto, topic_in(config), *bodies, qos=qos)
    async with bridge(tmp_path / "journal", config) as reader:
        await reader.until(bodies)
    assert len(reader.bodies) == 10_000
    assert set(reader.bodies.values()) == {1}
    _, ledger = await kept_in(tmp_path / "journal")
    assert ledger.messages["mqtt"] == MessageSums(received=10_000, dropped=10_000)


async def test_the_next_broker_is_tried(mosquitto: Mosquitto, tmp_path: Path):
    """Where the first broker is not there the next one is read, and the reason is told once."""
    (nowhere,) = free_ports(1)
    config = settings(mosquitto, port=nowhere, failover=[f"{mosquitto.host}:{mosquitto.port}"])
    async with bridge(tmp_path / "journal", config) as reader:
        await reader.until_connected()
        assert reader.transport.broker.port == mosquitto.port
        await publish(mosquitto, topic_in(config), b"1")
        await reader.until([b"1"])
