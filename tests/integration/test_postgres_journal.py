"""What the journal in PostgreSQL promises beyond the contract: to those who share it, and of its server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from brokers.ports import free_ports
from brokers.postgres import PostgreSQL

from pywats_events import Event, EventType, RawMessage, Unreadable
from pywats_events.journal import (
    Attempt,
    Bury,
    Completed,
    DeliveryState,
    Fact,
    Hold,
    JournalError,
    JournalFull,
    Park,
    Parking,
    Query,
    RawRecord,
    Receipt,
    RetryAt,
    Routed,
)
from pywats_events.journal.postgres import PostgresJournal
from pywats_events.journal.postgres_connection import Server
from pywats_events.journal.postgres_questions import APPEND, CLAIM, AppendRequest, ClaimRequest
from pywats_events.journal.postgres_schema import MIGRATIONS
from pywats_events.journal.stored_values import stamp

START = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
H = "reports"
PATIENCE = 20.0


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def receipt(unit: str, event_id: str, *, seconds: float = 0, body: bytes = b"body", facts=()) -> Receipt:
    event = Event(EventType.TEST_RESULT, {"unit_id": unit}, source="//Acme/ICT1", id=event_id)
    raw = RawRecord.of(RawMessage(body=body, transport="amqp", received_at=at(seconds)))
    return Receipt(raw, (Routed(event, (H,)),), (), tuple(facts))


async def claim(journal: PostgresJournal, *, seconds: float = 0, limit: int = 100, lease: float = 60):
    return await journal.claim(limit=limit, now=at(seconds), lease_seconds=lease, handlers=(H,))


def ids(deliveries) -> list[str]:
    return [delivery.event.id for delivery in deliveries]


@asynccontextmanager
async def opened(*urls: str, **options) -> AsyncIterator[list[PostgresJournal]]:
    """Open journals: one URL given several times is one journal of several processes."""
    async with AsyncExitStack() as stack:
        journals = [PostgresJournal(url, **options) for url in urls]
        for journal in journals:
            stack.push_async_callback(journal.close)
        await asyncio.gather(*(journal.open() for journal in journals))
        yield journals


@pytest.fixture
def url(postgres: PostgreSQL) -> str:
    return postgres.fresh()


# --- tables of before ---------------------------------------------------------------------------------------


async def test_tables_of_version_1_show_the_history_that_they_have(postgres, url):
    """Tries that failed are there; what is left alone since before goes on from there."""
    async with opened(url) as (journal,):
        await journal.append([receipt("A", "failed"), receipt("B", "parked")])
        failed, parked = await claim(journal)
        left_alone = Park(parked, ("destination:WATS",), None, "E", "WATS is down")
        await journal.settle([RetryAt(failed, at(9), "E", "busy"), left_alone], now=at(1))
    for column in ("parks", "parked_since", "parked_last", "freed"):
        postgres.run(f"ALTER TABLE deliveries DROP COLUMN {column}", url=url)
    postgres.run("UPDATE journal_version SET version = 1", url=url)

    async with opened(url) as (journal,):
        found = await journal.search(Query())
        assert [entry.history for entry in found] == [
            (Attempt(at(1), "E", "busy"),),
            (Parking(at(1), "E", "WATS is down", 1, at(1), None),),
        ]
        assert await journal.unpark("destination:WATS") == 1
        assert ids(await claim(journal)) == ["parked"]


# --- those who share it -------------------------------------------------------------------------------------


async def test_those_that_start_at_once_make_the_tables_once(postgres, url):
    """Of many that open an empty schema together one makes the tables; all can work then."""
    async with opened(*[url] * 6) as journals:
        for number, journal in enumerate(journals):
            await journal.append([receipt("U", f"e{number}")])

        assert postgres.run("SELECT version FROM journal_version", url=url) == [(len(MIGRATIONS),)]
        assert len(await journals[0].search(Query())) == 6


async def test_a_change_wakes_those_that_wait_elsewhere(url):
    """Who waits for work is woken by what another process writes down."""
    async with opened(url, url) as (here, there):
        assert await claim(there) == []
        assert await claim(there) == []
        async with asyncio.timeout(PATIENCE):
            waiting = asyncio.ensure_future(there.wait_ready(now=START, timeout=600))
            await here.append([receipt("U", "e")])
            await waiting
        assert ids(await claim(there)) == ["e"]


async def test_one_of_a_lane_is_in_flight_over_all(url):
    """What one process has in flight holds up its lane for all others, and nothing else."""
    async with opened(url, url) as (here, there):
        await here.append([receipt("A", "a1"), receipt("A", "a2"), receipt("B", "b1")])
        (first,) = await claim(here, limit=1)

        assert ids(await claim(there)) == ["b1"]
        await here.settle([Completed(first)], now=at(1))
        assert ids(await claim(there, seconds=1)) == ["a2"]


async def test_an_id_is_new_once_over_all(url):
    """The same messages, received by many processes at once, make each event once."""
    async with opened(*[url] * 4) as journals:
        same = [[receipt(f"U{n}", f"e{n}")] for n in range(50)]
        answers = await asyncio.gather(*(journal.append(one) for journal in journals for one in same))

        assert sorted(new for (answer,) in answers for new in answer.new) == sorted(
            f"e{n}" for n in range(50)
        )
        stats = await journals[0].stats()
        assert (stats.events, stats.received["amqp"], stats.duplicates["amqp"]) == (50, 200, 150)


async def test_nothing_younger_is_given_before_what_could_still_commit(url):
    """While an older event is written but not committed, a younger one of its unit can't get past it."""
    async with opened(url, url) as (here, there), await psycopg.AsyncConnection.connect(url) as slow:
        older = AppendRequest.of([receipt("U", "older")], stamp(START))
        await slow.execute(APPEND.statement.encode(), APPEND.parameters([older]))  # and no commit
        younger = asyncio.ensure_future(here.append([receipt("U", "younger")]))
        claimed = asyncio.ensure_future(claim(there))
        await _blocked(url, 2)
        assert not younger.done()

        await slow.commit()
        await younger
        given = await claimed or await claim(there)

        assert ids(given) == ["older"]
        assert await claim(here) == []
        assert [entry.event.id for entry in await here.search(Query()) if entry.event] == ["older", "younger"]


