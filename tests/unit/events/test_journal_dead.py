"""The contract of all journals: dead letters by cause, messages that are read again, and finding things."""

from __future__ import annotations

import pytest

from pywats_events import Event, EventType, Unreadable
from pywats_events.journal import (
    READ_AGAIN,
    Completed,
    DeliveryState,
    Fact,
    MessageSums,
    Query,
    Receipt,
    RetryAt,
)
from pywats_events.journal.fingerprint import fingerprint, pattern

from .doubles import result_of
from .test_journal import START, H, at, bury, claim, claim_one, ids, raw, receipt, settle
from .test_journal_books import sums

DEAD = (DeliveryState.DEAD,)


def unreadable(name: str, reason: str = "MessageBody.TestedUnits[2].Tests: missing") -> Unreadable:
    return Unreadable(name, reason, "CFXDecodeError", "//Acme/ICT1", "CFX.UnitsTested")


# --- groups -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('part "PN-1" has no process 12', 'part "PN-22" has no process 9'),
        ("MessageBody.TestedUnits[2].Tests: missing", "MessageBody.TestedUnits[0].Tests: missing"),
        ("WATS answered 400: report 0b6f6f0e-0000-4000-8000-0123456789ab", "WATS answered 400: report 7"),
        ("at 2026-01-05T06:00:00+00:00 it's late", "at 2026-11-05 it's late"),
        ("station //Acme/L1/ICT01, no process", "station //Acme/L2/FCT, no process"),
    ],
)
def test_numbers_ids_and_names_do_not_part_a_group(one, other):
    """Two errors of one cause have one fingerprint."""
    assert pattern(one) == pattern(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("h", "E", "no process"), ("g", "E", "no process")),
        (("h", "E", "no process"), ("h", "F", "no process")),
        (("h", "E", "it isn't there"), ("h", "E", "it isn't here")),
    ],
)
def test_different_causes_are_parted(one, other):
    """Handler, class of the error and the words of its text tell causes apart."""
    assert fingerprint(*one) != fingerprint(*other)


async def test_dead_letters_are_grouped_by_cause(journal):
    """The largest group comes first, with its count, when the first and last died, and an example."""
    await journal.append([receipt(result_of(name, name)) for name in "abcde"])
    await journal.append([Receipt(raw(b"?"), unreadable=(unreadable("x"),))])
    a, b, c, d, _ = await claim(journal)
    for seconds, delivery in enumerate((a, b, c)):
        await settle(journal, bury(delivery, reason=f'part "P{seconds}" is unknown'), seconds=seconds)
    await settle(journal, bury(d, "Other"))

    first, *others = await journal.groups(Query())

    assert (first.handler, first.error, first.reason) == (H, "PermanentError", "part … is unknown")
    assert (first.count, first.first, first.last) == (3, at(0), at(2))
    (example,) = await journal.search(Query(ids=(first.example,)))
    assert (example.event.id, example.fingerprint) == ("c", first.fingerprint)
    assert sorted((group.handler, group.error, group.count) for group in others) == [
        ("", "CFXDecodeError", 1),
        (H, "Other", 1),
    ]
    assert len(await journal.groups(Query(limit=1))) == 1
    assert [group.handler for group in await journal.groups(Query(handler=""))] == [""]


async def test_a_group_can_be_replayed_and_discarded(journal):
    """The fingerprint chooses exactly the dead letters of its group."""
    await journal.append([receipt(result_of(name, name)) for name in "abc"])
    a, b, c = await claim(journal)
    await settle(journal, bury(a, reason="no part 1"), bury(b, reason="no part 2"), bury(c, reason="other"))
    group, other = await journal.groups(Query())

    assert await journal.replay(Query(fingerprint=group.fingerprint), now=at(1)) == 2
    assert ids(await claim(journal, seconds=2)) == ["a", "b"]
    assert await journal.search(Query(fingerprint=group.fingerprint)) == []
    assert await journal.discard(Query(fingerprint=other.fingerprint), reason="scrap", now=at(3)) == 1
    (put_away,) = await journal.search(Query(fingerprint=other.fingerprint))
    assert put_away.state is DeliveryState.DISCARDED


