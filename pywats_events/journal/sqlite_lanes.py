"""States of deliveries in SQLite, and the order of each handler and key."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import Final

from pywats_events.journal.records import DeliveryState
from pywats_events.journal.sqlite_schema import CODES
from pywats_events.journal.sqlite_values import Text

PENDING: Final = CODES[DeliveryState.PENDING]
IN_FLIGHT: Final = CODES[DeliveryState.IN_FLIGHT]
WAITING: Final = CODES[DeliveryState.WAITING]
PARKED: Final = CODES[DeliveryState.PARKED]
DEAD: Final = CODES[DeliveryState.DEAD]
DISCARDED: Final = CODES[DeliveryState.DISCARDED]


class Lanes:
    """What every change to the tables goes through, so that lanes and sums stay true.

    One for each job. The sums are written when the job ends: call ``finish``.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.db = connection
        self._tally: Counter[tuple[Text, int]] = Counter()
        self._counters: Counter[tuple[str, Text]] = Counter()

    # --- sums --------------------------------------------------------------------------------------------

    def tally(self, handler: Text, state: int, number: int = 1) -> None:
        """Count deliveries of a handler in a state."""
        self._tally[handler, state] += number

    def count(self, name: str, transport: Text, number: int) -> None:
        """Count what came in."""
        self._counters[name, transport] += number

    def finish(self) -> None:
        """Write the sums down."""
        self.db.executemany(
            "INSERT INTO tally VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number",
            [(*key, number) for key, number in self._tally.items() if number],
        )
        self.db.executemany(
            "INSERT INTO counters VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET number = number + excluded.number",
            [(*key, number) for key, number in self._counters.items() if number],
        )

    # --- lanes -------------------------------------------------------------------------------------------

    def move(self, handler: Text, before: int, after: int) -> None:
        """Note that a delivery has changed its state."""
        self.tally(handler, before, -1)
        self.tally(handler, after)

    def offer(self, handler: Text, key: Text | None) -> None:
        """Make the oldest open delivery of a lane claimable, if it is pending and none is in flight."""
        self.db.execute(
            """
            UPDATE deliveries SET ready = 1
            WHERE seq = (
                SELECT seq FROM deliveries WHERE handler = ?1 AND key = ?2 AND state < 4 ORDER BY seq LIMIT 1
            ) AND state = 0 AND ready = 0
            AND NOT EXISTS (SELECT 1 FROM deliveries WHERE handler = ?1 AND key = ?2 AND state = 1)
            """,
            (handler, key),
        )

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
        """Make deliveries that wait, are parked or in flight pending; give their number."""
        number = 0
        for seq in seqs:
            handler, key, state = self.db.execute(
                "SELECT handler, key, state FROM deliveries WHERE seq = ?", (seq,)
            ).fetchone()
            if state == PARKED:
                self.db.execute("DELETE FROM parked WHERE delivery = ?", (seq,))
            self.db.execute(
                "UPDATE deliveries SET state = 0, due = NULL, changed = ? WHERE seq = ?", (now, seq)
            )
            self.move(handler, state, PENDING)
            self.offer(handler, key)
            number += 1
        return number

    def free_parked(self, name: Text, now: int) -> int:
        """Set free what is parked on this; give its number."""
        rows = self.db.execute("SELECT delivery FROM parked WHERE name = ? ORDER BY delivery", (name,))
        return self.free([seq for (seq,) in rows.fetchall()], now)

    def drop_raw(self, message: int | None) -> None:
        """Note that a delivery needs its message's bytes no more; they go with the last one."""
        if message is None:
            return
        last = self.db.execute("DELETE FROM messages WHERE id = ? AND users <= 1", (message,))
        if not last.rowcount:
            self.db.execute("UPDATE messages SET users = users - 1 WHERE id = ?", (message,))
