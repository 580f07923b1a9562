"""The main job, end to end: UnitsTested on a real RabbitMQ, reports in a WATS, and outages of both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import httpx
import pytest
from aiormq.exceptions import AMQPError
from brokers import Machine, RabbitMQ

from pywats_api.server import LocalWATS
from pywats_bridge.composition import Bridge, bridge_of
from pywats_bridge.settings import BridgeSettings, settings_of
from pywats_events import BaseHandler, Event, EventType
from pywats_events.journal import Appended, DeliveryState, Journal, Query, Receipt, Stats, Verdict
from pywats_events.journal.memory import MemoryJournal

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

HANDLE = "//Acme/Line1/FCT01"
UNITS_TESTED = "CFX.Production.TestAndInspection.UnitsTested"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def units_tested(number: int) -> bytes:
    """One unit's functional test, written as the standard's SDK writes it."""
    started = START + timedelta(seconds=number)
    ended = started + timedelta(seconds=1)
    passed = number % 10 != 3
    verdict = "Passed" if passed else "Failed"
    measurement = {
        "$type": "CFX.Structures.NumericMeasurement, CFX",
        "MeasuredValue": {
            "Value": 3.31 if passed else 3.71,
            "ValueUnits": "V",
            "ExpectedValue": 3.3,
            "ExpectedValueUnits": "V",
            "MinimumAcceptableValue": 3.2,
            "MinimumAcceptableValueUnits": None,
            "MaximumAcceptableValue": 3.4,
            "MaximumAcceptableValueUnits": None,
        },
        "UniqueIdentifier": str(uuid5(NAMESPACE_URL, f"measurement {number}")),
        "MeasurementName": "VCC3V3",
        "TimeRecorded": None,
        "Sequence": 1,
        "Result": verdict,
        "CRDs": None,
    }
    test = {
        "UniqueIdentifier": str(uuid5(NAMESPACE_URL, f"test {number}")),
        "TestName": "SUPPLY",
        "TestStartTime": started.isoformat(),
        "TestEndTime": ended.isoformat(),
        "TestConditions": [],
        "TestProcedure": None,
        "Comments": None,
        "Result": verdict,
        "Error": None,
        "SymptomsFound": [],
        "DefectsFound": [],
        "Measurements": [measurement],
    }
    return envelope(
        UNITS_TESTED,
        {
            "TransactionId": str(uuid5(NAMESPACE_URL, f"transaction {number}")),
            "TestMethod": "FCT",
            "Tester": {
                "OperatorIdentifier": "OP-7",
                "ActorType": "Human",
                "LastName": "Müller",
                "FirstName": "Zoë",
            },
            "RecipeName": "FCT-A",
            "RecipeRevision": "7",
            "SamplingInformation": {"SamplingMethod": "NoSampling", "LotSize": None, "SampleSize": None},
            "TestedUnits": [
                {
                    "UnitIdentifier": f"SN-{number:05d}",
                    "UnitPositionNumber": None,
                    "OverallResult": verdict,
                    "Tests": [test],
                }
            ],
        },
        unique_id=str(uuid5(NAMESPACE_URL, f"message {number}")),
        time=ended,
    )


def envelope(
    name: str, body: dict[str, Any], *, unique_id: str | None = None, time: datetime = START
) -> bytes:
    document = {
        "MessageName": name,
        "Version": "2.1",
        "TimeStamp": time.isoformat(),
        "UniqueID": unique_id or str(uuid4()),
        "Source": HANDLE,
        "Target": None,
        "RequestID": None,
        "MessageBody": {"$type": f"{name}, CFX", **body},
    }
    return json.dumps(document, ensure_ascii=False).encode()


@pytest.fixture
async def wats(tmp_path: Path) -> AsyncIterator[LocalWATS]:
    async with LocalWATS(tmp_path / "wats.sqlite", token="factory-token") as server:
        yield server


def settings(broker: RabbitMQ, server: LocalWATS, **changes: Any) -> BridgeSettings:
    unique = uuid4().hex
    document: dict[str, Any] = {
        "wats": {"url": server.url, "token": "factory-token", "requests_per_minute": 1_000_000},
        "cfx": {
            "amqp": {
                "host": broker.host,
                "port": broker.port,
                "queue": f"bridge-{unique}",
                "exchange": f"cfx-{unique}",
                "reconnect_initial_delay": 0.1,
                "reconnect_max_delay": 0.5,
            }
        },
        "delivery": {"reset_timeout": 0.3, "initial_delay": 0.05, "max_delay": 0.2},
        "stations": [{"handle": "//Acme/Line1/FCT*", "process": 60, "location": "Hall 1"}],
        "recipes": [{"recipe": "FCT-A", "part_number": "PCB-100", "revision": "C"}],
    }
    return settings_of(document | changes, base=Path())


class WatchedJournal(MemoryJournal):
    """A journal that tells whenever it was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Condition()

    async def append(self, receipts: Sequence[Receipt]) -> list[Appended]:  # noqa: D102
        answers = await super().append(receipts)
        await self._tell()
        return answers

    async def settle(self, verdicts: Sequence[Verdict], *, now: datetime) -> list[str]:  # noqa: D102
        closed = await super().settle(verdicts, now=now)
        await self._tell()
        return closed

    async def _tell(self) -> None:
        async with self.written:
            self.written.notify_all()

    async def until(self, condition: Callable[[Stats], bool], *, seconds: float = 120.0) -> Stats:
        """Wait for the sums to be right."""
        async with asyncio.timeout(seconds), self.written:
            while not condition(stats := await self.stats()):
                await self.written.wait()
        return stats


