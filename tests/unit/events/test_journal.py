"""The contract of all journals."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pywats_events import Event, EventType, RawMessage, Unreadable
from pywats_events.event import EventMetadata
from pywats_events.journal import (
    Bury,
    Completed,
    Delivery,
    DeliveryState,
    Fact,
    Journal,
    Park,
    Query,
    RawRecord,
    Receipt,
    Release,
    RetryAt,
    Routed,
    Verdict,
)

from .doubles import result_of

START = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
H = "reports"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def raw(body: bytes = b"body", *, transport: str = "amqp", seconds: float = 0) -> RawRecord:
    return RawRecord.of(RawMessage(body=body, transport=transport, received_at=at(seconds)))


def receipt(
    *events: Event, handlers: tuple[str, ...] = (H,), record: RawRecord | None = None, **more
) -> Receipt:
    return Receipt(record or raw(), tuple(Routed(event, handlers) for event in events), **more)


async def claim(journal: Journal, *, limit: int = 100, seconds: float = 0, handlers=(H,), lease: float = 60):
    return await journal.claim(limit=limit, now=at(seconds), lease_seconds=lease, handlers=handlers)


async def claim_one(journal: Journal, **options) -> Delivery:
    (delivery,) = await claim(journal, **options)
    return delivery


async def settle(journal: Journal, *verdicts: Verdict, seconds: float = 0) -> list[str]:
    return await journal.settle(verdicts, now=at(seconds))


def bury(delivery: Delivery, error: str = "PermanentError", reason: str = "no such part") -> Bury:
    return Bury(delivery, error, reason)


def park(delivery: Delivery, *on: str, until: float | None = None) -> Park:
    return Park(delivery, on, None if until is None else at(until), "DestinationUnavailable", "WATS is down")


def ids(deliveries: list[Delivery]) -> list[str]:
    return [delivery.event.id for delivery in deliveries]


async def states(journal: Journal, **query) -> dict[str, DeliveryState]:
    return {entry.event.id: entry.state for entry in await journal.search(Query(**query)) if entry.event}


# --- taking in ----------------------------------------------------------------------------------------------


async def test_append_says_what_is_new_and_what_is_open(journal):
    """Each receipt has its answer: what is new, what was known, what still has work to be done."""
    first = await journal.append([receipt(result_of("A", "a"), result_of("B", "b"))])
    second = await journal.append([receipt(result_of("A", "a")), receipt(result_of("C", "c"))])

    assert (first[0].new, first[0].duplicates, first[0].open) == (("a", "b"), (), ("a", "b"))
    assert (second[0].new, second[0].duplicates, second[0].open) == ((), ("a",), ("a",))
    assert second[1].new == ("c",)


async def test_a_known_event_makes_no_second_delivery(journal):
    """The same event, received twice, is delivered once; also twice within one message."""
    await journal.append([receipt(result_of("A", "a"), result_of("A", "a"))])
    await journal.append([receipt(result_of("A", "a"))])

    assert ids(await claim(journal)) == ["a"]
    assert await claim(journal) == []


async def test_a_settled_event_is_a_duplicate_that_is_not_open(journal):
    """A repeat of what is done can be acknowledged at once."""
    await journal.append([receipt(result_of("A", "a"))])
    await settle(journal, Completed(await claim_one(journal)))

    (answer,) = await journal.append([receipt(result_of("A", "a"))])

    assert (answer.new, answer.duplicates, answer.open) == ((), ("a",), ())


async def test_an_event_nobody_wants_is_known_and_not_open(journal):
    """An event without handlers is counted, and nothing waits for it."""
    (answer,) = await journal.append([receipt(result_of("A", "a"), handlers=())])

    assert (answer.new, answer.open) == (("a",), ())
    assert (await journal.stats()).unwanted == 1


async def test_what_nobody_can_read_is_dead_at_once(journal):
    """An unreadable message is a dead letter with its reason and its bytes, once however often it comes."""
    broken = Unreadable("x", "field Units: missing", "CFXDecodeError", "//Acme/ICT1", "CFX.UnitsTested")
    await journal.append([Receipt(raw(b"\x00garbage"), unreadable=(broken,))])
    (answer,) = await journal.append([Receipt(raw(b"\x00garbage"), unreadable=(broken,))])

    (entry,) = await journal.search(Query())
    assert answer.duplicates == ("x",)
    assert (entry.state, entry.event, entry.handler) == (DeliveryState.DEAD, None, "")
    assert (entry.error, entry.reason) == ("CFXDecodeError", "field Units: missing")
    assert (entry.source, entry.message_name) == ("//Acme/ICT1", "CFX.UnitsTested")
    assert entry.message_id is not None
    record = await journal.raw(entry.message_id)
    assert record is not None
    assert (record.body, record.transport) == (b"\x00garbage", "amqp")


async def test_an_event_comes_out_as_it_went_in(journal):
    """Nothing of an event changes in a journal."""
    event = Event(
        EventType.ASSET_FAULT,
        {"asset_id": "Löt-Ofen 3 \N{FIRE}", "deep": [{"n": 1.5, "none": None}]},
        source="//Acme/Linie 1",
        id="e-1",
        time=datetime(2026, 1, 5, 7, 30, 0, 123456, tzinfo=UTC),
        key="k/1",
        metadata=EventMetadata(
            correlation_id="c", message_name="CFX.FaultOccurred", received_at=START, traceparent="00-1-2-01"
        ),
    )
    await journal.append([receipt(event)])

    assert (await claim_one(journal)).event == event


# --- order --------------------------------------------------------------------------------------------------


async def test_one_delivery_of_a_lane_at_a_time(journal):
    """Of one handler and key at most one delivery is in flight; the next comes when it is settled."""
    await journal.append([receipt(*(result_of("A", f"a{n}") for n in range(3)))])

    for n in range(3):
        delivery = await claim_one(journal)
        assert delivery.event.id == f"a{n}"
        assert await claim(journal) == []
        await settle(journal, Completed(delivery))
    assert await claim(journal) == []


async def test_lanes_do_not_hold_each_other_up(journal):
    """Different keys, and different handlers of one key, are claimed together, oldest first."""
    await journal.append([receipt(result_of("A", "a"), result_of("B", "b"), handlers=(H, "assets"))])

    claimed = await claim(journal, handlers=(H, "assets"))

    assert [(one.event.id, one.handler) for one in claimed] == [
        ("a", H),
        ("a", "assets"),
        ("b", H),
        ("b", "assets"),
    ]


async def test_claim_obeys_limit_and_names(journal):
    """A claim gives no more than asked for, and nothing to handlers that were not named."""
    await journal.append([receipt(result_of("A", "a"), result_of("B", "b"), handlers=(H, "assets"))])

    assert ids(await claim(journal, limit=1, handlers=("assets",))) == ["a"]
    assert await claim(journal, handlers=("nobody",)) == []
    assert await claim(journal, handlers=()) == []
    assert ids(await claim(journal, limit=1)) == ["a"]
    assert ids(await claim(journal)) == ["b"]


async def test_what_waits_holds_up_only_its_own_lane(journal):
    """A delivery that waits for a retry keeps back the later ones of its key, and nothing else."""
    await journal.append([receipt(result_of("A", "a1"), result_of("A", "a2"), result_of("B", "b1"))])
    first, other = await claim(journal)
    await settle(journal, RetryAt(first, at(10), "TransientError", "busy"), Completed(other))

    assert await claim(journal, seconds=9) == []
    assert ids(await claim(journal, seconds=10)) == ["a1"]


@pytest.mark.parametrize("verdict", [bury, Completed, lambda one: Completed(one, rule="stopped")])
async def test_the_next_of_a_lane_comes_after_any_end(journal, verdict):
    """Done, dropped and dead alike let the next one of the key come."""
    await journal.append([receipt(result_of("A", "a1"), result_of("A", "a2"))])

    await settle(journal, verdict(await claim_one(journal)))

    assert ids(await claim(journal)) == ["a2"]


# --- leases -------------------------------------------------------------------------------------------------


async def test_a_lease_ends(journal):
    """What a dead worker had is given to the next one when its lease is over, with no try spent."""
    await journal.append([receipt(result_of("A", "a"))])
    await claim_one(journal, lease=30)

    assert await claim(journal, seconds=29) == []
    again = await claim_one(journal, seconds=30)

    assert (again.event.id, again.attempts) == ("a", 0)


async def test_a_lease_can_be_extended(journal):
    """A worker that lives keeps what it works on."""
    await journal.append([receipt(result_of("A", "a"))])
    delivery = await claim_one(journal, lease=30)
    await journal.extend([delivery], now=at(20), lease_seconds=30)

    assert await claim(journal, seconds=49) == []
    assert ids(await claim(journal, seconds=50)) == ["a"]


async def test_a_verdict_under_a_lost_lease_is_void(journal):
    """Who lost its lease changes nothing any more: neither before the next claim nor after it."""
    await journal.append([receipt(result_of("A", "a"))])
    lost = await claim_one(journal, lease=30)
    held = await claim_one(journal, seconds=31, lease=30)

    assert await settle(journal, bury(lost), seconds=32) == []
    await journal.extend([lost], now=at(60), lease_seconds=30)
    assert await states(journal) == {"a": DeliveryState.IN_FLIGHT}

    assert await settle(journal, Completed(held), seconds=33) == ["a"]
    assert await settle(journal, bury(lost), seconds=34) == []
    assert await states(journal) == {"a": DeliveryState.DONE}


async def test_released_is_pending_as_before(journal):
    """What was claimed and not tried goes back to its place, with no try spent."""
    await journal.append([receipt(result_of("A", "a1"), result_of("A", "a2"))])

    assert await settle(journal, Release(await claim_one(journal))) == []

    again = await claim_one(journal)
    assert (again.event.id, again.attempts) == ("a1", 0)


# --- what becomes of deliveries -----------------------------------------------------------------------------


async def test_a_retry_spends_a_try_and_comes_at_its_time(journal):
    """Each failed try is kept; the next one comes when it is due, not before."""
    await journal.append([receipt(result_of("A", "a"))])
    await settle(journal, RetryAt(await claim_one(journal), at(7), "TransientError", "busy"), seconds=2)

    (entry,) = await journal.search(Query())
    assert (entry.state, entry.retry_at, entry.error, entry.reason) == (
        DeliveryState.WAITING,
        at(7),
        "TransientError",
        "busy",
    )
    assert [(one.at, one.error, one.reason) for one in entry.attempts] == [(at(2), "TransientError", "busy")]
    assert await claim(journal, seconds=6.9) == []
    assert (await claim_one(journal, seconds=7)).attempts == 1


async def test_parked_comes_free_when_named(journal):
    """What waits for a destination is set free when that is announced, with no try spent."""
    await journal.append([receipt(result_of("A", "a"), result_of("B", "b"))])
    first, second = await claim(journal)
    await settle(journal, park(first, "destination:WATS"), park(second, "destination:ERP"))

    (entry,) = await journal.search(Query(event_id="a"))
    assert (entry.state, entry.parked_on, entry.reason) == (
        DeliveryState.PARKED,
        ("destination:WATS",),
        "WATS is down",
    )
    assert await claim(journal, seconds=3600) == []
    assert await journal.unpark("destination:nobody") == 0
    assert await journal.unpark("destination:WATS") == 1
    freed = await claim_one(journal)
    assert (freed.event.id, freed.attempts) == ("a", 0)


async def test_parked_comes_free_at_its_time(journal):
    """What is parked with a time looks again by itself, and is not freed a second time by name."""
    await journal.append([receipt(result_of("A", "a"))])
    await settle(journal, park(await claim_one(journal), "destination:WATS", until=30))

    assert await claim(journal, seconds=29) == []
    delivery = await claim_one(journal, seconds=30)
    assert await journal.unpark("destination:WATS") == 0
    assert await settle(journal, Completed(delivery)) == ["a"]


async def test_parked_comes_free_by_a_fact(journal):
    """A fact, taught by an event or written down, frees what is parked on its key."""
    await journal.append([receipt(result_of("A", "a"), result_of("B", "b"))])
    first, second = await claim(journal)
    await settle(journal, park(first, "unit:A", "transaction:1"), park(second, "unit:B"))

    await journal.append(
        [receipt(result_of("C", "c"), facts=(Fact("transaction:1", {"recipe": "R"}, START),))]
    )
    assert ids(await claim(journal)) == ["a", "c"]

    await journal.remember([Fact("unit:B", {"part": "P"}, START)])
    assert ids(await claim(journal)) == ["b"]


async def test_all_deliveries_of_an_event_close_it(journal):
    """Settling says which events have nothing open any more."""
    await journal.append([receipt(result_of("A", "a"), handlers=(H, "assets"))])
    first, second = await claim(journal, handlers=(H, "assets"))

    assert await settle(journal, Completed(first)) == []
    assert await settle(journal, bury(second)) == ["a"]


async def test_done_keeps_what_the_handler_said(journal):
    """The detail of a delivery that is done, and the rule of one that was dropped, can be read later."""
    await journal.append([receipt(result_of("A", "a"), result_of("B", "b"))])
    first, second = await claim(journal)
    await settle(journal, Completed(first, {"report": "r-1"}), Completed(second, rule="station is not ours"))

    done, dropped = await journal.search(Query())
    assert (done.state, dict(done.detail)) == (DeliveryState.DONE, {"report": "r-1"})
    assert (dropped.state, dropped.rule) == (DeliveryState.DROPPED, "station is not ours")


async def test_a_dead_letter_keeps_every_try(journal):
    """A dead letter says why, and what each try before said."""
    await journal.append([receipt(result_of("A", "a"))])
    await settle(journal, RetryAt(await claim_one(journal), at(1), "TransientError", "busy"))
    await settle(journal, bury(await claim_one(journal, seconds=1)), seconds=1)

    (entry,) = await journal.search(Query(states=(DeliveryState.DEAD,)))
    assert (entry.error, entry.reason) == ("PermanentError", "no such part")
    assert [one.reason for one in entry.attempts] == ["busy", "no such part"]


async def test_bytes_are_kept_for_the_open_and_the_dead(journal):
    """A message's bytes stay while one of its deliveries is open or dead; then they may go."""
    await journal.append([receipt(result_of("A", "a"), handlers=(H, "assets"), record=raw(b"one"))])
    (entry, _) = await journal.search(Query())
    assert entry.message_id is not None
    first, second = await claim(journal, handlers=(H, "assets"))

    await settle(journal, Completed(first))
    kept = await journal.raw(entry.message_id)
    assert kept is not None
    assert kept.body == b"one"
    await settle(journal, bury(second))
    assert await journal.raw(entry.message_id) is not None
    await journal.replay(Query(), now=at(1))
    await settle(journal, Completed(await claim_one(journal, handlers=("assets",))), seconds=2)
    assert (await journal.raw(entry.message_id) is not None) is journal.durable
    await journal.prune(done_before=at(3))
    assert await journal.raw(entry.message_id) is None
    assert await journal.raw("no such message") is None