async def _blocked(url: str, number: int) -> None:
    """Wait until so many sessions wait for their turn."""
    async with asyncio.timeout(PATIENCE), await psycopg.AsyncConnection.connect(url, autocommit=True) as look:
        while True:
            found = await look.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND state = 'active'"
            )
            if (await found.fetchall())[0][0] >= number:
                return


async def test_order_is_kept_whoever_writes_and_whoever_works(url):
    """Four write events of few units, four work on them: each unit's events are handled in journal order."""
    async with opened(*[url] * 4) as journals:
        handled: list[tuple[str, str]] = []
        running: set[str] = set()

        async def write(number: int, journal: PostgresJournal) -> None:
            for n in range(25):
                await journal.append([receipt(f"U{n % 3}", f"e{number}-{n}")])

        async def work(journal: PostgresJournal) -> None:
            while len(handled) < 100:
                claimed = await claim(journal, limit=2)
                for one in claimed:
                    assert one.event.key not in running
                    running.add(one.event.key)
                for one in claimed:
                    handled.append((one.event.key, one.event.id))
                    running.discard(one.event.key)
                    await journal.settle([Completed(one)], now=START)
                if not claimed:
                    await journal.wait_ready(now=START, timeout=0.2)

        async with asyncio.timeout(60):
            await asyncio.gather(*(write(n, one) for n, one in enumerate(journals)), *map(work, journals))

        entries = await journals[0].search(Query(limit=1000))
        for unit in ("U0", "U1", "U2"):
            journalled = [one.event.id for one in entries if one.event and one.event.key == unit]
            assert [event_id for key, event_id in handled if key == unit] == journalled
        assert (await journals[0].ledger()).difference == 0


async def test_a_lease_is_taken_over_and_the_late_verdict_is_void(url):
    """What a process had whose lease ended is given to another, and what the first says of it is void."""
    async with opened(url, url) as (here, there):
        await here.append([receipt("A", "a")])
        (lost,) = await claim(here, lease=30)
        assert await claim(there, seconds=29) == []
        (held,) = await claim(there, seconds=30)

        assert await here.settle([Bury(lost, "E", "late")], now=at(31)) == []
        await here.extend([lost], now=at(31), lease_seconds=900)
        assert await there.settle([Completed(held)], now=at(32)) == ["a"]


