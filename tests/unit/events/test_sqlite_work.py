"""How the journal in SQLite works: many share a commit, and a long backlog needs no memory."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import sqlite3
import threading
from dataclasses import replace

import pytest

from pywats_events import Event, EventMetadata
from pywats_events.journal import (
    Completed,
    Delivery,
    DeliveryState,
    Fact,
    Hold,
    JournalError,
    Query,
    Receipt,
    Release,
    RetryAt,
    Routed,
    sqlite,
    sqlite_thread,
)
from pywats_events.journal import sqlite_claiming as claiming
from pywats_events.journal.sqlite_fresh import FreshOnes
from pywats_events.journal.sqlite_in_flight import Held

from .doubles import PATIENCE, result_of
from .sqlite_files import held_up, on_file, one, opened
from .test_journal import START, at, bury, claim, claim_one, ids, park, raw, receipt, settle, states


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


# --- one transaction for many -------------------------------------------------------------------------------


async def test_many_appends_share_a_commit(path):
    """Two hundred that write at the same time wait for a few commits, not for two hundred."""
    async with opened(path) as journal:
        before = journal._writer.commits
        answers = await asyncio.gather(*(journal.append([one(f"u{n}")]) for n in range(200)))

        assert [answer.new for (answer,) in answers] == [(f"u{n}",) for n in range(200)]
        assert journal._writer.commits - before <= 20


async def test_few_wait_for_the_many_who_have_just_been_answered(path, monkeypatch):
    """Whoever has an answer often asks again at once: that goes into the commit of what waits already."""
    monkeypatch.setattr(sqlite, "GROUP", 3)  # the fact is left for another commit than the first three events

    async def append_two(journal, name):
        await journal.append([one(f"{name}1")])
        await journal.append([one(f"{name}2")])

    async with opened(path) as journal:
        async with held_up(journal):
            before = journal._writer.commits
            events = [asyncio.ensure_future(append_two(journal, name)) for name in "abc"]
            fact = asyncio.ensure_future(journal.remember([Fact("recipe", {}, START)]))
            await journal.search(Query())
        await asyncio.gather(*events, fact)

        assert journal._writer.commits - before == 3  # of what held it up, of three events, of the rest


@pytest.mark.parametrize(("waits", "commits"), [(0.0, 2), (1.0, 1)])
async def test_half_of_those_who_take_turns_share_a_commit_where_the_disk_is_fast(
    path, monkeypatch, waits, commits
):
    """While SQLite works for one half the loop works for the other; on a slow disk all share one commit."""
    monkeypatch.setattr(sqlite_thread, "_WEIGHT", 0.0)  # how long commits wait is said here
    async with opened(path) as journal:
        journal._writer._waits = waits
        async with held_up(journal):
            before = journal._writer.commits
            events = [asyncio.ensure_future(journal.append([one(f"u{n}")])) for n in range(40)]
            await journal.search(Query())
        await asyncio.gather(*events)

        assert journal._writer.commits - before == 1 + commits  # one is of what held it up


async def test_the_fast_way_is_open_from_the_start(path):
    """What opens a journal does not count as a statement that has failed."""
    async with opened(path) as journal:
        assert journal._writer._pause == 0


async def test_nobody_waits_long_for_a_loop_that_is_busy(path, monkeypatch):
    """A commit waits a moment for those who have been answered, however much others ask meanwhile."""
    async with opened(path) as journal:
        writer, now = journal._writer, iter(range(1000))
        await writer.stop()
        for _ in range(20):
            writer._jobs.put([])  # something else is asked for, second by second
        monkeypatch.setattr(sqlite_thread, "_PATIENCE", 5)
        monkeypatch.setattr(sqlite_thread.time, "monotonic", lambda: next(now))
        writer._wait_for_more()

        assert writer._jobs.qsize() == 16


async def test_a_slow_disk_is_noticed(path, monkeypatch):
    """Commits that wait much longer than they work are soon shared by all who take turns."""
    times = iter(range(10_000))
    monkeypatch.setattr(sqlite_thread.time, "perf_counter", lambda: next(times) * 10.0)
    async with opened(path) as journal:
        for turn in range(5):
            await asyncio.gather(*(journal.append([one(f"u{turn}-{n}")]) for n in range(40)))
        before = journal._writer.commits
        await asyncio.gather(*(journal.append([one(f"v{n}")]) for n in range(40)))

        assert journal._writer.commits - before == 1


async def test_who_looks_shares_no_transaction(path):
    """What people look up is read one by one, also from a slow disk: one that takes long holds up few."""
    async with opened(path) as journal:
        reader = journal._reader
        reader._waits = 1.0
        before = reader.commits
        await asyncio.gather(*(journal.search(Query()) for _ in range(6)))

        assert reader.commits - before == 6


async def test_one_that_fails_does_not_take_the_others_along(path):
    """Something that can't be written fails by itself, as a whole; what shares its commit is written."""
    async with opened(path) as journal:
        poison = result_of("P", "poison", broken=object())
        async with held_up(journal):
            before = journal._writer.commits
            good = asyncio.ensure_future(journal.append([one("a")]))
            bad = asyncio.ensure_future(journal.append([one("b"), receipt(poison)]))
            other = asyncio.ensure_future(journal.append([one("c")]))
            await asyncio.wait([asyncio.ensure_future(journal.search(Query()))])
        await asyncio.wait([good, bad, other])

        assert isinstance(bad.exception(), TypeError)
        assert (good.exception(), other.exception()) == (None, None)
        assert journal._writer.commits - before == 2
        assert await states(journal) == {"a": DeliveryState.PENDING, "c": DeliveryState.PENDING}
        assert (await journal.stats()).received == {"amqp": 2}


