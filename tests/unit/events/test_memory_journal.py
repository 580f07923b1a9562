"""What the journal in memory promises beyond the contract: it stays small."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from pywats_events import Unreadable
from pywats_events.journal import Bury, Completed, DeliveryState, Fact, Query, Receipt, Routed
from pywats_events.journal.memory import MemoryJournal

from .doubles import result_of

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def receipts(*names: str) -> list[Receipt]:
    return [Receipt(None, (Routed(result_of(name, name), ("h",)),)) for name in names]


async def end_all(journal: MemoryJournal, verdict=Completed) -> None:
    while claimed := await journal.claim(limit=50, now=NOW, lease_seconds=60, handlers=("h",)):
        await journal.settle([verdict(one) for one in claimed], now=NOW)


def bury(delivery):
    return Bury(delivery, "E", "why")


async def test_settled_deliveries_are_forgotten():
    """Only the newest settled deliveries stay to be looked at; the sums keep counting all."""
    journal = MemoryJournal(keep_settled=3)
    await journal.append(receipts(*"abcdef"))
    await end_all(journal)

    assert [entry.event.id for entry in await journal.search(Query()) if entry.event] == ["d", "e", "f"]
    assert await journal.search(Query(event_id="a")) == []
    assert (await journal.stats()).count(DeliveryState.DONE) == 6


async def test_dead_letters_are_bounded_and_counted():
    """The oldest dead letters beyond the limit are discarded, which the sums show."""
    journal = MemoryJournal(keep_dead=2, keep_settled=1)
    await journal.append(receipts(*"abcde"))
    await end_all(journal, bury)

    dead = await journal.search(Query(states=(DeliveryState.DEAD,)))
    (put_away,) = await journal.search(Query(states=(DeliveryState.DISCARDED,)))
    assert [entry.event.id for entry in dead if entry.event] == ["d", "e"]
    assert "keeps 2 dead letters" in (put_away.rule or "")
    stats = await journal.stats()
    assert (stats.count(DeliveryState.DEAD), stats.count(DeliveryState.DISCARDED)) == (2, 3)


async def test_a_flood_of_garbage_stays_bounded():
    """Messages that nobody can read, however many, take no more memory than the limits say."""
    journal = MemoryJournal(keep_dead=5, keep_settled=5, keep_ids=5)
    for number in range(100):
        await journal.append([Receipt(None, unreadable=(Unreadable(f"x{number}", "why", "E"),))])

    assert len(await journal.search(Query(limit=1000))) == 10
    assert (await journal.stats()).count(DeliveryState.DEAD, DeliveryState.DISCARDED) == 100


async def test_old_ids_are_forgotten_but_never_open_ones():
    """However many events come, one that is still open is recognised, and the rest is bounded."""
    journal = MemoryJournal(keep_ids=10)
    await journal.append(receipts("open"))
    for number in range(50):
        await journal.append([Receipt(None, (Routed(result_of(f"u{number}", f"u{number}"), ()),))])

    answers = await journal.append(receipts("open", "u49", "u0"))

    assert [bool(answer.duplicates) for answer in answers] == [True, True, False]


async def test_facts_are_bounded():
    """The oldest facts are forgotten."""
    journal = MemoryJournal(keep_facts=2)
    await journal.remember([Fact(key, {}, NOW) for key in "abc"])

    assert set(await journal.recall("abc")) == {"b", "c"}


async def test_renewing_leases_leaves_nothing_behind():
    """A long delivery whose lease is renewed again and again ends when the last lease does."""
    journal = MemoryJournal()
    await journal.append(receipts("a"))
    (delivery,) = await journal.claim(limit=1, now=NOW, lease_seconds=10, handlers=("h",))
    for minute in range(1, 100):
        await journal.extend([delivery], now=NOW + timedelta(seconds=5 * minute), lease_seconds=10)

    late = NOW + timedelta(seconds=504)
    assert await journal.claim(limit=1, now=late, lease_seconds=10, handlers=("h",)) == []
    assert await journal.settle([Completed(delivery)], now=late) == ["a"]


def test_a_journal_outlives_its_loop():
    """A journal that was closed can be opened again by another bus, on another loop."""
    journal = MemoryJournal()

    async def wait() -> None:
        await journal.open()
        await journal.claim(limit=1, now=NOW, lease_seconds=1, handlers=())
        await journal.wait_ready(now=NOW, timeout=0.001)
        await journal.close()

    asyncio.run(wait())
    asyncio.run(wait())
