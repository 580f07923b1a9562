"""States of deliveries in SQLite, the order of each handler and key, and the sums."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

from pywats_events.journal.fates import Fate, fate_of
from pywats_events.journal.records import DeliveryState
from pywats_events.journal.sqlite_in_flight import InFlight
from pywats_events.journal.sqlite_schema import CODES, STATES
from pywats_events.journal.sqlite_sets import Row, found_in_sets, in_sets
from pywats_events.journal.stored_values import Text

PENDING: Final = CODES[DeliveryState.PENDING]
WAITING: Final = CODES[DeliveryState.WAITING]
PARKED: Final = CODES[DeliveryState.PARKED]
DONE: Final = CODES[DeliveryState.DONE]
DROPPED: Final = CODES[DeliveryState.DROPPED]
DEAD: Final = CODES[DeliveryState.DEAD]
DISCARDED: Final = CODES[DeliveryState.DISCARDED]

_TALLY: Final = """
    INSERT INTO tally {rows} ON CONFLICT DO UPDATE SET number = number + excluded.number
"""
_COUNTERS: Final = """
    INSERT INTO counters {rows} ON CONFLICT DO UPDATE SET number = number + excluded.number
"""
_OFFER: Final = """
    UPDATE deliveries SET ready = 1 WHERE state = 0 AND ready = 0 AND seq IN (
        SELECT (
            SELECT seq FROM deliveries WHERE handler = lane.column1 AND key = lane.column2 AND state < 4
            ORDER BY seq LIMIT 1
        ) FROM ({rows}) AS lane
    )
"""
_FREE: Final = """
    UPDATE deliveries SET state = 0, due = NULL, changed = ?1,
        freed = CASE state WHEN 3 THEN ?1 ELSE freed END
    WHERE seq IN (SELECT value FROM json_each(?2))
"""


#: Fate of a message by the state of its only delivery.
_FATES: Final = tuple(fate_of([state]) for state in STATES)


class Lanes:
    """What every change to the tables goes through, so that lanes and sums stay true.

    One for each piece of work. The sums are written at its end: call ``finish``.

    Attributes:
        db: the connection, in a transaction.
        in_flight: what is claimed; in the file it is pending.
    """

    def __init__(self, db: sqlite3.Connection, in_flight: InFlight) -> None:
        self.db = db
        self.in_flight = in_flight
        self._tally: Counter[tuple[Text, int]] = Counter()
        self._counters: Counter[tuple[str, Text]] = Counter()

    # --- sums --------------------------------------------------------------------------------------------

    def tally(self, handler: Text, state: int, number: int = 1) -> None:
        """Count deliveries of a handler in a state."""
        self._tally[handler, state] += number

    def count(self, name: str, transport: Text, number: int = 1) -> None:
        """Count what came in."""
        self._counters[name, transport] += number

    def finish(self) -> None:
        """Write the sums down."""
        tally, counters = self.sums()
        in_sets(self.db, _TALLY, tally)
        in_sets(self.db, _COUNTERS, counters)

    def sums(self) -> tuple[list[Row], list[Row]]:
        """Give the sums that are to be written: by handler and state, and what came in."""
        return (
            [(*key, number) for key, number in self._tally.items() if number],
            [(*key, number) for key, number in self._counters.items() if number],
        )

    def move(self, handler: Text, before: int, after: int, number: int = 1) -> None:
        """Note that deliveries have changed their state."""
        self.tally(handler, before, -number)
        self.tally(handler, after, number)

    def move_fate(self, transport: Text, before: Fate, after: Fate, number: int = 1) -> None:
        """Note that messages have another fate."""
        if before is not after:
            self.count(before.value, transport, -number)
            self.count(after.value, transport, number)

    def fates(self, messages: Collection[int]) -> dict[int, tuple[Text, Fate]]:
        """Give transport and fate of messages that are kept, by what their deliveries are now."""
        rows = found_in_sets(
            self.db,
            """
            SELECT id, transport, (SELECT group_concat(DISTINCT state) FROM deliveries WHERE message = id)
            FROM messages WHERE id IN ({rows})
            """,
            [(message,) for message in messages],
        )
        return {message: (transport, _fate(states)) for message, transport, states in rows}

    def alone(self, before: int, after: int, transport: Text, number: int = 1) -> None:
        """Note that the only deliveries of so many messages have changed their state."""
        self.move_fate(transport, _FATES[before], _FATES[after], number)

    # --- lanes -------------------------------------------------------------------------------------------

    def offer(self, lanes: Collection[tuple[Text, Text | None]]) -> None:
        """Make the oldest open delivery of each lane claimable, if it is pending."""
        in_sets(self.db, _OFFER, list(lanes))

    def withdraw(self, handler: Text, key: Text | None) -> None:
        """Make the oldest open delivery of a lane not claimable: an older one comes back."""
        self.db.execute(
            """
            UPDATE deliveries SET ready = 0
            WHERE seq = (
                SELECT seq FROM deliveries WHERE handler = ?1 AND key = ?2 AND state < 4 ORDER BY seq LIMIT 1
            ) AND ready = 1
            """,
            (handler, key),
        )

    def free(self, seqs: Iterable[int], now: int) -> int:
        """Make deliveries that wait or are parked pending; give their number."""
        given = json.dumps(sorted(seqs))
        if given == "[]":
            return 0
        rows = self.db.execute(
            "SELECT handler, key, state FROM deliveries WHERE seq IN (SELECT value FROM json_each(?))",
            (given,),
        ).fetchall()
        self.db.execute("DELETE FROM parked WHERE delivery IN (SELECT value FROM json_each(?))", (given,))
        self.db.execute(_FREE, (now, given))
        for handler, _key, state in rows:
            self.move(handler, state, PENDING)
        self.offer({(handler, key) for handler, key, _state in rows})
        return len(rows)

    def free_parked(self, name: Text, now: int) -> int:
        """Set free what is parked on this; give its number."""
        rows = self.db.execute("SELECT delivery FROM parked WHERE name = ?", (name,)).fetchall()
        return self.free([seq for (seq,) in rows], now)


def _fate(states: str | None) -> Fate:
    return fate_of(STATES[int(code)] for code in states.split(",")) if states else Fate.DROPPED
