"""What the journal in SQLite promises beyond the contract: it survives, and it knows its own files."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing

import pytest

from pywats_events import AsyncEventBus, Unreadable
from pywats_events.journal import (
    Completed,
    DeliveryState,
    Fact,
    JournalError,
    Query,
    Receipt,
    RetryAt,
    Routed,
)
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.journal.sqlite_beside import JournalBeside
from pywats_events.journal.sqlite_schema import connect as sqlite_schema_connect
from pywats_events.transports import MockTransport

from .doubles import PATIENCE, Gated, Recorder, result_of
from .sqlite_files import one, opened
from .test_journal import START, H, at, bury, claim, claim_one, ids, park, raw, receipt, settle

#: Appends for ever, and says each id once it was told that it is written.
PRODUCER = """
import asyncio, sys
from pywats_events import Event, EventType
from pywats_events.journal import Receipt, Routed
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.journal.sqlite_beside import JournalBeside
from pywats_events.journal.sqlite_schema import connect as sqlite_schema_connect

async def produce(journal, unit):
    while True:
        event = Event(EventType.TEST_RESULT, {"unit_id": unit, "text": "x" * 500}, source="station")
        await journal.append([Receipt(None, (Routed(event, ("reports",)),))])
        print(event.id, flush=True)

async def main():
    journal = SQLiteJournal(sys.argv[1])
    await journal.open()
    await asyncio.gather(*(produce(journal, f"U{n}") for n in range(16)))

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


def files_beside(path) -> set[str]:
    return {file.name for file in path.parent.iterdir()}


# --- it survives --------------------------------------------------------------------------------------------


async def test_what_was_told_to_be_written_survives_a_kill(path):
    """A process killed in the middle of its appends loses nothing that it was told is written."""
    told: set[str] = set()
    for round_number in range(1, 4):
        producer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PRODUCER, str(path), stdout=asyncio.subprocess.PIPE
        )
        assert producer.stdout is not None
        for _ in range(100 * round_number):
            told.add((await producer.stdout.readline()).decode().strip())
        with pytest.raises(JournalError, match=r"another process uses it; stop that one"):
            await SQLiteJournal(path).open()
        producer.kill()
        rest = (await producer.stdout.read()).decode()
        await producer.wait()
        told |= set(rest.rpartition("\n")[0].split())

        async with opened(path) as journal:
            again = [Receipt(None, (Routed(result_of("U", event_id), (H,)),)) for event_id in told]
            answers = await journal.append(again)
            assert [answer.new for answer in answers if answer.new] == []
            assert (await journal.stats()).open >= len(told)


async def test_everything_is_there_after_a_restart(path):
    """Deliveries in every state, facts, sums, ids and the bytes of the dead are what they were."""
    broken = Unreadable("x", "no Units", "CFXDecodeError")
    async with opened(path) as journal:
        await journal.append([one(name, record=raw(name.encode())) for name in "abcde"])
        await journal.append([Receipt(raw(b"\xff?"), unreadable=(broken,))])
        await journal.remember([Fact("unit:A", {"part": "P"}, START)])
        a, b, c, d, _ = await claim(journal)
        verdicts = [Completed(a, {"n": 1}), bury(b), RetryAt(c, at(9), "E", "busy"), park(d, "unit:D", "x")]
        await settle(journal, *verdicts)
        before = await journal.search(Query()), await journal.stats()

    async with opened(path) as journal:
        entries, stats = await journal.search(Query()), await journal.stats()
        assert entries[:4] == before[0][:4]
        assert entries[5] == before[0][5]
        assert [entry.state.value for entry in entries] == [
            *("done", "dead", "waiting", "parked", "pending", "dead")
        ]
        assert (stats.received, stats.events, stats.open) == (before[1].received, 5, 3)
        records = [await journal.raw(entry.message_id) for entry in entries if entry.message_id]
        assert [record and record.body for record in records] == [b"a", b"b", b"c", b"d", b"e", b"\xff?"]
        assert await journal.recall(["unit:A"]) == {"unit:A": {"part": "P"}}
        assert ids(await claim(journal)) == ["e"]
        await journal.remember([Fact("unit:D", {}, START)])
        assert ids(await claim(journal, seconds=9)) == ["c", "d"]
        assert (await journal.append([one("a")]))[0].duplicates == ("a",)


async def test_what_was_in_flight_is_pending_after_a_restart(path):
    """Nobody else can hold it, so it is given out at once, and what the old worker says of it is void."""
    async with opened(path) as journal:
        await journal.append([one("a"), receipt(result_of("a", "a2"))])
        lost = await claim_one(journal)

        await journal.close()
        await journal.open()

        assert await settle(journal, Completed(lost)) == []
        held = await claim_one(journal)
        assert (held.event.id, held.attempts) == ("a", 0)
        assert await settle(journal, Completed(lost)) == []
        assert await settle(journal, Completed(held)) == ["a"]