async def test_messages_of_one_that_came_last(journal):
    """The newest first, of one transport and with given properties, however many others came since."""

    def from_(client: str, number: int, transport: str = "mqtt", **said: Any) -> RawRecord:
        properties = {"n": number, "client_id": client, **said}
        record = RawMessage(b"x", transport=transport, properties=properties, received_at=at(number))
        return RawRecord.of(record)

    def of(name: str) -> RawRecord:
        return from_("other", 90, user={"client_id": name})

    odd = 'Ω"\\ \x00\ud800%_'
    records = [
        *(from_("one", number) for number in range(4)),
        *(from_(odd, number) for number in range(4, 6)),
        from_("one", 6, transport="amqp"),
        *(from_("other", number) for number in range(7, 40)),
        of("one"),
    ]
    for number, record in enumerate(records):
        await journal.append([receipt(result_of(f"U{number}", f"e{number}"), record=record)])
    last = await journal.recent_messages("mqtt", limit=3, having={"client_id": "one"})
    assert [head.properties["n"] for head in last] in ([3, 2, 1], [3, 2])  # what only looks like it may count
    assert last[0].received_at == at(3)
    assert [
        head.properties["n"]
        for head in await journal.recent_messages("mqtt", limit=9, having={"client_id": odd})
    ] == [5, 4]
    assert [head.properties["n"] for head in await journal.recent_messages("amqp", limit=9, having={})] == [6]
    assert await journal.recent_messages("mqtt", limit=9, having={"client_id": "nobody"}) == []