async def test_clocks_of_hosts_may_differ(url):
    """A host whose clock is ten minutes fast takes nothing before its time, and names times in its own."""
    ahead = timedelta(minutes=10)
    now = datetime.now(UTC)
    async with opened(url) as (here,), opened(url, clock=lambda: datetime.now(UTC) + ahead) as (there,):
        await here.append([receipt("A", "a"), receipt("B", "b")])
        held, failed = await here.claim(limit=2, now=now, lease_seconds=60, handlers=(H,))
        await here.settle([RetryAt(failed, now + timedelta(seconds=60), "E", "busy")], now=now)

        soon = now + ahead + timedelta(seconds=50)
        assert await there.claim(limit=9, now=soon, lease_seconds=60, handlers=(H,)) == []
        (entry,) = await there.search(Query(event_id="b"))
        assert entry.retry_at is not None
        assert abs(entry.retry_at - (now + ahead + timedelta(seconds=60))) < timedelta(seconds=5)
        later = now + ahead + timedelta(seconds=70)
        assert ids(await there.claim(limit=9, now=later, lease_seconds=60, handlers=(H,))) == ["a", "b"]
        assert await here.settle([Completed(held)], now=now) == []


async def test_a_destination_is_held_for_all(url):
    """What one bridge leaves alone all leave alone, and one at a time tries whether it is back."""
    async with opened(url, url) as (here, there):
        await here.hold("WATS", Hold("it is down", START, at(10)))
        assert await there.holds() == {"WATS": Hold("it is down", START, at(10))}

        both = (one.try_probe("WATS", now=at(10), lease_seconds=30) for one in (here, there))
        assert sorted(await asyncio.gather(*both)) == [False, True]
        assert await there.try_probe("WATS", now=at(39), lease_seconds=30) is False
        assert await there.try_probe("WATS", now=at(40), lease_seconds=30) is True
        await there.hold("WATS", None)
        assert await here.holds() == {}


async def test_facts_and_announcements_free_what_others_parked(url):
    """What one process parked comes free by what another learns or announces."""
    async with opened(url, url) as (here, there):
        await here.append([receipt("A", "a"), receipt("B", "b")])
        first, second = await claim(here)
        verdicts = [
            Park(first, ("unit:A",), None, "E", "why"),
            Park(second, ("destination:X",), None, "E", "why"),
        ]
        await here.settle(verdicts, now=START)

        await there.append([receipt("C", "c", facts=[Fact("unit:A", {"part": "P"}, START)])])
        assert ids(await claim(here)) == ["a", "c"]
        assert await there.unpark("destination:X") == 1
        assert ids(await claim(here)) == ["b"]
        assert await here.recall(["unit:A", "unit:B"]) == {"unit:A": {"part": "P"}}


# --- many in one commit -------------------------------------------------------------------------------------


async def test_many_callers_share_a_commit(url):
    """Two hundred that write at the same time wait for a few commits, not for two hundred."""
    async with opened(url) as (journal,):
        assert journal._writer is not None
        before = journal._writer.commits
        many = [[receipt(f"U{n}", f"e{n}")] for n in range(200)]
        answers = await asyncio.gather(*map(journal.append, many))

        assert [answer.new for (answer,) in answers] == [(f"e{n}",) for n in range(200)]
        assert journal._writer.commits - before <= 5


async def test_claims_that_share_a_commit_share_no_delivery(url):
    """Many who claim at the same time get different deliveries, oldest first, none more than asked for."""
    async with opened(url) as (journal,):
        await journal.append([receipt(f"U{n}", f"e{n:02}") for n in range(20)])
        claims = await asyncio.gather(*(claim(journal, limit=3) for _ in range(8)))

        assert [len(one) for one in claims] == [3, 3, 3, 3, 3, 3, 2, 0]
        assert [event_id for one in claims for event_id in ids(one)] == [f"e{n:02}" for n in range(20)]


