"""What the journal in SQLite promises of its file: it is brought up to date, bounded, checked and copied."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import structlog

from pywats_events.journal import (
    Attempt,
    Completed,
    DeliveryState,
    Hold,
    JournalError,
    JournalFull,
    MessageSums,
    Parking,
    Query,
    sqlite_file,
)
from pywats_events.journal.housekeeping import Retention
from pywats_events.journal.sqlite import SQLiteJournal

from .doubles import PATIENCE
from .sqlite_files import on_file, one, opened
from .test_journal import H, at, bury, claim, claim_one, ids, park, raw, settle

#: What version 1 wrote: a delivery in each state, a message of two parts that nobody could read, facts.
VERSION_1 = Path(__file__).with_name("journal_version_1.sql")
#: What version 2 wrote: a try that failed, one that is left alone, one that was, a dead letter.
VERSION_2 = Path(__file__).with_name("journal_version_2.sql")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


# --- a file of before ---------------------------------------------------------------------------------------


@pytest.fixture
def old(path):
    """Give a file as version 1 left it when it was killed."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1.read_text(encoding="utf-8"))
    return path


async def test_a_file_of_version_1_is_brought_up_to_date(old):
    """Everything that version 1 knew is there, and what it had in flight is pending."""
    async with opened(old) as journal:
        entries = await journal.search(Query())
        named = [(one.event.id if one.event else one.part_id, one.handler, one.state) for one in entries]
        assert named == [
            ("done", H, DeliveryState.DONE),
            ("dead", H, DeliveryState.DEAD),
            ("waiting", H, DeliveryState.WAITING),
            ("parked", H, DeliveryState.PARKED),
            ("flying", H, DeliveryState.PENDING),
            ("next", H, DeliveryState.PENDING),
            ("two", H, DeliveryState.PENDING),
            ("two", "assets", DeliveryState.DEAD),
            ("x", "", DeliveryState.DEAD),
            ("y", "", DeliveryState.DEAD),
            ("published", H, DeliveryState.PENDING),
            ("published", "assets", DeliveryState.DONE),
        ]
        assert (entries[0].detail, entries[3].parked_on) == ({"report": "r-1"}, ("unit:parked",))
        assert await journal.recall(["unit:A"]) == {"unit:A": {"part": "P"}}
        record = await journal.raw(entries[8].message_id)
        assert record is not None
        assert record.body == b"\xff?"
        assert (await journal.append([one("done")]))[0].duplicates == ("done",)
        assert await journal.check() == []


async def test_the_books_of_a_file_of_version_1_balance(old):
    """What version 1 had counted is carried over, and goes on from there."""
    async with opened(old) as journal:
        ledger = await journal.ledger()
        assert ledger.difference == 0
        assert ledger.messages["amqp"] == MessageSums(received=9, waiting=4, dead=2, done=3)
        assert ledger.messages[""] == MessageSums(received=1, waiting=1)

        assert ids(await claim(journal)) == ["flying", "two", "published"]
        await settle(journal, *map(Completed, await claim(journal, seconds=100)), seconds=100)
        await settle(journal, *map(Completed, await claim(journal, seconds=100)), seconds=100)
        ledger = await journal.ledger()
        assert ledger.difference == 0
        assert ledger.messages["amqp"] == MessageSums(received=9, waiting=1, dead=3, done=5)
        assert ledger.messages[""] == MessageSums(received=1, done=1)
        assert await journal.check() == []


async def test_dead_letters_of_version_1_can_be_grouped_and_replayed(old):
    """Their cause is known, as if they had died today."""
    async with opened(old) as journal:
        groups = sorted((group.handler, group.reason, group.count) for group in await journal.groups(Query()))
        assert groups == [
            ("", "no Tests", 1),
            ("", "no Units", 1),
            ("assets", "no such part", 1),
            (H, "no such part", 1),
        ]
        assert await journal.replay(Query(handler=H), now=at(1)) == 1