# --- replay and discard -------------------------------------------------------------------------------------


async def test_replay_goes_back_to_its_place(journal):
    """A replayed dead letter comes before the later ones of its key, with its tries given back."""
    await journal.append([receipt(*(result_of("A", f"a{n}") for n in range(3)))])
    await settle(journal, bury(await claim_one(journal)))

    assert await journal.replay(Query(states=(DeliveryState.DEAD,)), now=at(5)) == 1

    first = await claim_one(journal)
    assert (first.event.id, first.attempts) == ("a0", 0)
    await settle(journal, Completed(first))
    assert ids(await claim(journal)) == ["a1"]


async def test_replay_waits_for_what_is_in_flight(journal):
    """A replayed dead letter never runs beside a later one of its key that is being handled."""
    await journal.append([receipt(*(result_of("A", f"a{n}") for n in range(3)))])
    await settle(journal, bury(await claim_one(journal)))
    running = await claim_one(journal)
    await journal.replay(Query(), now=at(5))

    assert await claim(journal) == []
    await settle(journal, RetryAt(running, at(10), "TransientError", "busy"))
    older = await claim_one(journal, seconds=10)
    assert older.event.id == "a0"
    await settle(journal, Completed(older))
    assert ids(await claim(journal, seconds=10)) == ["a1"]