async def test_one_that_fails_does_not_take_the_others_along(url):
    """Something that can't be written fails by itself, as a whole; what shares its commit is written."""
    async with opened(url) as (journal,):
        poison = receipt("P", "poison")
        poison.events[0].event.payload["broken"] = object()
        results = await asyncio.gather(
            journal.append([receipt("A", "a")]),
            journal.append([receipt("B", "b"), poison]),
            journal.append([receipt("C", "c")]),
            claim(journal),
            return_exceptions=True,
        )

        assert isinstance(results[1], TypeError)
        assert {entry.event.id for entry in await journal.search(Query()) if entry.event} == {"a", "c"}
        assert (await journal.stats()).received == {"amqp": 2}


async def test_what_the_server_refuses_takes_nothing_along(url):
    """An error of the server undoes its own call as a whole, and no other call of the same commit."""
    async with opened(url) as (journal,):
        too_many = journal.claim(limit=2**40, now=START, lease_seconds=1, handlers=(H,))
        good, failed = await asyncio.gather(
            journal.append([receipt("A", "a")]), too_many, return_exceptions=True
        )

        assert good[0].new == ("a",)
        assert isinstance(failed, psycopg.DataError)
        assert (await journal.stats()).received == {"amqp": 1}


async def test_a_claim_nobody_waits_for_is_given_back(url):
    """What was claimed for somebody who has gone meanwhile is pending again, with no try spent."""
    async with opened(url) as (journal,):
        await journal.append([receipt("A", "a")])
        async with await psycopg.AsyncConnection.connect(url) as other:
            await other.execute("SELECT turn()")
            gone = asyncio.ensure_future(claim(journal))
            await _blocked(url, 1)
            gone.cancel()
            await asyncio.wait([gone])
        async with asyncio.timeout(PATIENCE):
            while not (again := await claim(journal)):
                await journal.wait_ready(now=START, timeout=0.1)

        assert [(one.event.id, one.attempts) for one in again] == [("a", 0)]


async def test_the_sums_stay_true_when_they_are_folded(postgres, url):
    """Bringing the sums together changes none of them."""
    async with opened(url) as (journal,):
        for n in range(20):
            await journal.append([receipt(f"U{n}", f"e{n}")])
            (one,) = await claim(journal)
            await journal.settle([Completed(one) if n % 2 else Bury(one, "E", "why")], now=START)
        before = await journal.stats(), await journal.ledger()
        postgres.run("SELECT fold_sums()", url=url)

        assert (await journal.stats(), await journal.ledger()) == before
        assert postgres.run("SELECT count(*) < 10 FROM sums", url=url) == [(True,)]
        assert before[1].difference == 0


# --- whatever comes in --------------------------------------------------------------------------------------

STRANGE = [
    "\x00",
    "a\x00b",
    "\ud800 half",
    "\x1a",
    "\x1a0000",
    "\N{FIRE}",
    "x" * 10_000,
    "'; DROP TABLE events",
]


@pytest.mark.parametrize("strange", STRANGE, ids=range(len(STRANGE)))
async def test_strange_texts_come_out_as_they_went_in(url, strange):
    """Ids, keys, sources and reasons that no database likes are kept as they are, and found."""
    async with opened(url) as (journal,):
        event = Event(EventType.TEST_RESULT, {"unit_id": strange}, source=strange, id=strange)
        raw = RawRecord.of(RawMessage(b"\x00", transport=strange, address=strange, received_at=START))
        broken = Unreadable("part " + strange, strange, strange, strange, strange)
        facts = (Fact(strange, {strange: strange}, START),)
        await journal.append([Receipt(raw, (Routed(event, (strange, "other")),), (broken,), facts)])
        (one,) = await journal.claim(limit=1, now=START, lease_seconds=60, handlers=(strange,))
        await journal.settle([Park(one, (strange,), None, strange, strange)], now=START)

        assert (one.event, one.handler) == (event, strange)
        (entry,) = await journal.search(Query(event_id=strange, handler=strange))
        assert (entry.parked_on, entry.error, entry.reason) == ((strange,), strange, strange)
        (found,) = await journal.search(Query(key=strange, handler="other"))
        assert found.event == event
        (part,) = await journal.search(Query(event_id="part " + strange))
        assert (part.part_id, part.reason, part.source) == ("part " + strange, strange, strange)
        assert part.message_id is not None
        assert await journal.raw(part.message_id) == raw
        assert await journal.recall([strange]) == {strange: {strange: strange}}
        assert (await journal.stats()).received == {strange: 1}
        assert (await journal.append([Receipt(raw, (Routed(event, (strange,)),))]))[0].duplicates == (
            strange,
        )