async def test_the_bus_acknowledges_at_once_and_delivers_after_a_restart(path, station):
    """A message is acknowledged when it is in the file, and handled by the next process if need be."""
    transport, slow = MockTransport(), Gated(name=H)
    bus = AsyncEventBus(journal=SQLiteJournal(path))
    bus.subscribe(slow)
    bus.register_transport(transport)
    await bus.start()
    await transport.inject_message_async(station.message(result_of("A", "a"), result_of("B", "b"), name="m"))
    assert station.acknowledged == ["m"]
    await slow.saw(2)
    await bus.stop(timeout=0.0)
    assert slow.ended == []

    recorder = Recorder(name=H)
    bus = AsyncEventBus(journal=SQLiteJournal(path))
    bus.subscribe(recorder)
    async with bus:
        await recorder.saw(2)
        assert await bus.drain(timeout=PATIENCE)
        assert (await bus.journal.stats()).count(DeliveryState.DONE) == 2
    assert recorder.units == ["A", "B"]


# --- files that are none of its own -------------------------------------------------------------------------


async def refused(path, match: str) -> None:
    journal = SQLiteJournal(path)
    with pytest.raises(JournalError, match=match) as caught:
        await journal.open()
    assert str(path) in str(caught.value)
    with pytest.raises(JournalError, match="open it first"):
        await journal.stats()
    await journal.close()


async def test_a_newer_file_is_refused(path):
    """What a newer version has written is left as it is."""
    async with opened(path) as journal:
        await journal.append([one("a")])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")

    await refused(path, r"newer version \(schema 99, this one reads up to 3\); install that version")

    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 3")
    async with opened(path) as journal:
        assert ids(await claim(journal)) == ["a"]


async def test_a_file_that_is_no_database_is_refused(path):
    """Something else that lies at the path is not touched."""
    path.write_bytes(b"Dear diary, " * 500)

    await refused(path, "the file is not a journal; name another path")
    assert path.read_bytes() == b"Dear diary, " * 500
    assert list(path.parent.iterdir()) == [path]


async def test_another_program_s_database_is_refused(path):
    """A database with other tables is not mixed with ours."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (x)")

    await refused(path, "database of another program")
    assert list(path.parent.iterdir()) == [path]


async def test_a_folder_is_refused(path):
    """A folder in the place of the file is named as that, and nothing is made beside it."""
    path.mkdir()

    await refused(path, "this is a folder; name a file in it")
    with pytest.raises(JournalError, match="this is a folder"):
        await JournalBeside(path).open()
    assert list(path.parent.iterdir()) == [path]


async def test_an_empty_file_becomes_a_journal(path):
    """A file with nothing in it is as good as none; who only looks is told so."""
    path.touch()

    with pytest.raises(JournalError, match="the file is empty; the bridge fills it"):
        await JournalBeside(path).open()
    async with opened(path) as journal:
        await journal.append([one("a")])


async def test_a_file_that_cannot_be_written_is_refused_at_once(path, monkeypatch):
    """Whoever starts a bridge on a read-only disk hears it then, not at the first message."""
    async with opened(path):
        pass

    def connect(path):
        connection = sqlite_schema_connect(path)
        connection.execute("PRAGMA query_only = ON")
        return connection

    monkeypatch.setattr("pywats_events.journal.sqlite_schema.connect", connect)
    await refused(path, "can't be written; check the rights of the file and of its folder")


async def test_a_folder_that_is_not_there_is_named(path):
    """A wrong path says so."""
    await refused(path.parent / "nowhere" / "journal.db", "check that its folder is there")


async def test_two_at_a_time_are_refused(path):
    """Two journals on one file would undo each other's order; the second is told, and may come later."""
    second = SQLiteJournal(path)
    async with opened(path) as first:
        await refused(path, "another process uses it")
        await first.append([one("a")])
    await second.open()
    assert ids(await claim(second)) == ["a"]
    await second.close()


def test_it_can_be_used_again_on_another_loop(path):
    """A journal that was closed can be opened by another bus, on another loop."""
    journal = SQLiteJournal(path)

    async def use(name: str) -> list[str]:
        await journal.open()
        await journal.open()
        await journal.append([one(name)])
        claimed = ids(await claim(journal))
        await journal.close()
        with pytest.raises(JournalError, match="open it first"):
            await journal.append([one("late")])
        return claimed

    assert asyncio.run(use("a")) == ["a"]
    assert asyncio.run(use("b")) == ["a", "b"]


async def test_close_finishes_what_was_asked(path):
    """What was given to the journal before it was closed is written, and the log is folded in."""
    journal = SQLiteJournal(path)
    await journal.open()
    appends = [asyncio.ensure_future(journal.append([one(f"u{n}")])) for n in range(50)]
    stopping = asyncio.ensure_future(journal.close())
    assert len(await asyncio.gather(*appends)) == 50
    await stopping

    assert files_beside(path) == {"journal.db", "journal.db.lock"}
    async with opened(path) as journal:
        assert (await journal.stats()).events == 50