async def test_several_replayed_keep_their_order(journal):
    """Dead letters of one key come in order however they are replayed, around what is in flight."""
    await journal.append([receipt(*(result_of("A", f"a{n}") for n in range(5)))])
    for _ in range(4):
        await settle(journal, bury(await claim_one(journal)))
    running = await claim_one(journal)
    for event_id in ("a2", "a0", "a3", "a1"):
        assert await journal.replay(Query(event_id=event_id), now=at(1)) == 1
    await settle(journal, Completed(running))

    order = []
    for _ in range(4):
        delivery = await claim_one(journal)
        order.append(delivery.event.id)
        await settle(journal, Completed(delivery))
    assert order == ["a0", "a1", "a2", "a3"]


async def test_a_replayed_event_is_open_again(journal):
    """A repeat of an event that was put through again is not done before that is."""
    await journal.append([receipt(result_of("A", "a"))])
    await settle(journal, bury(await claim_one(journal)))
    await journal.replay(Query(), now=at(1))

    (answer,) = await journal.append([receipt(result_of("A", "a"))])
    assert answer.open == ("a",)
    assert await settle(journal, Completed(await claim_one(journal))) == ["a"]


async def test_only_dead_events_are_replayed(journal):
    """Replay touches neither what is done nor what waits nor what nobody could read."""
    broken = Unreadable("x", "reason", "Error")
    await journal.append([receipt(result_of("A", "a"), result_of("B", "b"), unreadable=(broken,))])
    first, second = await claim(journal)
    await settle(journal, Completed(first), RetryAt(second, at(60), "TransientError", "busy"))

    assert await journal.replay(Query(), now=at(1)) == 0
    assert await claim(journal, seconds=1) == []