@pytest.mark.parametrize("nonsense", ["", "x", "-1", "9" * 30, "٣"])
async def test_ids_that_are_none_find_nothing(url, nonsense):
    """What is no id of ours is the id of nothing."""
    async with opened(url) as (journal,):
        await journal.append([receipt("A", "a")])

        assert await journal.raw(nonsense) is None
        assert await journal.search(Query(ids=(nonsense,))) == []
        assert await journal.search(Query(message_id=nonsense)) == []


async def test_large_messages_go_one_by_one(url):
    """Messages of many megabytes are kept as they are, and not sent in one statement together."""
    large = [bytes([n]) + os.urandom(9_000_000) for n in range(3)]
    async with opened(url) as (journal,):
        many = [[receipt(f"U{n}", f"e{n}", body=body)] for n, body in enumerate(large)]
        assert journal._writer is not None
        before = journal._writer.commits
        await asyncio.gather(*map(journal.append, many))

        assert journal._writer.commits - before == 3
        kept = [await journal.raw(entry.message_id or "") for entry in await journal.search(Query())]
        assert sorted(one.body for one in kept if one) == large


# --- the server ---------------------------------------------------------------------------------------------


async def test_a_server_that_forgets_is_refused(postgres):
    """With synchronous_commit off a crash would lose what was acknowledged, so it is not begun."""
    forgetful = postgres.fresh() + "%20-csynchronous_commit%3Doff"
    with pytest.raises(JournalError, match=r"synchronous_commit is off there.*switch it on"):
        await PostgresJournal(forgetful).open()


async def test_a_newer_journal_is_refused(postgres, url):
    """Tables of a newer version are left alone."""
    async with opened(url):
        pass
    postgres.run("INSERT INTO journal_version SELECT max(version) + 1, now() FROM journal_version", url=url)
    with pytest.raises(JournalError, match=r"written by a newer version.*install that version here too"):
        await PostgresJournal(url).open()


async def test_tables_of_others_are_left_alone(postgres, url):
    """A schema that another program uses is not taken for a journal."""
    postgres.run("CREATE TABLE events (x int)", url=url)
    with pytest.raises(JournalError, match=r"holds tables of another program; give the journal a database"):
        await PostgresJournal(url).open()


async def test_a_server_that_is_not_there_is_named_without_the_password(postgres):
    """Errors name host, port and database and say what to do; the password is in none of them."""
    (port,) = free_ports(1)
    journal = PostgresJournal(f"postgresql://bridge:s3cret@127.0.0.1:{port}/journal")
    with pytest.raises(
        JournalError, match=rf"127\.0\.0\.1:{port}/journal: .*check that the server runs"
    ) as error:
        await journal.open()
    assert "s3cret" not in str(error.value) + repr(journal) + repr(journal._server)

    with pytest.raises(JournalError, match="should look like postgresql://") as error:
        PostgresJournal("postgresql://bridge:s3cret%zz@host/journal")
    assert "s3cret" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__

    missing = postgres.url.removesuffix("postgres") + "nowhere"
    with pytest.raises(JournalError, match=r"\"nowhere\" does not exist.*user, password and database in the"):
        await PostgresJournal(missing).open()


async def test_a_full_disk_is_a_journal_that_is_full():
    """When the server's disk is full nothing is taken in, and it goes on when there is room."""
    full = Server("postgresql://host/journal").explain(psycopg.errors.DiskFull("could not extend file"))

    assert isinstance(full, JournalFull)
    assert "could not extend file: the server's disk is full; make room there" in str(full)


