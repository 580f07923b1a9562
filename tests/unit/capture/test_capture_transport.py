"""The transport that brings captures in again: the same messages, in order, at any pace."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from brokers.recorder import Recorder as Intake

from pywats_events import AsyncEventBus, BaseHandler, Event, EventType, NotReady
from pywats_events.journal import DeliveryState, Fact, JournalError
from pywats_events.journal.memory import MemoryJournal
from pywats_events.message import RawMessage
from pywats_events.transports.capture import (
    CaptureError,
    CaptureTransport,
    Fed,
    Recorder,
    by_transport,
    survey,
)
from pywats_events.transports.capture.transport import Pace

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


async def capture(path: Path, *gaps: float, transport: str = "line") -> Path:
    """Record messages of these seconds after the start."""
    async with Recorder(path) as recorder:
        for number, gap in enumerate(gaps):
            event = Event(
                EventType.TEST_RESULT,
                {"unit_id": f"SN{number}", "result": "pass"},
                source="T1",
                id=f"e{number}",
            )
            await recorder.receive(
                RawMessage(
                    body=event.to_json_bytes(),
                    content_type="application/cloudevents+json",
                    transport=transport,
                    address=f"line/{number}",
                    properties={"qos": 1},
                    received_at=START + timedelta(seconds=gap),
                )
            )
    return path


class Time:
    """A clock that goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:  # noqa: D102
        return self.now

    async def sleep(self, seconds: float) -> None:  # noqa: D102
        self.slept.append(seconds)
        self.now += seconds


async def test_messages_come_as_they_came(tmp_path):
    """Address, properties and transport are those of then, and the adapter sees when they came."""
    path = await capture(tmp_path / "line.jsonl", 0, 1)
    read: list[datetime] = []

    def reading(message: RawMessage) -> list:
        read.append(message.received_at)
        return []

    transport, bus = CaptureTransport(path, speed=math.inf, adapter=reading), AsyncEventBus()
    bus.register_transport(transport)
    async with bus:
        assert await transport.ended() == Fed(messages=2, skipped=0, is_whole=True)
    assert read == [START, START + timedelta(seconds=1)]
    intake, transport = Intake(), CaptureTransport(path, speed=math.inf)
    await transport.start(intake)
    await transport.ended()
    first, _ = intake.messages
    assert (first.transport, first.address, first.properties) == ("line", "line/0", {"qos": 1})
    assert first.content_type == "application/cloudevents+json"
    assert [state for state, _ in intake.states] == ["connected"]


class Waits(BaseHandler):
    """Is not ready the first time."""

    event_types = (EventType.TEST_RESULT,)
    tries = 0

    async def handle(self, event: Event) -> None:  # noqa: ARG002
        """Wait for a fact; the second try finds it."""
        self.tries += 1
        if self.tries == 1:
            raise NotReady("the product is not known", facts=("product",), give_up_after=60.0)


async def test_what_waits_for_later_messages_is_not_given_up_for_its_age(tmp_path):
    """A capture of last year waits as the line did: from the time that it comes in."""
    path = await capture(tmp_path / "line.jsonl", 0)
    transport, journal = CaptureTransport(path, speed=math.inf), MemoryJournal()
    bus = AsyncEventBus(journal=journal)
    bus.register_transport(transport)
    bus.subscribe(Waits())
    async with bus:
        await transport.ended()
        await bus.handled("T1#e0")
        await journal.remember([Fact("product", {}, datetime.now(UTC))])
        assert await bus.drain()
        stats = await journal.stats()
    assert (stats.count(DeliveryState.DEAD), stats.count(DeliveryState.DONE)) == (0, 1)


@pytest.mark.parametrize(("speed", "slept"), [(1.0, [2.0, 60.0]), (10.0, [0.2, 6.0]), (math.inf, [])])
async def test_gaps_are_as_recorded_or_shorter(tmp_path, speed, slept):
    """At once what came at once; a clock that was set back holds nothing up."""
    path = await capture(tmp_path / "line.jsonl", 0, 0, 2, 2, 1, 62)
    time, intake = Time(), Intake()
    transport = CaptureTransport(path, speed=speed, clock=time.clock, sleep=time.sleep)
    await transport.start(intake)
    await transport.ended()
    assert time.slept == pytest.approx(slept)
    assert [each.address for each in intake.messages] == [f"line/{number}" for number in range(6)]


def test_what_took_long_is_caught_up_with():
    """The pace is that of the recording as a whole, not of each gap."""
    time = Time()
    pace = Pace(1.0, time.clock)
    assert pace.wait(START) == 0
    time.now += 5
    assert pace.wait(START + timedelta(seconds=3)) == 0
    assert pace.wait(START + timedelta(seconds=7)) == pytest.approx(2)


@pytest.mark.parametrize("speed", [0, -1, math.nan])
def test_a_speed_that_is_none_is_refused(tmp_path, speed):
    """At once, not when the bus starts."""
    with pytest.raises(ValueError, match="speed should be more than 0"):
        CaptureTransport(tmp_path / "x", speed=speed)


async def test_brought_in_twice_it_doubles_nothing(tmp_path):
    """The events have the ids that they had; the journal knows them."""
    path = await capture(tmp_path / "line.jsonl", *range(300))
    journal = MemoryJournal()
    for _ in range(2):
        transport = CaptureTransport(path, speed=math.inf)
        bus = AsyncEventBus(journal=journal)
        bus.register_transport(transport)
        async with bus:
            assert (await transport.ended()).messages == 300
    sums = (await journal.ledger()).messages
    assert {name: (each.received, each.repeated) for name, each in sums.items()} == {"line": (600, 300)}