class Connection(BaseHandler):
    """Tells when the bridge can receive."""

    event_types = (EventType.TRANSPORT_CONNECTED,)

    def __init__(self) -> None:
        self.made = asyncio.Event()

    async def handle(self, event: Event) -> None:  # noqa: ARG002, D102
        self.made.set()


@asynccontextmanager
async def running(configured: BridgeSettings) -> AsyncIterator[tuple[Bridge, WatchedJournal]]:
    """Run a bridge; its queue is there."""
    journal, connection = WatchedJournal(), Connection()
    bridge = bridge_of(configured, journal=journal)
    bridge.bus.subscribe(connection)
    async with bridge:
        await connection.made.wait()
        yield bridge, journal


def done(stats: Stats) -> int:
    return stats.deliveries.get("report", {}).get(DeliveryState.DONE, 0)


def of_reports(stats: Stats) -> int:
    return sum(stats.deliveries.get("report", {}).values())


async def received(wats: LocalWATS) -> list[dict[str, Any]]:
    """Give the reports that WATS holds, as they were sent."""
    async with httpx.AsyncClient(base_url=wats.url) as client:
        answer = await client.get("/local/reports", params={"top": 10_000})
        answer.raise_for_status()
        return [row["body"] for row in answer.json()]


async def publish_all(
    url: str, exchange: str, bodies: list[bytes], *, published: Callable[[int], None]
) -> None:
    """Publish as a machine with a spool does: in order, and again until the broker confirms."""
    position = 0
    while position < len(bodies):
        try:
            async with asyncio.timeout(30), Machine(url) as machine:
                while position < len(bodies):
                    await machine.publish(exchange, bodies[position], content_type="application/json")
                    position += 1
                    published(position)
        except (AMQPError, OSError, TimeoutError):
            continue  # the broker is away; the attempt to connect takes the time


async def test_1000_units_become_1000_reports_while_broker_and_wats_restart(
    own_broker: RabbitMQ, wats: LocalWATS
) -> None:
    """Restarts of RabbitMQ and of WATS in the middle of 1,000 UnitsTested lose nothing and double nothing."""
    configured = settings(own_broker, wats)
    third = asyncio.Event()

    def published(count: int) -> None:
        if count >= 300:
            third.set()

    async with running(configured) as (bridge, journal):
        bodies = [units_tested(number) for number in range(1000)]
        publisher = asyncio.create_task(
            publish_all(own_broker.url, configured.cfx.amqp.exchange, bodies, published=published)
        )
        await third.wait()
        await asyncio.to_thread(own_broker.kill)
        await asyncio.to_thread(own_broker.start)

        await journal.until(lambda stats: done(stats) >= 500)
        await wats.stop()
        await journal.until(lambda _: bridge.bus.breakers["WATS"].state.value != "closed")
        await wats.start()

        await publisher
        stats = await journal.until(lambda stats: done(stats) == 1000)
        async with Machine(own_broker.url) as machine:
            await machine.until_depth(configured.cfx.amqp.queue, lambda depth: depth == 0)

    reports = await received(wats)
    assert len(reports) == 1000
    assert {report["sn"] for report in reports} == {f"SN-{number:05d}" for number in range(1000)}
    assert sum(report["result"] == "F" for report in reports) == 100
    assert sum(stats.deliveries["report"].values()) == 1000
    assert stats.count(DeliveryState.DEAD, DeliveryState.DROPPED) == 0


