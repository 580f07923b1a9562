"""The contract of all journals: what a delivery came through stays in its history, and is found again."""

from __future__ import annotations

import pytest

from pywats_events import Unreadable
from pywats_events.journal import (
    MOST_PARKINGS,
    Attempt,
    Completed,
    DeliveryState,
    Entry,
    Journal,
    Park,
    Parking,
    Query,
    Receipt,
    Replay,
    RetryAt,
)

from .doubles import result_of
from .test_journal import at, bury, claim_one, park, raw, receipt, settle

WATS = "destination:WATS"


async def the_entry(journal: Journal) -> Entry:
    (entry,) = await journal.search(Query())
    return entry


async def parked(journal: Journal, reason: str, seconds: float) -> None:
    delivery = await claim_one(journal, seconds=seconds)
    until = at(seconds + 5)
    await settle(journal, Park(delivery, (WATS,), until, "DestinationUnavailable", reason), seconds=seconds)


# --- what stays ---------------------------------------------------------------------------------------------


async def test_being_left_alone_stays_in_the_history(journal):
    """Since when, why, and until when; also when it is done at last. It is no try that failed."""
    await journal.append([receipt(result_of("A", "a"))])
    await settle(journal, park(await claim_one(journal, seconds=1), WATS, until=30), seconds=2)

    left_alone = Parking(at(2), "DestinationUnavailable", "WATS is down", 1, at(2), None)
    assert (await the_entry(journal)).history == (left_alone,)

    delivery = await claim_one(journal, seconds=31)
    free_again = Parking(at(2), "DestinationUnavailable", "WATS is down", 1, at(2), at(31))
    assert (await the_entry(journal)).history == (free_again,)

    await settle(journal, Completed(delivery, {"report": "r-1"}), seconds=32)
    entry = await the_entry(journal)
    assert (entry.state, entry.history, entry.attempts) == (DeliveryState.DONE, (free_again,), ())


async def test_everything_stands_in_its_order(journal):
    """Parked, failed, parked again, dead, put through again, done: each with its time and its words."""
    await journal.append([receipt(result_of("A", "a"))])
    await parked(journal, "down\x00 for \ud800 the night", 1)
    await settle(journal, RetryAt(await claim_one(journal, seconds=6), at(8), "E", "busy"), seconds=7)
    await parked(journal, "down again", 8)
    await settle(journal, bury(await claim_one(journal, seconds=13)), seconds=14)
    await journal.replay(Query(), now=at(20))
    await settle(journal, Completed(await claim_one(journal, seconds=21)), seconds=21)

    entry = await the_entry(journal)
    assert entry.history == (
        Parking(at(1), "DestinationUnavailable", "down\x00 for \ud800 the night", 1, at(1), at(6)),
        Attempt(at(7), "E", "busy"),
        Parking(at(8), "DestinationUnavailable", "down again", 1, at(8), at(13)),
        Attempt(at(14), "PermanentError", "no such part"),
        Replay(at(20)),
    )
    assert [one.reason for one in entry.attempts] == ["busy", "no such part"]


async def test_a_named_destination_sets_free_with_its_time(journal):
    """What was set free because its destination is back has a time at which that was."""
    await journal.append([receipt(result_of("A", "a"))])
    await settle(journal, park(await claim_one(journal), WATS))
    await journal.unpark(WATS)

    (parking,) = (await the_entry(journal)).history
    assert isinstance(parking, Parking)
    assert parking.freed is not None


async def test_a_discarded_letter_says_when_and_why(journal):
    """Who puts a dead letter away leaves the reason and the time, beside what it died of."""
    await journal.append([receipt(result_of("A", "a"))])
    await settle(journal, bury(await claim_one(journal)), seconds=1)
    await journal.discard(Query(), reason="scrapped", now=at(9))

    entry = await the_entry(journal)
    assert (entry.state, entry.rule, entry.changed) == (DeliveryState.DISCARDED, "scrapped", at(9))
    assert entry.history == (Attempt(at(1), "PermanentError", "no such part"),)


async def test_a_letter_that_nobody_could_read_has_a_history(journal):
    """It failed when it came."""
    await journal.append([Receipt(raw(b"?"), unreadable=(Unreadable("x", "no Units", "CFXDecodeError"),))])
    assert (await the_entry(journal)).history == (Attempt(at(0), "CFXDecodeError", "no Units"),)


# --- how much of it -----------------------------------------------------------------------------------------


async def test_a_thousand_times_for_one_reason_count_as_one(journal):
    """First, last and number are kept, whatever it took."""
    await journal.append([receipt(result_of("A", "a"))])
    for number in range(1000):
        await parked(journal, "WATS is down", 10 * number)
    assert (await the_entry(journal)).history == (
        Parking(at(0), "DestinationUnavailable", "WATS is down", 1000, at(9990), None),
    )


async def test_ever_other_reasons_are_kept_in_bounds(journal):
    """The first ones stand apart; from then on they count together, under the last words."""
    await journal.append([receipt(result_of("A", "a"))])
    number = 2 * MOST_PARKINGS
    for each in range(number):
        await parked(journal, f"no answer for {each} s", 10 * each)

    *before, last = (await the_entry(journal)).history
    assert [one.reason for one in before] == [f"no answer for {each} s" for each in range(MOST_PARKINGS)]
    assert last == Parking(
        at(10 * MOST_PARKINGS),
        "DestinationUnavailable",
        f"no answer for {number - 1} s",
        number - MOST_PARKINGS,
        at(10 * (number - 1)),
        None,
    )


# --- what a search for a text finds -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("BAD", ["SN-BAD-1"]),
        ("badcaf", []),
        ("0badcaf", []),
        ("0BADCAFE", ["SN-2"]),
        ("0badcafe-0000-4000", ["SN-2"]),
        ("0badcafe-0000-4000-8000-000000000bad", ["SN-2"]),
        ("0badcafe-0000-4000-8000-000000000bad0", []),
        ("cafe-0000-4000", []),
        ("e-7", ["SN-3"]),
        ("e-", []),
        ("feedf00d", [None]),
        ("feedf00", []),
    ],
)
async def test_a_text_means_an_event_only_by_its_beginning(journal, text, found):
    """Hexadecimal digits spell short words: an id counts whole, or by its first eight characters or more."""
    await journal.append(
        [
            receipt(result_of("SN-BAD-1", "11111111-0000-4000-8000-000000000001")),
            receipt(result_of("SN-2", "0badcafe-0000-4000-8000-000000000bad")),
            receipt(result_of("SN-3", "e-7")),
            Receipt(raw(), unreadable=(Unreadable("feedf00d-1", "no Units", "CFXDecodeError"),)),
        ]
    )
    entries = await journal.search(Query(text=text))
    assert [entry.event and entry.event.key for entry in entries] == found
