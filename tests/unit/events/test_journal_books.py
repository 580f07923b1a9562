"""The contract of all journals: books that balance, what may go, notes, and destinations left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pywats_events import Unreadable
from pywats_events.journal import (
    Completed,
    DeliveryState,
    Fact,
    Hold,
    Journal,
    MessageSums,
    Query,
    Receipt,
    RetryAt,
    Routed,
)

from .doubles import result_of
from .test_journal import START, H, at, bury, claim, claim_one, ids, park, raw, receipt, settle

BROKEN = Unreadable("x", "no Units", "CFXDecodeError", "//Acme/ICT1")
LATER = datetime.now(UTC) + timedelta(days=1)


async def sums(journal: Journal, transport: str = "amqp") -> MessageSums:
    ledger = await journal.ledger()
    assert ledger.difference == 0
    return ledger.messages[transport]


# --- the ledger ---------------------------------------------------------------------------------------------


async def test_an_empty_journal_has_empty_books(journal):
    """Nothing received, nothing missing."""
    ledger = await journal.ledger()

    assert (dict(ledger.messages), ledger.difference) == ({}, 0)


async def test_a_message_counts_once_by_what_became_of_it(journal):
    """A message of four units waits until the last of them is settled, and then is dead if one of them is."""
    units = tuple(result_of(name, name) for name in "abcd")
    await journal.append([receipt(*units)])
    a, b, c, d = await claim(journal)
    assert await sums(journal) == MessageSums(received=1, waiting=1)

    await settle(journal, Completed(a), Completed(b, rule="not ours"), bury(c))
    assert await sums(journal) == MessageSums(received=1, waiting=1)
    await settle(journal, Completed(d))
    assert await sums(journal) == MessageSums(received=1, dead=1)
    await journal.discard(Query(), reason="scrap", now=at(1))
    assert await sums(journal) == MessageSums(received=1, done=1)


async def test_each_end_has_its_place_in_the_books(journal):
    """Done, dropped, dead, discarded, waiting, unreadable, unwanted, repeated: each is in one sum."""
    for name in "abcdefg":
        await journal.append([receipt(result_of(name, name))])
    await journal.append([Receipt(raw(b"?"), unreadable=(BROKEN,))])
    await journal.append([receipt(result_of("nobody", "nobody"), handlers=())])
    await journal.append([receipt()])
    await journal.append([receipt(result_of("a", "a")), Receipt(raw(b"?"), unreadable=(BROKEN,))])
    a, b, c, d, e, f, _ = await claim(journal)
    await settle(journal, Completed(a), Completed(b, rule="not ours"), bury(c), bury(d))
    await settle(journal, RetryAt(e, at(60), "TransientError", "busy"), park(f, "destination:WATS"))
    await journal.discard(Query(event_id="d"), reason="scrap", now=at(1))

    assert await sums(journal) == MessageSums(
        received=12, repeated=2, waiting=3, dead=2, done=1, discarded=1, dropped=3
    )
    ledger = await journal.ledger()
    assert ledger.deliveries[H] == {
        DeliveryState.DONE: 1,
        DeliveryState.DROPPED: 1,
        DeliveryState.DEAD: 1,
        DeliveryState.DISCARDED: 1,
        DeliveryState.WAITING: 1,
        DeliveryState.PARKED: 1,
        DeliveryState.IN_FLIGHT: 1,
    }


async def test_books_are_kept_by_transport(journal):
    """Each transport has sums of its own; events that were published count under no name."""
    await journal.append(
        [receipt(result_of("A", "a")), receipt(result_of("B", "b"), record=raw(transport="m"))]
    )
    published = tuple(Routed(result_of(name, name), (H, "assets")) for name in "cd")
    await journal.append([Receipt(None, published), Receipt(None, published)])
    await settle(journal, *map(Completed, await claim(journal, handlers=("assets", H))))

    assert await sums(journal, "amqp") == MessageSums(received=1, done=1)
    assert await sums(journal, "m") == MessageSums(received=1, done=1)
    assert await sums(journal, "") == MessageSums(received=2, repeated=1, done=1)


async def test_a_message_that_is_partly_known_counts_with_what_is_new(journal):
    """A batch that brings one known and one new event is received, and waits for the new one."""
    await journal.append([receipt(result_of("A", "a"))])
    await settle(journal, Completed(await claim_one(journal)))
    await journal.append([receipt(result_of("A", "a"), result_of("B", "b"))])

    assert await sums(journal) == MessageSums(received=2, done=1, waiting=1)


async def test_a_replayed_message_waits_again(journal):
    """What is dead and lives again moves in the books, and back to done."""
    await journal.append([receipt(result_of("A", "a"), result_of("B", "b"))])
    first, second = await claim(journal)
    await settle(journal, bury(first), bury(second))
    await journal.replay(Query(event_id="a"), now=at(1))
    assert await sums(journal) == MessageSums(received=1, waiting=1)
    await settle(journal, Completed(await claim_one(journal, seconds=2)))
    assert await sums(journal) == MessageSums(received=1, dead=1)


# --- what may go --------------------------------------------------------------------------------------------


async def test_what_is_done_goes_and_stays_counted(journal):
    """Done messages go with their bytes when they are old enough; the sums and their ids stay."""
    await journal.append([receipt(result_of(name, name), record=raw(name.encode())) for name in "abc"])
    a, b, c = await claim(journal)
    messages = [entry.message_id for entry in await journal.search(Query())]
    await settle(journal, Completed(a), seconds=1)
    await settle(journal, Completed(b, rule="not ours"), seconds=2)
    await settle(journal, Completed(c), seconds=3)
    before = await journal.ledger(), await journal.stats()

    assert await journal.prune(done_before=at(1)) == 0
    assert await journal.prune(done_before=at(3)) == 2

    assert [entry.event.id for entry in await journal.search(Query()) if entry.event] == ["c"]
    assert [await journal.raw(message) for message in messages[:2]] == [None, None]
    assert (await journal.ledger(), await journal.stats()) == before
    assert (await journal.append([receipt(result_of("A", "a"))]))[0].duplicates == ("a",)


async def test_open_and_dead_ones_never_go(journal):
    """However old: what is open or dead stays, with the whole message that it came with."""
    await journal.append([receipt(result_of("A", "a"), result_of("B", "b"), record=raw(b"one"))])
    await journal.append([receipt(result_of("C", "c")), Receipt(raw(b"?"), unreadable=(BROKEN,))])
    a, b, _ = await claim(journal)
    await settle(journal, Completed(a), bury(b))

    assert await journal.prune(done_before=LATER, facts_before=LATER, ids_before=LATER) == 0
    assert len(await journal.search(Query())) == 4

    await journal.discard(Query(), reason="scrap", now=at(9))
    assert await journal.prune(done_before=at(9)) == 0
    assert await journal.prune(done_before=at(10)) == 3
    assert await journal.prune(done_before=LATER) == 0
    assert (await journal.append([Receipt(raw(b"?"), unreadable=(BROKEN,))]))[0].duplicates == ("x",)


async def test_published_events_go_too(journal):
    """What came without a message is removed like the rest."""
    await journal.append([Receipt(None, (Routed(result_of(name, name), (H,)),)) for name in "ab"])
    done, _ = await claim(journal)
    await settle(journal, Completed(done), seconds=5)

    assert await journal.prune(done_before=LATER) == 1
    assert [entry.event.id for entry in await journal.search(Query()) if entry.event] == ["b"]


async def test_ids_are_forgotten_when_told_and_never_before_their_events(journal):
    """A repeat is known until its id may go; what is still there is known whatever its age."""
    await journal.append([receipt(result_of(name, name), record=raw(seconds=0)) for name in "abc"])
    a, b, c = await claim(journal)
    await settle(journal, Completed(a), Completed(b))
    await journal.prune(done_before=LATER, ids_before=at(0))
    assert (await journal.append([receipt(result_of("a", "a"))]))[0].new == ()

    await journal.prune(done_before=LATER, ids_before=at(1))
    (answer,) = await journal.append([receipt(*(result_of(name, name) for name in "abc"))])
    assert (answer.new, answer.duplicates) == (("a", "b"), ("c",))
    assert await settle(journal, Completed(c)) == ["c"]


async def test_facts_go_when_nothing_open_may_need_them(journal):
    """Old facts stay as long as a delivery is open that came before the time from which they are kept."""
    await journal.append([receipt(result_of("A", "a"), facts=(Fact("unit:A", {"part": "P"}, START),))])
    delivery = await claim_one(journal)

    await journal.prune(done_before=START, facts_before=LATER)
    assert set(await journal.recall(["unit:A"])) == {"unit:A"}

    await settle(journal, Completed(delivery))
    await journal.prune(done_before=START)
    assert set(await journal.recall(["unit:A"])) == {"unit:A"}
    await journal.prune(done_before=START, facts_before=LATER)
    assert await journal.recall(["unit:A"]) == {}


async def test_health_says_how_far_back_it_goes(journal):
    """The oldest entries of each kind are named; an empty journal has none."""
    health = await journal.health()
    assert (health.oldest_open, health.oldest_dead, health.oldest, health.is_full) == (
        None,
        None,
        None,
        False,
    )

    for seconds, name in enumerate("abc"):
        await journal.append([receipt(result_of(name, name), record=raw(seconds=seconds))])
    a, b, _ = await claim(journal)
    await settle(journal, Completed(a), bury(b))

    health = await journal.health()
    assert (health.oldest, health.oldest_dead, health.oldest_open) == (at(0), at(1), at(2))
    assert health.used > 0


# --- notes and holds ----------------------------------------------------------------------------------------


async def test_notes_are_kept_by_name(journal):
    """A note is what was last said under its name, found by the beginning of it, until it is removed."""
    await journal.put_note("replay/1", {"after": "17", "done": 3})
    await journal.put_note("replay/1", {"after": "18", "done": 4})
    await journal.put_note("replay/2", [1, None, "x"])
    await journal.put_note("replay_", "no job")
    await journal.put_note("other", 0)

    assert await journal.notes("replay/") == {
        "replay/1": {"after": "18", "done": 4},
        "replay/2": [1, None, "x"],
    }
    await journal.put_note("replay/1", None)
    await journal.put_note("nothing", None)
    assert list(await journal.notes()) == ["other", "replay/2", "replay_"]


async def test_a_hold_is_seen_until_it_ends(journal):
    """A destination that is left alone is named with its reason; it ends when that is said."""
    hold = Hold("WATS answered 401", at(0), at(30), needs_attention=True)
    await journal.hold("WATS", hold)
    await journal.hold("ERP", Hold("down", at(1), at(2)))
    await journal.hold("ERP", Hold("still down", at(1), at(9)))

    assert await journal.holds() == {"WATS": hold, "ERP": Hold("still down", at(1), at(9))}
    await journal.hold("WATS", None)
    await journal.hold("nobody", None)
    assert set(await journal.holds()) == {"ERP"}


async def test_one_probe_at_a_time(journal):
    """From its time on one may try a destination; the next one when that is over, or its lease."""

    async def probe(seconds: float) -> bool:
        return await journal.try_probe("WATS", now=at(seconds), lease_seconds=10)

    assert not await probe(0)
    await journal.hold("WATS", Hold("down", at(0), at(30)))
    assert [await probe(second) for second in (29, 30, 31, 39, 40, 41)] == [
        *(False, True, False, False, True, False)
    ]
    await journal.hold("WATS", Hold("still down", at(0), at(60)))
    assert [await probe(second) for second in (59, 60)] == [False, True]
    await journal.hold("WATS", None)
    assert not await probe(100)


@pytest.mark.parametrize("verdict", [Completed, bury])
async def test_books_balance_when_a_verdict_is_void(journal, verdict):
    """What somebody says of a delivery that is not theirs any more moves nothing."""
    await journal.append([receipt(result_of("A", "a"))])
    lost = await claim_one(journal, lease=1)
    held = await claim_one(journal, seconds=2)
    await settle(journal, verdict(lost), seconds=3)
    assert await sums(journal) == MessageSums(received=1, waiting=1)
    await settle(journal, Completed(held), seconds=4)
    assert ids(await claim(journal, seconds=5)) == []
    assert await sums(journal) == MessageSums(received=1, done=1)