async def test_a_packed_capture_is_read_too(tmp_path):
    """Whatever it is called."""
    path = await capture(tmp_path / "line.jsonl", 0, 1)
    packed = tmp_path / "home"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert survey(packed) == survey(path)
    intake, transport = Intake(), CaptureTransport(packed, speed=math.inf)
    await transport.start(intake)
    assert (await transport.ended()).messages == 2


def test_a_packed_capture_that_was_cut_names_the_place(tmp_path):
    """A copy that broke off is told from a damaged line."""
    path = tmp_path / "cut.gz"
    whole = b'{"capture": 1}\n' + b"".join(
        json.dumps({"received": START.isoformat(), "transport": "t", "text": str(number)}).encode() + b"\n"
        for number in range(1000)
    )
    path.write_bytes(gzip.compress(whole)[:-500])
    with pytest.raises(CaptureError, match=r"can't be read beyond line \d+: Compressed file ended"):
        survey(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is no capture"),
        (b"garbage\n", "is no capture"),
        (b"\x1f\x8bgarbage", "can't be read beyond line 0"),
        (b'{"capture": 7}\n', "is of form 7, this program reads form 1"),
        (None, "can't be read: No such file"),
    ],
)
async def test_another_file_is_refused_in_one_line(tmp_path, content, reason):
    """The survey says so, and the transport to whoever waits for its end."""
    path = tmp_path / "x.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CaptureError, match=reason) as said:
        survey(path)
    assert "\n" not in str(said.value)
    intake, transport = Intake(), CaptureTransport(path)
    await transport.start(intake)
    with pytest.raises(CaptureError, match=reason):
        await transport.ended()
    assert intake.states == [("disconnected", str(said.value))]


async def test_a_damaged_line_is_named_and_skipped_only_when_told_to(tmp_path):
    """Nobody takes a part for the whole without knowing."""
    path = await capture(tmp_path / "line.jsonl", 0, 1, 2)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"{}\n", b"\n", *lines[2:], lines[1][:40]]))
    found = survey(path)
    assert (found.messages["line"], found.damaged) == (3, 2)
    assert [str(damage) for damage in found.damages] == [
        "line 3: Object missing required field `received`",
        "line 7: is cut off",
    ]
    transport = CaptureTransport(path, speed=math.inf)
    await transport.start(Intake())
    with pytest.raises(CaptureError, match="line 3: Object missing"):
        await transport.ended()
    transport = CaptureTransport(path, speed=math.inf, skip_damaged=True)
    await transport.start(Intake())
    assert await transport.ended() == Fed(messages=3, skipped=2, is_whole=True)


async def test_a_line_without_end_costs_no_memory(tmp_path, monkeypatch):
    """It is a damaged line, and the next one is read."""
    monkeypatch.setattr("pywats_events.transports.capture.reading.MOST_BYTES_OF_A_LINE", 1000)
    path = await capture(tmp_path / "line.jsonl", 0, 1)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"x" * 5000, b"\n", *lines[2:]]))
    found = survey(path)
    assert (found.messages["line"], [damage.line for damage in found.damages]) == (2, [3])


async def test_a_journal_that_refuses_ends_it(tmp_path):
    """It is not read on as if nothing were; bringing it in again goes on where it was."""
    path = await capture(tmp_path / "line.jsonl", 0, 1)
    intake, transport = Intake(), CaptureTransport(path, speed=math.inf)
    intake.error = JournalError("the disk has gone")
    await transport.start(intake)
    with pytest.raises(JournalError, match="the disk has gone"):
        await transport.ended()


async def test_stopped_in_the_middle_it_says_so(tmp_path):
    """What the bus holds back is not counted as brought in."""
    path = await capture(tmp_path / "line.jsonl", *range(10))
    intake, transport = Intake(), CaptureTransport(path, speed=math.inf)
    intake.hold()
    await transport.start(intake)
    await intake.until(lambda: intake.waiting == 10)
    await transport.stop()
    assert await transport.ended() == Fed(messages=0, skipped=0, is_whole=False)
    assert intake.messages == []


async def test_the_end_of_one_that_never_began_is_a_mistake(tmp_path):
    """It says what is missing."""
    with pytest.raises(RuntimeError, match='transport "capture" is not running'):
        await CaptureTransport(tmp_path / "x").ended()


def test_messages_are_read_as_their_transport_read_them():
    """Of one that is not configured here, the dead letter names it."""
    seen: list[str] = []

    def of_line(message: RawMessage) -> list:
        seen.append(message.address)
        return []

    read = by_transport({"line": of_line, "other": of_line})
    assert list(read(RawMessage(body=b"x", transport="line", address="a"))) == []
    (unread,) = read(RawMessage(body=b"x", transport="gone", address="a"))
    assert seen == ["a"]
    assert unread.reason == 'nothing reads messages of transport "gone" here; configured: line, other'


async def test_a_survey_tells_what_is_in_it(tmp_path):
    """Messages by transport, and the time from the first to the last."""
    path = await capture(tmp_path / "line.jsonl", 5, 0, 65)
    found = await asyncio.to_thread(survey, path)
    assert (dict(found.messages), found.seconds, found.damaged) == ({"line": 3}, 65.0, 0)
