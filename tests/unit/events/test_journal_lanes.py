"""The contract of all journals: fresh events before old ones, and only the newest where only that counts."""

from __future__ import annotations

from pywats_events import Event, EventType
from pywats_events.journal import SUPERSEDED, Completed, DeliveryState, Query, RetryAt

from .doubles import result_of
from .test_journal import H, at, bury, claim, claim_one, ids, raw, receipt, settle, states

ASSETS = "assets"


def state_of(asset: str, event_id: str, event_type: EventType = EventType.ASSET_STATE_CHANGED) -> Event:
    return Event(event_type, {"asset_id": asset}, source=asset, id=event_id)


async def claim_newest(journal, **options):
    return await journal.claim(
        limit=options.pop("limit", 100),
        now=at(options.pop("seconds", 0)),
        lease_seconds=60,
        handlers=(H, ASSETS),
        coalesce=(ASSETS,),
        **options,
    )


async def claim_since(journal, seconds: float, **options):
    return await journal.claim(
        limit=options.pop("limit", 100), now=at(1000), lease_seconds=60, handlers=(H,), since=at(seconds)
    )


# --- the lane of fresh events -------------------------------------------------------------------------------


async def test_fresh_events_pass_a_backlog(journal):
    """What came since a time is given although much older of other keys waits; the rest comes as ever."""
    for n in range(20):
        await journal.append([receipt(result_of(f"U{n}", f"old{n}"), record=raw(seconds=n))])
    await journal.append([receipt(result_of("X", "new"), record=raw(seconds=100))])

    assert ids(await claim_since(journal, 100)) == ["new"]
    assert ids(await claim_since(journal, 100)) == []
    assert ids(await claim_since(journal, 15, limit=2)) == ["old15", "old16"]
    rest = ids(await claim(journal, seconds=1000))
    assert rest == [f"old{n}" for n in (*range(15), *range(17, 20))]


async def test_a_fresh_event_never_passes_an_older_one_of_its_key(journal):
    """Order within a key holds among fresh events too: pending, in flight or waiting, the older is first."""
    await journal.append([receipt(result_of("A", "a1"), record=raw(seconds=0))])
    await journal.append([receipt(result_of("A", "a2"), record=raw(seconds=100))])

    assert await claim_since(journal, 100) == []
    older = await claim_one(journal, seconds=1000)
    assert await claim_since(journal, 100) == []
    await settle(journal, RetryAt(older, at(5000), "TransientError", "busy"), seconds=1000)
    assert await claim_since(journal, 100) == []
    await settle(journal, Completed(await claim_one(journal, seconds=5000)), seconds=5000)
    assert ids(await claim_since(journal, 100)) == ["a2"]


async def test_oldest_is_by_time_then_by_order(journal):
    """A message that was received earlier and written down later is given earlier, among other keys."""
    await journal.append([receipt(result_of("A", "a"), record=raw(seconds=10))])
    await journal.append([receipt(result_of("B", "b"), result_of("C", "c"), record=raw(seconds=5))])

    assert ids(await claim(journal, seconds=20)) == ["b", "c", "a"]


# --- only the newest ----------------------------------------------------------------------------------------


async def test_only_the_newest_of_a_type_is_given(journal):
    """Of several pending states of one asset the newest is given; the others are dropped by a rule."""
    await journal.append([receipt(*(state_of("Oven", f"s{n}") for n in range(4)), handlers=(ASSETS,))])

    (delivery,) = await claim_newest(journal)

    assert delivery.event.id == "s3"
    assert await states(journal) == {
        **{f"s{n}": DeliveryState.DROPPED for n in range(3)},
        "s3": DeliveryState.IN_FLIGHT,
    }
    assert {entry.rule for entry in await journal.search(Query(states=(DeliveryState.DROPPED,)))} == {
        SUPERSEDED
    }


async def test_other_keys_types_and_handlers_are_not_superseded(journal):
    """A later event of another asset, of another type or for another handler makes nothing needless."""
    events = (
        state_of("Oven", "s1"),
        state_of("Oven", "f1", EventType.ASSET_FAULT),
        state_of("Oven", "s2"),
        state_of("Printer", "p1"),
    )
    await journal.append([receipt(*events, handlers=(ASSETS, H))])

    given = [(one.event.id, one.handler) for one in await claim_newest(journal)]

    assert given == [("s1", H), ("f1", ASSETS), ("p1", ASSETS), ("p1", H)]


async def test_the_turn_goes_on_in_order_past_what_was_superseded(journal):
    """What stands between two states of an asset keeps its place."""
    events = (
        state_of("Oven", "s1"),
        state_of("Oven", "f1", EventType.ASSET_FAULT),
        state_of("Oven", "s2"),
        state_of("Oven", "s3"),
    )
    await journal.append([receipt(*events, handlers=(ASSETS,))])

    order = []
    while claimed := await claim_newest(journal):
        (delivery,) = claimed
        order.append(delivery.event.id)
        await settle(journal, Completed(delivery))
    assert order == ["f1", "s3"]


async def test_what_is_in_flight_is_not_superseded(journal):
    """A delivery that runs is brought to its end, and one that waits for a retry keeps its turn."""
    await journal.append([receipt(state_of("Oven", "s1"), handlers=(ASSETS,))])
    (running,) = await claim_newest(journal)
    await journal.append([receipt(state_of("Oven", "s2"), handlers=(ASSETS,))])
    assert await claim_newest(journal) == []

    await settle(journal, RetryAt(running, at(10), "TransientError", "busy"))
    assert await claim_newest(journal, seconds=5) == []
    assert ids(await claim_newest(journal, seconds=10)) == ["s2"]


async def test_settling_tells_of_superseded_events(journal):
    """Events that a claim closed are named with the next outcomes, so that their messages can be let go."""
    await journal.append([receipt(state_of("Oven", "s1"), state_of("Oven", "s2"), handlers=(ASSETS,))])
    (newest,) = await claim_newest(journal)

    assert sorted(await settle(journal, Completed(newest))) == ["s1", "s2"]


async def test_the_limit_counts_what_is_given(journal):
    """What is dropped on the way uses nothing of the limit."""
    for asset in ("A", "B", "C"):
        await journal.append(
            [receipt(*(state_of(asset, f"{asset}{n}") for n in range(3)), handlers=(ASSETS,))]
        )

    assert ids(await claim_newest(journal, limit=2)) == ["A2", "B2"]
    assert ids(await claim_newest(journal, limit=2)) == ["C2"]


async def test_a_dead_letter_that_lives_again_may_be_superseded(journal):
    """A replayed state that a later pending one has overtaken is not sent any more."""
    await journal.append([receipt(state_of("Oven", "s1"), handlers=(ASSETS,))])
    (first,) = await claim_newest(journal)
    await settle(journal, bury(first))
    await journal.append([receipt(state_of("Oven", "s2"), handlers=(ASSETS,))])

    assert await journal.replay(Query(), now=at(5)) == 1
    assert ids(await claim_newest(journal, seconds=6)) == ["s2"]
