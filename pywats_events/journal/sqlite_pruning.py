"""What goes from the journal in SQLite, slice by slice, so that nothing has to wait for long."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from pywats_events.journal.sqlite_lanes import Lanes

#: Rows that one slice looks at.
SLICE: Final = 1000

_DELIVERIES: Final = "DELETE FROM deliveries WHERE seq IN (SELECT value FROM json_each(?))"
_DOCUMENTS: Final = """
    UPDATE events SET document = NULL WHERE pk IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = pk)
"""
_MESSAGES: Final = """
    DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE message = id)
"""


class Slice(NamedTuple):
    """What one slice did: rows removed, and where the next one begins; None when it was the last."""

    removed: int
    after: int | None


def prune_done(lanes: Lanes, after: int, before: int) -> Slice:
    """Remove deliveries of messages that are done as a whole, with what only they need."""
    db = lanes.db
    last, oldest = db.execute(
        """
        SELECT max(seq), min(first_seen) FROM (
            SELECT seq, first_seen FROM deliveries WHERE seq > ? ORDER BY seq LIMIT ?
        )
        """,
        (after, SLICE),
    ).fetchone()
    if last is None or oldest >= before:  # what was journalled later was settled later
        return Slice(0, None)
    rows = db.execute(
        """
        SELECT seq, event, message FROM deliveries AS old
        WHERE seq > ?1 AND seq <= ?2 AND state IN (4, 5, 7) AND changed < ?3 AND NOT EXISTS (
            SELECT 1 FROM deliveries AS other
            WHERE other.message = old.message AND (other.state NOT IN (4, 5, 7) OR other.changed >= ?3)
        )
        """,
        (after, last, before),
    ).fetchall()
    if rows:
        seqs, events, messages = (
            json.dumps(sorted(set(filter(None, ids)))) for ids in zip(*rows, strict=True)
        )
        db.execute(_DELIVERIES, (seqs,))
        db.execute(_DOCUMENTS, (events,))
        db.execute(_MESSAGES, (messages,))
    return Slice(len(rows), last)


def prune_ids(lanes: Lanes, after: int, before: int) -> Slice:
    """Forget ids of events that are not there any more."""
    last, oldest = lanes.db.execute(
        "SELECT max(pk), min(seen) FROM (SELECT pk, seen FROM events WHERE pk > ? ORDER BY pk LIMIT ?)",
        (after, SLICE),
    ).fetchone()
    if last is None or oldest >= before:
        return Slice(0, None)
    gone = lanes.db.execute(
        """
        DELETE FROM events WHERE pk > ? AND pk <= ? AND seen < ?
        AND NOT EXISTS (SELECT 1 FROM deliveries WHERE event = pk)
        """,
        (after, last, before),
    )
    return Slice(gone.rowcount, last)


def prune_facts(lanes: Lanes, before: int) -> int:
    """Forget facts that no open delivery may need."""
    oldest = lanes.db.execute(
        "SELECT first_seen FROM deliveries WHERE state < 4 ORDER BY seq LIMIT 1"
    ).fetchone()
    if oldest is not None and oldest[0] < before:
        return 0
    gone = lanes.db.execute(
        "DELETE FROM facts WHERE learnt < ? AND NOT EXISTS (SELECT 1 FROM parked WHERE name = key)", (before,)
    )
    return gone.rowcount