async def test_an_error_that_ends_the_transaction_costs_only_its_own(path):
    """Where SQLite rolls everything back because of one job, the others are done once more."""

    def break_all(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        connection.execute("SELECT * FROM nothing")

    async with opened(path) as journal:
        async with held_up(journal):
            good = asyncio.ensure_future(journal.append([one("a")]))
            bad = asyncio.ensure_future(journal._writer.ask(break_all))
            other = asyncio.ensure_future(journal.append([one("b")]))
            await asyncio.wait([asyncio.ensure_future(journal.search(Query()))])
        await asyncio.wait([good, bad, other])

        assert isinstance(bad.exception(), JournalError)
        assert (good.result()[0].new, other.result()[0].new) == (("a",), ("b",))
        assert ids(await claim(journal)) == ["a", "b"]


async def test_one_that_fails_among_many_costs_few_commits(path):
    """The others of a large group still share their commits, and lose nothing."""

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO notes VALUES ('half', '1')")
        raise LookupError("not there")

    async with opened(path) as journal:
        async with held_up(journal):
            before = journal._writer.commits
            good = [asyncio.ensure_future(journal.append([one(f"u{n}")])) for n in range(100)]
            bad = asyncio.ensure_future(journal._writer.ask(fail))
            good += [asyncio.ensure_future(journal.append([one(f"v{n}")])) for n in range(100)]
            await journal.search(Query())
        await asyncio.wait([*good, bad])

        assert isinstance(bad.exception(), LookupError)
        assert [len(task.result()[0].new) for task in good] == [1] * 200
        assert journal._writer.commits - before <= 12
        assert await journal.notes("half") == {}
        stats = await journal.stats()
        assert (stats.events, stats.open) == (200, 200)
        assert (await journal.ledger()).difference == 0


async def test_looking_does_not_wait_for_the_writer(path):
    """People can look while the writer is busy, and the loop runs on."""
    async with opened(path) as journal:
        await journal.append([one("a")])
        async with held_up(journal), asyncio.timeout(PATIENCE / 2):
            (entry,) = await journal.search(Query())
            assert await journal.raw(entry.message_id) is not None
            assert (await journal.stats()).open == 1


async def test_a_full_disk_is_told_and_gone_when_there_is_room(path):
    """When nothing fits any more the append is refused as a whole; with room it goes on as before."""
    async with opened(path) as journal:
        ((pages,),) = await on_file(journal, "PRAGMA page_count")
        await on_file(journal, f"PRAGMA max_page_count = {pages + 40}")
        written: list[str] = []

        async def fill() -> None:
            while len(written) < 100:
                name = f"u{len(written)}"
                await journal.append([one(name, record=raw(os.urandom(20_000)))])
                written.append(name)

        with pytest.raises(JournalError, match=r"full; make room"):
            await fill()
        assert written
        stats = await journal.stats()
        assert (stats.events, stats.open) == (len(written), len(written))

        await on_file(journal, "PRAGMA max_page_count = 1000000")
        await journal.append([one("later")])
        assert ids(await claim(journal)) == [*written, "later"]


async def test_who_has_asked_a_writer_that_dies_is_told(path, monkeypatch):
    """Whatever ends the writer, nobody waits for ever: not for what it has begun, nor for what comes then."""

    def die(_connection, _jobs):
        raise SystemError("lost")

    async with opened(path) as journal:
        monkeypatch.setattr(journal._writer, "_commit", die)
        monkeypatch.setattr(journal._writer, "_shortcut", None)
        async with asyncio.timeout(PATIENCE):
            answers = await asyncio.gather(
                *(journal.append([one(f"u{n}")]) for n in range(30)), return_exceptions=True
            )

            with pytest.raises(JournalError, match=r"its thread has failed: SystemError\('lost'\)"):
                await journal.append([one("later")])

        assert {type(answer) for answer in answers} == {JournalError}
        assert all("its thread has failed" in str(answer) for answer in answers)


async def test_what_is_handed_over_too_late_is_refused(path):
    """Who has asked just before the writer ended is told so, and does not wait for ever."""
    async with opened(path) as journal:
        writer = journal._writer
        await writer.stop()
        writer._stopping = False  # as it was when the question was asked
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(JournalError, match=r"is closed; open it first"):
                await journal.append([one("a")])
        writer._stopping = True


# --- who goes away ------------------------------------------------------------------------------------------


async def test_a_claim_whose_caller_has_gone_is_given_back(path, monkeypatch):
    """A worker that is cancelled while its claim is on the way holds nothing."""
    loop, begun, gate, real = (
        asyncio.get_running_loop(),
        asyncio.Event(),
        threading.Event(),
        claiming.claim_fresh,
    )

    def slow(*arguments, **options):
        loop.call_soon_threadsafe(begun.set)
        gate.wait(PATIENCE)
        return real(*arguments, **options)

    async with opened(path) as journal:
        await journal.append([one("a")])
        monkeypatch.setattr(claiming, "claim_fresh", slow)
        worker = asyncio.ensure_future(claim(journal))
        await begun.wait()
        worker.cancel()
        await asyncio.wait([worker])
        gate.set()

        async with asyncio.timeout(PATIENCE):
            await journal.wait_ready(now=START, timeout=60)
        again = await claim_one(journal)
        assert (again.event.id, again.attempts) == ("a", 0)


async def test_a_claim_that_arrives_too_late_is_given_back(path, monkeypatch):
    """A worker that is cancelled when its answer is there, before it has seen it, holds nothing."""
    async with opened(path) as journal:
        await journal.append([one("a")])
        real = journal._writer._deliver

        def deliver_and_cancel(outcomes):
            real(outcomes)
            worker.cancel()

        monkeypatch.setattr(journal._writer, "_deliver", deliver_and_cancel)
        worker = asyncio.ensure_future(claim(journal))
        await asyncio.wait([worker])
        assert worker.cancelled()
        monkeypatch.undo()

        async with asyncio.timeout(PATIENCE):
            await journal.wait_ready(now=START, timeout=60)
        assert ids(await claim(journal)) == ["a"]


async def test_an_append_that_has_not_begun_is_taken_back(path):
    """Whoever goes away before the writer had time for it leaves nothing behind."""
    async with opened(path) as journal:
        async with held_up(journal):
            append = asyncio.ensure_future(journal.append([one("a")]))
            await journal.search(Query())
            append.cancel()
            await asyncio.wait([append])
        assert (await journal.append([one("b")]))[0].new == ("b",)
        assert await states(journal) == {"b": DeliveryState.PENDING}


async def test_waiting_does_not_end_for_what_cannot_be_taken(path):
    """What was seen and left, because its handler can't run, does not wake the worker again and again."""
    async with opened(path) as journal:
        await journal.append([one("a")])
        await claim(journal, handlers=())
        waiting = asyncio.ensure_future(journal.wait_ready(now=START, timeout=60))
        for _ in range(5):
            await journal.stats()
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert ids(await claim(journal)) == ["a"]


async def test_a_change_between_two_claims_of_a_round_is_not_missed(path):
    """What comes for one handler while the worker asks for another's is found at once."""
    async with opened(path) as journal:
        await claim(journal)
        await journal.append([one("a")])
        await claim(journal, handlers=("assets",))

        async with asyncio.timeout(PATIENCE):
            await journal.wait_ready(now=START, timeout=60)
        assert ids(await claim(journal)) == ["a"]


# --- what is odd, and what is much --------------------------------------------------------------------------


async def test_texts_that_no_utf8_can_hold(path):
    """Half of a surrogate pair, which JSON allows, and a zero come out as they went in."""
    event = Event("test.result", {"unit_id": "U\ud800\x00", "n": "\udfff"}, id="e\ud800")
    async with opened(path) as journal:
        await journal.append([receipt(event, handlers=("h\ud800",))])
        assert (await journal.append([receipt(event)]))[0].duplicates == (event.id,)
        found = await journal.search(Query(key=event.key, event_id=event.id, source=event.source))
        assert [entry.event for entry in found] == [event]
        delivery = await claim_one(journal, handlers=("h\ud800",))
        await settle(journal, bury(delivery, reason="r\ud800"))
        (entry,) = await journal.search(Query(text="\ud800"))
        assert (entry.reason, entry.attempts[0].reason) == ("r\ud800", "r\ud800")
        assert (await journal.stats()).count(DeliveryState.DEAD) == 1


async def test_an_event_that_cannot_be_read_any_more_is_dead(path):
    """A damaged row is a dead letter, and the next of its key comes."""
    async with opened(path) as journal:
        await journal.append([receipt(result_of("A", "a1"), result_of("A", "a2"))])
        await on_file(journal, "UPDATE events SET document = '{' WHERE id = 'a1'")
    async with opened(path) as journal:
        assert ids(await claim(journal)) == ["a2"]
        (entry,) = await journal.search(Query(states=(DeliveryState.DEAD,)))
        assert (entry.event, entry.error) == (None, "EventFormatError")


async def test_nothing_reads_a_whole_table(path):
    """Whatever a bus does, and the ways by which people look, goes by an index."""
    asked: set[str] = set()
    async with opened(path) as journal:
        for thread in (journal._writer, journal._reader):
            await thread.ask(lambda connection: connection.set_trace_callback(asked.add))
        await journal.append([one(name) for name in "abcdef"])
        await journal.append([one("a", facts=(Fact("unit:A", {}, START),))])
        a, b, c, d, e, _ = await claim(journal)
        await journal.extend([a], now=at(1), lease_seconds=60)
        await settle(
            journal, Completed(a), bury(b), RetryAt(c, at(2), "E", "why"), park(d, "unit:A"), bury(e)
        )
        await journal.remember([Fact("unit:A", {}, START)])
        await claim(journal, seconds=3)
        await journal.replay(Query(event_id="b"), now=at(4))
        await journal.discard(Query(), reason="scrap", now=at(5))
        for query in (
            Query(event_id="a"),
            Query(key="a"),
            Query(ids=("1", "2")),
            Query(states=(DeliveryState.DEAD,)),
        ):
            await journal.search(query)
        await journal.raw("1")
        await journal.stats()
        await journal.recall(["unit:A"])
        for thread in (journal._writer, journal._reader):
            await thread.ask(lambda connection: connection.set_trace_callback(None))

        statements = [sql for sql in asked if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE)", sql)]
        assert len(statements) > 40
        for sql in statements:
            for *_, step in await on_file(journal, f"EXPLAIN QUERY PLAN {sql}"):
                assert not re.fullmatch(r"SCAN (deliveries|events|messages|bodies|parked|facts)", step), sql


async def test_what_is_claimed_is_nobody_elses(path):
    """A handler has the event as it was journalled, whatever is done to the one that was appended."""
    event = result_of("A", "a")
    written = event.to_json()
    async with opened(path) as journal:
        await journal.append([receipt(event)])
        event.payload["result"] = "changed by who published it"
        first = await claim_one(journal)
        assert first.event.to_json() == written

        first.event.payload["result"] = "changed by a handler"
        await settle(journal, Release(first))
        assert (await claim_one(journal)).event.to_json() == written


async def test_the_event_of_a_claim_is_made_when_it_is_asked_for(path):
    """A claim that is only given back or settled costs no reading; one that is looked at is read once."""
    async with opened(path) as journal:
        await journal.append([one("a")])
        first = await claim_one(journal)
        assert not _has_event(first)
        await settle(journal, Release(first))
        again = await claim_one(journal)
        assert again.event.id == "a"
        assert again.event is again.event
        assert _has_event(again)
        with pytest.raises(AttributeError, match="evnt"):
            _ = again.evnt


async def test_an_event_that_is_nested_deep_is_read_by_the_claim(path):
    """Reading it may fail: a claim says that, and not the handler."""
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    async with opened(path) as journal:
        await journal.append([receipt(result_of("A", "a", deep=deep))])
        claimed = await claim_one(journal)
        assert _has_event(claimed)
        assert claimed.event.payload["deep"] == deep


def _has_event(delivery):
    try:
        Delivery.event.__get__(delivery)
    except AttributeError:
        return False
    return True


def test_what_is_kept_for_the_next_claim_has_an_end():
    """Of what was just written as much is kept as is good for speed; large events are fewer."""
    small, large = FreshOnes(), FreshOnes()
    for seq in range(5000):
        for fresh, document in ((small, b"{}"), (large, bytes(1024 * 1024))):
            held = Held(seq, "h", "k", seq, "id", None, "", is_alone=True, first_seen=0, document=document)
            fresh.note([held])

    assert [held.seq for held in small.take((0, 3000, 4999))] == [4999]
    assert len(large.take(range(5000))) == 8


async def test_a_backlog_takes_no_memory(path):
    """Twenty thousand pending events take a file, not memory."""
    async with opened(path) as journal:
        await journal.append([one("first")])
        before = len(gc.get_objects())
        for first in range(0, 20_000, 500):
            names = [f"u{n}" for n in range(first, first + 500)]
            await journal.append([receipt(result_of(name, name)) for name in names])
        del names
        gc.collect()

        assert len(gc.get_objects()) - before < 2_000
        assert len(await claim(journal, limit=32)) == 32
        assert (await journal.stats()).open == 20_001


# --- the short way and the long way -------------------------------------------------------------------------


async def test_both_ways_of_writing_leave_the_same(tmp_path):
    """What goes into the file in one statement stands there as what goes in step by step."""
    pair = (result_of("P", "p1"), result_of("Q", "q1"))
    # a nought is no blank
    nought = replace(result_of("0", "n"), key="panel", metadata=EventMetadata(message_name="0"))

    async def rows(path, *, is_short: bool) -> list[list[tuple[object, ...]]]:
        async with opened(path) as journal:
            if not is_short:
                journal._writer._shortcut = None
            await journal.append([one("a"), one("b", record=raw(b"b"))])
            await journal.append([receipt(*pair, record=raw(b"pq")), receipt(result_of("A", "a2"))])
            await journal.append([one("c", handlers=()), one("d", handlers=("reports", "assets"))])
            await journal.append([Receipt(None, (Routed(result_of("E", "e"), ("reports", "assets")),))])
            await journal.append([receipt(nought)])
            empty = replace(raw(b""), content_type=None)
            await journal.append([receipt(replace(nought, id="n2"), record=empty)])
            await journal.append([one("a")])  # known
            first = await claim(journal, limit=3)
            await settle(journal, *map(Completed, first))
            await settle(journal, *map(Completed, await claim(journal, handlers=("reports", "assets"))))
            assert (await journal.ledger()).difference == 0
            assert await journal.check() == []
            return [
                await on_file(journal, sql)
                for sql in (
                    "SELECT pk, id, document IS NULL FROM events ORDER BY id",
                    """
                    SELECT message, event, handler, key, unit, state, ready, tries, due, event_type, source,
                        message_name, fingerprint FROM deliveries ORDER BY seq
                    """,
                    "SELECT id, parts, transport, address, content_type, properties FROM messages",
                    "SELECT message, body FROM bodies",
                    "SELECT handler, state, number FROM tally WHERE number ORDER BY 1, 2",
                    "SELECT name, transport, number FROM counters WHERE number ORDER BY 1, 2",
                )
            ]

    short = await rows(tmp_path / "short.db", is_short=True)
    assert short == await rows(tmp_path / "long.db", is_short=False)
    assert len(short[1]) == 11


async def test_a_claim_of_what_was_just_written_is_not_a_commit(path):
    """Claiming changes nothing in the file, so nobody waits for the disk."""
    async with opened(path) as journal:
        await journal.append([one("a"), one("b")])
        before = journal._writer.commits

        assert ids(await claim(journal)) == ["a", "b"]
        assert journal._writer.commits == before


async def test_a_hold_from_the_future_is_due(path):
    """A clock that was set back leaves no destination alone for longer."""
    async with opened(path) as journal:
        await journal.hold("wats", Hold("down", since=at(3600), probe_at=at(3630)))

        assert await journal.try_probe("wats", now=START, lease_seconds=10)
        assert not await journal.try_probe("wats", now=at(5), lease_seconds=10)