async def test_discard_puts_away_with_its_reason(journal):
    """A discarded dead letter keeps who said why, and can't be replayed."""
    broken = Unreadable("x", "reason", "Error")
    await journal.append([receipt(result_of("A", "a")), Receipt(raw(b"?"), unreadable=(broken,))])
    await settle(journal, bury(await claim_one(journal)))

    assert await journal.discard(Query(), reason="scrapped unit", now=at(9)) == 2

    entries = await journal.search(Query(states=(DeliveryState.DISCARDED,)))
    assert [entry.rule for entry in entries] == ["scrapped unit"] * 2
    assert all(entry.changed == at(9) for entry in entries)
    assert await journal.replay(Query(), now=at(10)) == 0
    assert await journal.discard(Query(), reason="again", now=at(10)) == 0


async def test_discard_leaves_the_living_alone(journal):
    """Only dead letters can be discarded."""
    await journal.append([receipt(result_of("A", "a"))])

    assert await journal.discard(Query(), reason="no", now=at(1)) == 0
    assert ids(await claim(journal)) == ["a"]


# --- looking ------------------------------------------------------------------------------------------------


async def _a_day(journal: Journal) -> None:
    """Fill a journal with something for each filter to find."""
    fault = Event(EventType.ASSET_FAULT, {"x": 1}, source="//Acme/Oven", id="fault-1")
    fault.metadata.message_name = "CFX.FaultOccurred"
    await journal.append([receipt(result_of("SN-100", "t1"), record=raw(seconds=0))])
    await journal.append([receipt(result_of("SN-200", "t2"), record=raw(seconds=100))])
    await journal.append([receipt(fault, handlers=("assets",), record=raw(seconds=200))])
    await journal.append(
        [
            Receipt(
                raw(seconds=300), unreadable=(Unreadable("x", "no Units", "CFXDecodeError", "//Acme/Oven"),)
            )
        ]
    )
    first, second, third = await claim(journal, handlers=(H, "assets"))
    await settle(
        journal,
        Completed(first),
        bury(second, "ReportRejected", "part Ünbekannt"),
        RetryAt(third, at(900), "TransientError", "busy"),
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), ["t1", "t2", "fault-1", None]),
        (Query(states=(DeliveryState.DEAD,)), ["t2", None]),
        (Query(states=(DeliveryState.DONE, DeliveryState.WAITING)), ["t1", "fault-1"]),
        (Query(handler="assets"), ["fault-1"]),
        (Query(handler=""), [None]),
        (Query(event_type="test.result"), ["t1", "t2"]),
        (Query(event_id="t2"), ["t2"]),
        (Query(event_id="none"), []),
        (Query(key="SN-100"), ["t1"]),
        (Query(source="//Acme/Oven"), ["fault-1", None]),
        (Query(error="ReportRejected"), ["t2"]),
        (Query(message_name="CFX.FaultOccurred"), ["fault-1"]),
        (Query(text="sn-"), ["t1", "t2"]),
        (Query(text="OVEN"), ["fault-1", None]),
        (Query(text="fault-1"), ["fault-1"]),
        (Query(text="fault-"), []),
        (Query(text="ult-1"), []),
        (Query(text="T1"), ["t1"]),
        (Query(text="faultocc"), ["fault-1"]),
        (Query(text="no units"), [None]),
        (Query(since=at(100)), ["t2", "fault-1", None]),
        (Query(before=at(100)), ["t1"]),
        (Query(since=at(100), before=at(200)), ["t2"]),
        (Query(states=(DeliveryState.DEAD,), handler=H), ["t2"]),
        (Query(limit=2), ["t1", "t2"]),
        (Query(limit=0), []),
    ],
    ids=repr,
)
async def test_each_filter_finds_its_own(journal, query, found):
    """Each member of a query restricts, all of them together, in the order of the journal."""
    await _a_day(journal)

    entries = await journal.search(query)

    assert [entry.event.id if entry.event else None for entry in entries] == found


