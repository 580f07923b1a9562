"""``pywats-bridge ledger``, ``trace`` and ``journal``: what they say of a day at the line."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copy

import pytest
from journal_steps import (
    Report,
    a_day,
    call,
    configured,
    journal_of,
    lay_in,
    look,
    message,
    running,
    units_tested,
)

from pywats_cfx import cfx_adapter
from pywats_events.journal import Completed, Hold, Park, RawRecord, Receipt, Routed


@pytest.fixture(scope="module")
def a_days_journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("day")
    asyncio.run(a_day(configured(folder)))
    return folder / "bridge.journal"


@pytest.fixture
def config(tmp_path: Path, a_days_journal: Path) -> Path:
    """A configuration whose journal has a day behind it."""
    copy(a_days_journal, tmp_path)
    return configured(tmp_path)


def test_the_books_are_the_sum_and_its_parts(config):
    """By transport and by handler; they balance."""
    (books,) = look(config, "ledger", "--json").documents
    assert books == {
        "messages": {
            "cfx": {
                "received": 4,
                "repeated": 0,
                "done": 1,
                "dropped": 0,
                "discarded": 0,
                "dead": 3,
                "waiting": 0,
                "difference": 0,
            }
        },
        "deliveries": {"": {"dead": 1}, "report": {"done": 1, "dead": 2}},
        "left_alone": {},
        "forecasts": {},
        "difference": 0,
    }
    shown = look(config, "ledger")
    assert (shown.code, shown.out.splitlines()[-1]) == (0, "difference 0: the books balance")
    assert shown.rows[1] == ["cfx", "4", "0", "1", "0", "0", "3", "0", "0"]


async def test_an_empty_journal_says_so(tmp_path):
    """Nothing was received."""
    config = configured(tmp_path)
    await lay_in(config)
    assert (await call(config, "ledger")).out == "nothing was received yet\n"


def test_books_that_do_not_balance_end_with_1(config):
    """In the ledger and in the check, which says what is wrong."""
    with sqlite3.connect(config.parent / "bridge.journal") as file:
        file.execute("UPDATE counters SET number = number - 1 WHERE name = 'dead'")
    file.close()
    shown = look(config, "ledger")
    assert (shown.code, shown.out.splitlines()[-1]) == (
        1,
        "difference 1: they do not balance: check the journal",
    )
    checked = look(config, "journal", "check")
    assert checked.code == 1
    assert "messages by transport and fate: cfx, dead, -1" in checked.out
    (said,) = look(config, "journal", "check", "--json").documents
    assert said["sound"] is False


async def test_the_books_tell_why_nothing_goes_out(tmp_path):
    """Thousands wait: whose fault that is, since when, and when it is tried again, stands below the sums."""
    config = configured(tmp_path)
    await lay_in(config, units_tested("SN-1"))
    since = datetime(2026, 3, 17, 8, tzinfo=UTC)
    async with running(config, Report()) as bus:
        next_try = since + timedelta(minutes=5)
        hold = Hold("401 Unauthorized: token expired", since, next_try, needs_attention=True)
        await bus.journal.hold("WATS", hold)
        shown = await call(config, "ledger")
        (books,) = (await call(config, "ledger", "--json")).documents
    (line,) = (line for line in shown.out.splitlines() if line.startswith("WATS"))
    assert "is left alone since 2026-03-17" in line
    assert "somebody must mend that" in line
    assert line.endswith("401 Unauthorized: token expired")
    assert books["left_alone"] == {
        "WATS": {
            "since": "2026-03-17T08:00:00+00:00",
            "next_try": "2026-03-17T08:05:00+00:00",
            "needs_attention": True,
            "reason": "401 Unauthorized: token expired",
        }
    }
    assert (await call(config, "ledger")).code == 0


def test_the_ledger_of_a_unit(config):
    """Its deliveries, and what became of their messages."""
    (said,) = look(config, "ledger", "BAD-1", "--json").documents
    assert (said["messages"], said["difference"]) == ({"dead": 1}, 0)
    assert [one["id"] for one in said["deliveries"]] == ["3"]
    shown = look(config, "ledger", "SN-Ω")
    assert shown.out.splitlines()[-1] == "1 message = 1 done; difference 0"


async def test_a_trace_is_the_whole_story(config):
    """Received when and from where, became what, answered what, in order; then what a replay made of it."""
    told = (await call(config, "trace", "BAD-1", "--json")).documents
    assert [one["what"] for one in told] == ["received", "event", "failed", "dead"]
    received, event, failed, dead = told
    assert (received["transport"], received["address"]) == ("cfx", "line1")
    assert (event["event_type"], event["unit"]) == ("test.result", "BAD-1")
    assert failed["reason"] == 'unit "BAD-1": WATS refused the report'
    assert dead["id"] == "3"
    async with running(config, Report()):
        assert (await call(config, "dead-letters", "replay", "3")).code == 0
    told = (await call(config, "trace", event["event_id"], "--json")).documents
    assert [one["what"] for one in told] == ["received", "event", "failed", "replayed", "done"]
    assert told[-1]["detail"] == {"report": "R-BAD-1"}
    assert [one["time"] for one in told] == sorted(one["time"] for one in told)


async def test_a_trace_tells_of_being_left_alone_and_of_coming_back(tmp_path):
    """Since when, why, how often and until when; what was answered in the end."""
    config = configured(tmp_path)
    journal = journal_of(config)
    await lay_in(config)
    await journal.open()
    (envelope,) = cfx_adapter(message(units_tested("SN-7", 7)))
    routed = Routed(envelope, ("report",))
    await journal.append([Receipt(RawRecord.of(message(units_tested("SN-7", 7))), (routed,))])
    now = datetime.now(UTC)
    for after in (0, 60):
        (delivery,) = await journal.claim(
            limit=1, now=now + timedelta(seconds=after), lease_seconds=60, handlers=("report",)
        )
        away = Park(
            delivery,
            ("destination:WATS",),
            now + timedelta(seconds=after + 60),
            "DestinationUnavailable",
            "WATS: connection refused",
        )
        await journal.settle([away], now=now + timedelta(seconds=after))

    told = (await call(config, "trace", "SN-7", "--json")).documents
    assert [one["what"] for one in told] == ["received", "event", "parked", "parked"]
    assert (told[2]["times"], told[2]["reason"]) == (2, "WATS: connection refused")
    assert told[3]["parked_on"] == ["destination:WATS"]

    (delivery,) = await journal.claim(
        limit=1, now=now + timedelta(seconds=120), lease_seconds=60, handlers=("report",)
    )
    await journal.settle([Completed(delivery, {"report": "R-1"})], now=now + timedelta(seconds=121))
    lines = (await call(config, "trace", "SN-7")).rows
    assert [line[1] for line in lines] == ["received", "event", "parked", "freed", "done"]
    assert "left alone, 2 times until " in lines[2][2]
    assert lines[2][2].endswith("(DestinationUnavailable: WATS: connection refused)")
    assert lines[3][2].endswith("its turn again")
    await journal.close()


async def test_a_trace_tells_who_put_it_away(config):
    """A discarded letter has its reason and its time."""
    assert (await call(config, "dead-letters", "discard", "3", "--reason", "scrapped")).code == 0
    told = (await call(config, "trace", "BAD-1", "--json")).documents
    assert [one["what"] for one in told] == ["received", "event", "failed", "discarded"]
    assert told[-1]["rule"] == "scrapped"


def test_a_trace_reads_well(config):
    """A line for each thing: the time with its offset, a word, the rest."""
    received, event, done = look(config, "trace", "SN-Ω").rows
    assert [received[1], event[1], done[1]] == ["received", "event", "done"]
    assert received[0][-6] in "+-"
    assert done[2] == "report 2: report R-SN-Ω"


def test_a_letter_and_a_message_can_be_asked_for_by_number(config):
    """What a number is can be said; what nobody could read has a story too."""
    letter = look(config, "trace", "1", "--as", "letter", "--json").documents
    message = look(config, "trace", "1", "--as", "message", "--json").documents
    assert letter == message
    assert [one["what"] for one in letter] == ["received", "failed", "dead"]


def test_who_mistypes_is_helped(config):
    """Units that mention it are named."""
    done = look(config, "trace", "BAD")
    assert (done.code, done.out) == (1, "")
    assert "it is mentioned with BAD-2, BAD-1" in done.err
    garbage = look(config, "trace", "the garbage")
    found_by = "pywats-bridge dead-letters list '--text=the garbage'"
    assert garbage.err.endswith(f"a message that could not be read is found by: {found_by}\n")


async def test_the_journal_is_checked_copied_and_pruned_beside_a_bridge(config, tmp_path):
    """A copy is a journal; what is done goes, what is dead stays."""
    async with running(config, Report()):
        assert (await call(config, "journal", "check")).out == "the journal is sound and its books balance\n"
        target = tmp_path / "copy.journal"
        assert (await call(config, "journal", "backup", str(target))).code == 0
        again = await call(config, "journal", "backup", str(target))
        assert (again.code, len(again.err.splitlines())) == (1, 1)
        assert (await call(config, "journal", "prune")).out == "nothing was done so long ago\n"
        assert (await call(config, "journal", "prune", "--older", "0s")).out == "1 entries removed\n"
        (stats,) = (await call(config, "journal", "stats", "--json")).documents
        assert (stats["bridge_runs"], stats["received"], stats["dead"]) == (True, 4, 3)
    (tmp_path / "bridge.toml").write_text("[journal]\npath = 'copy.journal'\n")
    (stats,) = (await call(config, "journal", "stats", "--json")).documents
    assert (stats["bridge_runs"], stats["dead"]) == (False, 3)
    assert (await call(config, "journal", "prune", "--older", "0s", "--json")).documents == [{"removed": 1}]