# --- finding ------------------------------------------------------------------------------------------------


async def test_a_unit_is_found_by_key_and_by_identifier(journal):
    """A unit's deliveries are found by the key that orders them and by the identifier it has."""
    panel = Event(EventType.TEST_RESULT, {"unit_id": "PANEL-7"}, source="s", id="p", key="PANEL-7/2")
    await journal.append([receipt(panel, result_of("SN-1", "s"), handlers=(H, "assets"))])

    async def found(unit: str) -> list[str]:
        return [entry.event.id for entry in await journal.search(Query(unit=unit)) if entry.event]

    assert await found("PANEL-7") == ["p", "p"]
    assert await found("PANEL-7/2") == ["p", "p"]
    assert await found("SN-1") == ["s", "s"]
    assert await found("SN") == []


async def test_a_message_s_parts_are_found(journal):
    """All that one message became is found by its id, and a part that nobody could read by its own."""
    await journal.append([receipt(result_of("A", "a"))])
    await journal.append([receipt(result_of("B", "b"), result_of("C", "c"), unreadable=(unreadable("x"),))])
    (part,) = await journal.search(Query(event_id="x"))

    assert (part.part_id, part.event, part.state) == ("x", None, DeliveryState.DEAD)
    entries = await journal.search(Query(message_id=part.message_id))
    assert [entry.event.id if entry.event else entry.part_id for entry in entries] == ["b", "c", "x"]
    assert await journal.search(Query(message_id="none")) == []


async def test_the_newest_can_come_first(journal):
    """The order can be turned round, and paging goes on that way."""
    await journal.append([receipt(*(result_of(f"U{n}", f"e{n}") for n in range(5)))])
    seen: list[str] = []
    after = None
    while page := await journal.search(Query(limit=2, after=after, newest_first=True)):
        seen += [entry.event.id for entry in page if entry.event]
        after = page[-1].id

    assert seen == [f"e{n}" for n in reversed(range(5))]


# --- reading again ------------------------------------------------------------------------------------------


async def dead_message(journal, *events: Event, parts: tuple[Unreadable, ...] = ()) -> str:
    """Journal a message all of whose deliveries die; give its id."""
    await journal.append([receipt(*events, unreadable=parts, record=raw(b"bytes"))])
    await settle(journal, *(bury(one) for one in await claim(journal)))
    entry, *_ = await journal.search(Query())
    assert entry.message_id is not None
    return entry.message_id


async def test_a_mended_reading_replaces_a_dead_event(journal):
    """After amending, a replay gives the new document under its new key; the bytes and the books stay."""
    message = await dead_message(journal, result_of("WRONG", "a"))
    mended = result_of("RIGHT", "a", part="P")

    amended = await journal.amend(message, receipt(mended), now=at(5))

    assert (amended.changed, amended.new, amended.read) == (("a",), (), ())
    (entry,) = await journal.search(Query(unit="RIGHT"))
    assert (entry.event, entry.state) == (mended, DeliveryState.DEAD)
    assert await sums(journal) == MessageSums(received=1, dead=1)
    assert await journal.replay(Query(), now=at(6)) == 1
    assert (await claim_one(journal, seconds=7)).event == mended
    assert await journal.raw(message) is not None


async def test_a_mended_reading_brings_its_new_events_and_facts(journal):
    """What the old reading left out gets its deliveries, within the message that was received."""
    message = await dead_message(journal, result_of("A", "a"))
    reading = receipt(result_of("A", "a"), result_of("B", "b"), facts=(Fact("unit:B", {"n": 1}, START),))

    amended = await journal.amend(message, reading, now=at(5))

    assert (amended.changed, amended.new) == (("a",), ("b",))
    assert set(await journal.recall(["unit:B"])) == {"unit:B"}
    assert await sums(journal) == MessageSums(received=1, waiting=1)
    delivery = await claim_one(journal, seconds=6)
    assert delivery.event.id == "b"
    (entry,) = await journal.search(Query(event_id="b"))
    assert entry.message_id == message
    await settle(journal, Completed(delivery))
    assert await sums(journal) == MessageSums(received=1, dead=1)
    assert (await journal.append([receipt(result_of("B", "b"))]))[0].duplicates == ("b",)