async def test_ids_find_exactly_those(journal):
    """Entries can be asked for by their ids, in the order of the journal."""
    await _a_day(journal)
    everything = await journal.search(Query())
    wanted = (everything[3].id, everything[0].id, "999999")

    assert [one.id for one in await journal.search(Query(ids=wanted))] == [everything[0].id, everything[3].id]


async def test_paging_shows_everything_once(journal):
    """Paging on from the last entry seen shows all, each once, in order."""
    await journal.append([receipt(*(result_of(f"U{n}", f"e{n}") for n in range(7)))])
    seen: list[str] = []
    after = None
    while page := await journal.search(Query(limit=3, after=after)):
        seen += [entry.event.id for entry in page if entry.event]
        after = page[-1].id

    assert seen == [f"e{n}" for n in range(7)]


async def test_the_sums_balance(journal):
    """Received, duplicates, events and deliveries add up, whatever became of them."""
    await _a_day(journal)
    await journal.append([receipt(result_of("SN-100", "t1"), record=raw(transport="mqtt"))])
    await journal.append([receipt(result_of("SN-300", "t3"), handlers=())])
    await journal.append([Receipt(None, (Routed(result_of("SN-400", "t4"), (H, "assets")),))])

    stats = await journal.stats()

    assert stats.received == {"amqp": 5, "mqtt": 1, "": 1}
    assert {name: number for name, number in stats.duplicates.items() if number} == {"mqtt": 1}
    assert (stats.events, stats.unwanted) == (5, 1)
    deliveries = {
        handler: {state: number for state, number in by_state.items() if number}
        for handler, by_state in stats.deliveries.items()
    }
    assert deliveries == {
        H: {DeliveryState.DONE: 1, DeliveryState.DEAD: 1, DeliveryState.PENDING: 1},
        "assets": {DeliveryState.WAITING: 1, DeliveryState.PENDING: 1},
        "": {DeliveryState.DEAD: 1},
    }
    assert stats.open == 3
    assert stats.count(DeliveryState.DEAD) == 2
    assert stats.oldest_open == at(200)