async def test_bad_messages_become_dead_letters_and_the_next_one_goes_on(
    broker: RabbitMQ, wats: LocalWATS
) -> None:
    """Garbage, unknown messages, wrong types: acknowledged, kept with a reason, and no trouble to others."""
    configured = settings(broker, wats)
    wrong_type = json.loads(units_tested(2))
    wrong_type["MessageBody"]["TestedUnits"] = "two of them"
    bodies = [
        b"\xff\xfe not a message",
        json.dumps(wrong_type).encode(),
        envelope("CFX.Vendor.Special.ThingHappened", {"What": "something"}),
        units_tested(1),
    ]
    async with running(configured) as (_, journal), Machine(broker.url) as machine:
        await publish_all(broker.url, configured.cfx.amqp.exchange, bodies, published=lambda _: None)
        await journal.until(lambda stats: done(stats) == 1 and stats.count(DeliveryState.DEAD) == 2)
        await machine.until_depth(configured.cfx.amqp.queue, lambda depth: depth == 0)
        dead = await journal.search(Query(states=(DeliveryState.DEAD,)))

    assert [entry.message_name for entry in dead] == [None, UNITS_TESTED]
    assert "TestedUnits" in (dead[1].reason or "")
    assert dead[0].message_id is not None
    assert [report["sn"] for report in await received(wats)] == ["SN-00001"]


async def test_a_refused_report_is_a_dead_letter_with_the_servers_text(
    broker: RabbitMQ, wats: LocalWATS
) -> None:
    """What WATS answers with 400 is not tried again, and its reason is kept."""
    configured = settings(broker, wats, stations=[{"handle": "*", "process": 4711}])
    async with running(configured) as (_, journal):
        await publish_all(
            broker.url, configured.cfx.amqp.exchange, [units_tested(1)], published=lambda _: None
        )
        await journal.until(lambda stats: stats.count(DeliveryState.DEAD) == 1)
        (entry,) = await journal.search(Query(states=(DeliveryState.DEAD,)))

    assert entry.error == "PermanentError"
    assert "4711" in (entry.reason or "")
    assert len(entry.attempts) == 1


async def test_refused_credentials_park_everything_and_lose_nothing(
    broker: RabbitMQ, wats: LocalWATS
) -> None:
    """With a wrong token no event becomes a dead letter; all go back to the broker at the end."""
    configured = settings(
        broker, wats, wats={"url": wats.url, "token": "wrong", "requests_per_minute": 1_000_000}
    )
    async with Machine(broker.url) as machine:
        async with running(configured) as (_, journal):
            bodies = [units_tested(number) for number in range(20)]
            await publish_all(broker.url, configured.cfx.amqp.exchange, bodies, published=lambda _: None)
            stats = await journal.until(
                lambda stats: stats.count(DeliveryState.PARKED) > 0 and of_reports(stats) == 20
            )
        await machine.until_depth(configured.cfx.amqp.queue, lambda depth: depth >= 20)

    assert set(stats.deliveries["report"]) <= {
        DeliveryState.PARKED,
        DeliveryState.PENDING,
        DeliveryState.IN_FLIGHT,
    }
    assert await received(wats) == []


async def until(journal: Journal, condition: Callable[[Stats], bool]) -> Stats:
    """Wait for the sums of a journal that works in a thread of its own to be right."""
    async with asyncio.timeout(60):
        while not condition(stats := await journal.stats()):
            await journal.wait_ready(now=datetime.now(UTC), timeout=0.2)
    return stats


async def test_a_journal_in_a_file_acknowledges_at_once_and_delivers_after_a_restart(
    broker: RabbitMQ, wats: LocalWATS, tmp_path: Path
) -> None:
    """While WATS is down the queue empties into the file; the next run delivers what the file holds."""
    configured = settings(broker, wats, journal={"kind": "sqlite", "path": str(tmp_path / "bridge.journal")})
    await wats.stop()
    connection = Connection()
    first = bridge_of(configured)
    first.bus.subscribe(connection)
    async with Machine(broker.url) as machine:
        async with first:
            await connection.made.wait()
            bodies = [units_tested(number) for number in range(20)]
            await publish_all(broker.url, configured.cfx.amqp.exchange, bodies, published=lambda _: None)
            await machine.until_depth(configured.cfx.amqp.queue, lambda depth: depth == 0)
            await until(first.journal, lambda stats: of_reports(stats) == 20)
        assert await machine.depth(configured.cfx.amqp.queue) <= 1  # the bridge's own goodbye

        await wats.start()
        async with bridge_of(configured) as second:
            stats = await until(second.journal, lambda stats: done(stats) == 20)

    assert stats.deliveries["report"] == {DeliveryState.DONE: 20}
    assert {report["sn"] for report in await received(wats)} == {f"SN-{number:05d}" for number in range(20)}