async def test_a_closed_journal_says_so():
    """Who asks a journal that is not open is told to open it."""
    journal = PostgresJournal("postgresql://host/journal")
    with pytest.raises(JournalError, match="it is closed; open it first"):
        await journal.append([])
    with pytest.raises(JournalError, match="it is closed; open it first"):
        await journal.stats()


# --- a long life --------------------------------------------------------------------------------------------

_PAST = """
INSERT INTO messages (class, since, has_raw, transport, address, properties, received_at)
    SELECT 2, n, false, 'amqp', '', '{}', n FROM generate_series(1, 100000) AS n;
INSERT INTO events (hash, seen, message, id, document)
    SELECT decode(md5(n::text), 'hex'), n, n, 'past' || n, '{}' FROM generate_series(1, 100000) AS n;
INSERT INTO deliveries (event, message, lane, state, ready, first_seen, changed, handler, key, source)
    SELECT decode(md5(n::text), 'hex'), n, decode(md5((n % 100)::text), 'hex'), 4, false, n, n,
        'reports', 'k', 's'
    FROM generate_series(1, 100000) AS n;
"""


@pytest.mark.parametrize("knows", [False, True], ids=["planned when empty", "planned with statistics"])
async def test_what_is_done_slows_no_claim(postgres, url, knows):
    """With 100,000 done deliveries claims, appends and verdicts look rows up by index, and only theirs."""
    async with opened(url) as (journal,):
        await journal.append([receipt("U", "e0")])
        await journal.settle([Completed(one) for one in await claim(journal)], now=START)
        postgres.run(_PAST, url=url)
        if knows:
            postgres.run("ANALYZE", url=url)
        await journal.append([receipt(f"U{n}", f"e{n}") for n in range(1, 50)])
        before = _touched(postgres, url)
        for _ in range(10):
            claimed = await claim(journal, limit=2)
            await journal.settle([Completed(one) for one in claimed], now=START)
        after = _touched(postgres, url)

    assert after[0] == before[0], "a table was read from one end to the other"
    assert after[1] - before[1] < 10_000

    plans: list[str] = []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: plans.append(notice.message_primary or ""))
        connection.execute("LOAD 'auto_explain'")
        connection.execute(
            "SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; "
            "SET client_min_messages = log; SET plan_cache_mode = force_generic_plan"
        )
        want = ClaimRequest(2, stamp(START), stamp(START), frozenset({H}), frozenset(), -(2**63))
        connection.execute(CLAIM.statement.encode(), CLAIM.parameters([want]))
    said = "\n".join(plans)
    assert "deliveries_ready" in said
    assert "deliveries_due" in said
    assert "Seq Scan on deliveries" not in said


def _touched(postgres: PostgreSQL, url: str) -> tuple[int, int]:
    """Give how often tables were read as a whole, and how many rows were fetched by index."""
    rows = postgres.run(
        "SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot(), sum(seq_scan)::int, "
        "sum(idx_tup_fetch)::int FROM pg_stat_user_tables WHERE schemaname = current_schema() "
        "AND relname IN ('deliveries', 'events', 'messages', 'bodies')",
        url=url,
    )
    return rows[0][2], rows[0][3]


async def test_what_is_removed_stays_known_until_its_id_is_forgotten(url):
    """Pruning takes rows and bytes away in steps; repeats are recognised as long as ids are kept."""
    async with opened(url) as (journal,):
        many = [receipt(f"U{n}", f"e{n}") for n in range(1500)]
        await journal.append(many)
        await journal.settle([Completed(one) for one in await claim(journal, limit=1500)], now=at(10))
        await journal.append([receipt("X", "open")])

        assert await journal.prune(done_before=at(10)) == 0
        assert await journal.prune(done_before=at(11)) == 1500
        assert [entry.event.id for entry in await journal.search(Query()) if entry.event] == ["open"]
        assert (await journal.append(many[:1]))[0].duplicates == ("e0",)
        await journal.prune(done_before=at(11), ids_before=at(1))
        assert (await journal.append(many[:1]))[0].new == ("e0",)
        ledger = await journal.ledger()
        assert ledger.difference == 0
        assert ledger.deliveries[H] == {DeliveryState.DONE: 1500, DeliveryState.PENDING: 2}