async def test_an_empty_journal_has_empty_sums(journal):
    """A new journal counts nothing."""
    stats = await journal.stats()

    assert (stats.events, stats.open, stats.oldest_open) == (0, 0, None)


# --- facts --------------------------------------------------------------------------------------------------


async def test_the_newest_fact_holds(journal):
    """Of two facts with one key the one with the later time holds, whichever came first."""
    await journal.append([receipt(result_of("A", "a"), facts=(Fact("unit:A", {"part": "new"}, at(10)),))])
    await journal.append([receipt(result_of("A", "b"), facts=(Fact("unit:A", {"part": "old"}, at(5)),))])
    await journal.remember([Fact("unit:B", {"n": 1}, at(0)), Fact("unit:B", {"n": 2}, at(0))])

    assert await journal.recall(["unit:A", "unit:B", "unit:C"]) == {
        "unit:A": {"part": "new"},
        "unit:B": {"n": 2},
    }


async def test_a_known_event_teaches_nothing(journal):
    """A repeat of a message changes no facts."""
    await journal.append([receipt(result_of("A", "a"), facts=(Fact("unit:A", {"part": "P"}, at(0)),))])
    await journal.append([receipt(result_of("A", "a"), facts=(Fact("unit:A", {"part": "Q"}, at(9)),))])

    assert await journal.recall(["unit:A"]) == {"unit:A": {"part": "P"}}


async def test_facts_are_there_before_their_deliveries(journal):
    """When a delivery can be claimed, what its event taught is known."""
    await journal.append(
        [
            receipt(result_of("A", "a"), facts=(Fact("unit:A", {"n": 1}, at(0)),)),
            receipt(result_of("B", "b"), facts=(Fact("unit:B", {"n": 2}, at(0)),)),
        ]
    )
    claimed = await claim(journal)

    assert ids(claimed) == ["a", "b"]
    assert set(await journal.recall(["unit:A", "unit:B"])) == {"unit:A", "unit:B"}


# --- waiting ------------------------------------------------------------------------------------------------


async def test_waiting_ends_with_new_work(journal):
    """A worker that waits is woken when something is written down, and does not miss what came before."""
    await claim(journal)
    async with asyncio.timeout(10):
        waiting = asyncio.ensure_future(journal.wait_ready(now=START, timeout=60))
        await journal.append([receipt(result_of("A", "a"))])
        await waiting
        await journal.wait_ready(now=START, timeout=60)
    assert ids(await claim(journal)) == ["a"]


async def test_waiting_ends_when_a_time_comes(journal):
    """A worker that waits is woken when a retry is due."""
    await journal.append([receipt(result_of("A", "a"))])
    await settle(journal, RetryAt(await claim_one(journal), at(0.02), "TransientError", "busy"))
    assert await claim(journal) == []

    async with asyncio.timeout(10):
        await journal.wait_ready(now=START, timeout=60)
    assert ids(await claim(journal, seconds=0.02)) == ["a"]


async def test_waiting_ends_at_the_latest_with_its_time(journal):
    """A worker that has nothing to wait for looks again after the time that it gave."""
    await claim(journal)
    async with asyncio.timeout(10):
        await journal.wait_ready(now=START, timeout=0.01)


async def test_closing_twice_is_harmless(journal):
    """A journal may be closed more than once."""
    await journal.close()
    await journal.close()


async def test_replay_and_discard_count_dead_letters_only(journal):
    """The limit of a query is one of dead letters: what is done before them does not use it up."""
    await journal.append([receipt(result_of(name, name)) for name in "abc"])
    for delivery in await claim(journal):
        verdict = bury(delivery) if delivery.event.id == "c" else Completed(delivery)
        await settle(journal, verdict)

    assert await journal.replay(Query(limit=1), now=at(1)) == 1
    await settle(journal, bury(await claim_one(journal, seconds=2)), seconds=2)
    assert await journal.discard(Query(limit=1), reason="looked at", now=at(3)) == 1