async def test_a_file_of_version_2_shows_the_history_that_it_has(path):
    """Tries that failed are there; what is left alone since before goes on from there."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_2.read_text(encoding="utf-8"))

    async with opened(path) as journal:
        left_alone = Parking(at(1), "DestinationUnavailable", "WATS is down", 1, at(1), None)
        assert {one.event.id: one.history for one in await journal.search(Query()) if one.event} == {
            "failed": (Attempt(at(1), "TransientError", "busy"),),
            "parked": (left_alone,),
            "freed": (),
            "dead": (Attempt(at(1), "PermanentError", "no such part"),),
        }
        assert await journal.unpark("destination:WATS") == 1
        await settle(journal, park(await claim_one(journal, seconds=5), "destination:WATS"), seconds=5)
        (entry,) = await journal.search(Query(event_id="parked"))
        assert entry.history == (replace(left_alone, times=2, last=at(5)),)
        assert await journal.check() == []


# --- room ---------------------------------------------------------------------------------------------------


async def fill(journal: SQLiteJournal) -> list[str]:
    """Append until nothing is taken in any more; give the names that were."""
    written: list[str] = []
    try:
        while len(written) < 1000:
            name = f"u{len(written)}"
            await journal.append([one(name, record=raw(os.urandom(20_000)))])
            written.append(name)
    except JournalFull:
        return written
    pytest.fail("the journal was never full")


async def test_the_limit_stops_what_comes_in_and_nothing_else(path):
    """At its limit a journal takes nothing in; it delivers, is pruned, and goes on."""
    journal = SQLiteJournal(path, max_bytes=1_000_000)
    await journal.open()
    written = await fill(journal)
    health = await journal.health()
    assert health.is_full
    assert 1_000_000 <= health.used < 1_100_000
    assert len(written) > 20

    with pytest.raises(JournalFull, match="its limit of 1000000 bytes is reached and nothing is taken in"):
        await journal.append([one("late")])
    while claimed := await claim(journal):
        await settle(journal, *map(Completed, claimed))
    assert await journal.prune(done_before=at(1)) == len(written)
    assert not (await journal.health()).is_full
    assert (await journal.append([one("late")]))[0].new == ("late",)
    ledger = await journal.ledger()
    assert (ledger.difference, ledger.messages["amqp"].received) == (0, len(written) + 1)
    await journal.close()


async def test_a_disk_that_is_nearly_full_stops_what_comes_in(path, monkeypatch):
    """What has to stay free on the disk is for deliveries; the error says how much that is."""
    free = 10_000_000
    monkeypatch.setattr(sqlite_file.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    journal = SQLiteJournal(path, keep_free=5_000_000)
    await journal.open()
    await journal.append([one("a")])
    free = 4_999_999

    with pytest.raises(JournalFull, match="room for 4999999 bytes, of which 5000000 are kept free"):
        await journal.append([one("b")])
    assert (await journal.health()).is_full
    assert await settle(journal, Completed(await claim_one(journal))) == ["a"]
    free = 5_000_000
    assert (await journal.append([one("b")]))[0].new == ("b",)
    await journal.close()


async def test_all_that_wait_together_are_refused_when_it_is_full(path):
    """Each of many appends that share a commit gets its answer."""
    journal = SQLiteJournal(path, max_bytes=1)
    await journal.open()
    answers = await asyncio.gather(
        *(journal.append([one(f"u{n}")]) for n in range(50)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {JournalFull}
    assert (await journal.stats()).events == 0
    await journal.close()


async def test_a_journal_prunes_itself(path):
    """Retention is kept without anybody asking."""
    async with opened(path) as journal:
        await journal.append([one(f"u{n}", record=raw(os.urandom(20_000))) for n in range(40)])
        for delivery in (await claim(journal))[:20]:
            await settle(journal, Completed(delivery))
        used = (await journal.health()).used

    short = timedelta(milliseconds=1)
    journal = SQLiteJournal(path, max_bytes=used, retention=Retention(short, short, short, every=short))
    with structlog.testing.capture_logs() as logs:
        await journal.open()
        async with asyncio.timeout(PATIENCE):
            while "journal was pruned" not in [entry["event"] for entry in logs]:
                await journal.health()
        await journal.close()
    assert len(await _kept(path)) == 20


async def _kept(path) -> list[str]:
    async with opened(path) as journal:
        return [entry.event.id for entry in await journal.search(Query()) if entry.event]


# --- soundness and copies -----------------------------------------------------------------------------------


async def test_check_finds_nothing_wrong_with_a_sound_journal(path):
    """Whatever happened to deliveries, the recount is what the sums say."""
    async with opened(path) as journal:
        await journal.append([one(name) for name in "abcdef"])
        a, b, c, *_ = await claim(journal)
        await settle(journal, Completed(a), bury(b), bury(c))
        await journal.replay(Query(event_id="b"), now=at(1))
        await journal.discard(Query(event_id="c"), reason="scrap", now=at(1))
        await journal.prune(done_before=at(5))

        assert await journal.check() == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "UPDATE tally SET number = number + 1 WHERE state = 6",
            "deliveries by handler and state: reports, 6",
        ),
        (
            "UPDATE counters SET number = 0 WHERE name = 'waiting'",
            "messages by transport and fate: amqp, wait",
        ),
        ("UPDATE deliveries SET ready = 0", "deliveries that may be claimed: reports, b, 2"),
    ],
)
async def test_check_finds_sums_that_are_wrong(path, damage, said):
    """A sum that is not what the rows say is named."""
    async with opened(path) as journal:
        await journal.append([one(name) for name in "ab"])
        await settle(journal, bury(await claim_one(journal, limit=1)))
        await on_file(journal, damage)

        assert any(line.startswith(said) for line in await journal.check())


async def test_a_backup_is_a_journal_of_its_own(path, tmp_path):
    """A copy that was made while others write opens, and holds what was written before it began."""
    copy = tmp_path / "copy.db"
    async with opened(path) as journal:
        await journal.append([one(name, record=raw(name.encode())) for name in "abc"])
        await journal.put_note("job", 1)
        await journal.hold("WATS", Hold("down", at(0), at(1)))
        busy = asyncio.gather(*(journal.append([one(f"u{n}")]) for n in range(200)))
        await journal.backup(copy)
        await busy
        with pytest.raises(JournalError, match="there is such a file already"):
            await journal.backup(copy)
        with pytest.raises(JournalError, match="nowhere"):
            await journal.backup(tmp_path / "nowhere" / "copy.db")

    assert not copy.with_name("copy.db.partial").exists()
    async with opened(copy) as journal:
        assert ids(await claim(journal, limit=3)) == ["a", "b", "c"]
        assert (await journal.ledger()).difference == 0
        assert (await journal.notes(), set(await journal.holds())) == ({"job": 1}, {"WATS"})
        assert await journal.check() == []


async def test_notes_and_holds_survive_a_restart(path):
    """A job's place and a destination left alone are known to the next process."""
    hold = Hold("WATS answered 401", at(0), datetime(2026, 1, 5, 7, tzinfo=UTC), needs_attention=True)
    async with opened(path) as journal:
        await journal.put_note("replay/1", {"after": "17"})
        await journal.hold("WATS", hold)
    async with opened(path) as journal:
        assert await journal.notes("replay/") == {"replay/1": {"after": "17"}}
        assert await journal.holds() == {"WATS": hold}