async def test_unreadable_parts_are_read_again_one_by_one(journal):
    """Of two parts the one that can be read now becomes an event; the other stays a dead letter."""
    message = await dead_message(journal, parts=(unreadable("x"), unreadable("y")))

    amended = await journal.amend(
        message, Receipt(None, receipt(result_of("X", "ex")).events, (unreadable("y"),)), now=at(5)
    )

    assert (amended.changed, amended.new, amended.read) == ((), ("ex",), ("x",))
    x, y, event = await journal.search(Query())
    assert (x.state, x.rule, x.part_id) == (DeliveryState.DISCARDED, READ_AGAIN, "x")
    assert (y.state, y.part_id) == (DeliveryState.DEAD, "y")
    assert (event.state, event.message_id) == (DeliveryState.PENDING, message)
    assert await sums(journal) == MessageSums(received=1, waiting=1)

    amended = await journal.amend(message, receipt(result_of("X", "ex"), result_of("Y", "ey")), now=at(6))
    assert (amended.changed, amended.new, amended.read) == ((), ("ey",), ("y",))
    await settle(journal, *map(Completed, await claim(journal, seconds=7)))
    assert await sums(journal) == MessageSums(received=1, done=1)


async def test_amending_leaves_the_living_and_the_done_alone(journal):
    """An event that is open or done keeps what it has; only what died is replaced."""
    await journal.append([receipt(result_of("A", "a"), result_of("B", "b"), result_of("C", "c"))])
    a, b, c = await claim(journal)
    await settle(journal, Completed(a), RetryAt(b, at(60), "TransientError", "busy"), bury(c))
    entries = await journal.search(Query())
    reading = receipt(*(result_of(name.upper(), name, mended=True) for name in "abc"))

    amended = await journal.amend(entries[0].message_id, reading, now=at(5))

    assert (amended.changed, amended.new) == (("c",), ())
    payloads = [entry.event.payload.get("mended") for entry in await journal.search(Query()) if entry.event]
    assert payloads == [None, None, True]


async def test_a_handler_that_a_mended_event_is_due_to_now_gets_it(journal):
    """An event that nobody wanted as it was read before is delivered as it is read now."""
    odd = Event(EventType.CUSTOM, {}, source="s", id="a")
    message = await dead_message(journal, odd, result_of("B", "b"))
    assert (await journal.groups(Query()))[0].count == 2
    reading = receipt(result_of("A", "a"), handlers=(H, "assets"))

    amended = await journal.amend(message, reading, now=at(5))

    assert (amended.changed, amended.new) == (("a",), ("a",))
    delivery = await claim_one(journal, seconds=6, handlers=("assets",))
    assert delivery.event == result_of("A", "a") or delivery.event.payload == {"unit_id": "A"}
    await settle(journal, Completed(delivery))
    assert await sums(journal) == MessageSums(received=1, dead=1)


async def test_amending_twice_changes_nothing_more(journal):
    """The same reading again makes no second delivery."""
    message = await dead_message(journal, result_of("A", "a"))
    reading = receipt(result_of("A", "a"), result_of("B", "b"))
    await journal.amend(message, reading, now=at(5))
    before = await journal.ledger()
    again = await journal.amend(message, reading, now=at(6))

    assert again.new == ()
    assert await journal.ledger() == before


async def test_a_message_that_is_not_there_can_not_be_amended(journal):
    """A wrong or pruned id says so."""
    with pytest.raises(LookupError, match="message 999 is not there"):
        await journal.amend("999", receipt(result_of("A", "a")), now=at(1))
    with pytest.raises(LookupError, match="is not there"):
        await journal.amend("x", receipt(), now=at(1))
