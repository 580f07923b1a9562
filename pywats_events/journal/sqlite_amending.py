"""Messages of the journal in SQLite that are read again, after a mapping was mended."""

from __future__ import annotations

from collections.abc import Sequence

from pywats_events.journal.records import READ_AGAIN, Amended, Routed
from pywats_events.journal.sqlite_lanes import DEAD, DISCARDED, Lanes
from pywats_events.journal.sqlite_sets import in_sets
from pywats_events.journal.sqlite_writing import Numbers, Prepared, Writing, learn, rows_of, unit_of
from pywats_events.journal.stored_values import Text, document, text, untext
from pywats_events.message import Unreadable


def amend(lanes: Lanes, numbers: Numbers, message_id: str, one: Prepared, now: int) -> Amended:
    """Put a message's new reading in the place of the old one."""
    message = int(message_id) if message_id.isdecimal() else 0
    before = lanes.fates([message])
    if message not in before:
        raise LookupError(f"journal: message {message_id} is not there, or is kept no more")
    writing = Writing(lanes, numbers)
    changed: list[str] = []
    new: list[str] = []
    # the ids go on with those of the unreadable parts
    for routed, (_id, stored, _seen) in zip(one.receipt.events, one.ids, strict=False):
        if _replace(lanes, routed, stored):
            changed.append(routed.event.id)
        if _add_missing(writing, routed, stored, message=message, now=now):
            new.append(routed.event.id)
    read = _put_away_what_was_read(lanes, one.receipt.unreadable, message, now)
    for part in one.receipt.unreadable:
        (pk,) = writing.know([(text(part.id), None, now)])
        if pk is not None:
            writing.unreadable(pk, message, part, now)
    writing.write()
    lanes.db.execute(
        "UPDATE messages SET parts = (SELECT count(*) FROM deliveries WHERE message = ?1) WHERE id = ?1",
        (message,),
    )
    lanes.in_flight.note_company(message)
    transport, fate = before[message]
    lanes.move_fate(transport, fate, lanes.fates([message])[message][1])
    if changed or new or read:
        learn(lanes, one.receipt.facts)
    return Amended(tuple(changed), tuple(new), tuple(read))


def _deliveries_of(lanes: Lanes, event_id: str) -> tuple[int | None, list[tuple[int, Text, int]]]:
    found = lanes.db.execute("SELECT pk FROM events WHERE id = ?", (text(event_id),)).fetchall()
    if not found:
        return None, []
    ((pk,),) = found
    rows = lanes.db.execute("SELECT seq, handler, state FROM deliveries WHERE event = ?", (pk,)).fetchall()
    return pk, rows


def _replace(lanes: Lanes, routed: Routed, stored: bytes | None) -> bool:
    event = routed.event
    pk, rows = _deliveries_of(lanes, event.id)
    dead = [seq for seq, _handler, state in rows if state == DEAD]
    if not dead or any(state < 4 for _seq, _handler, state in rows):  # noqa: PLR2004  # the open ones
        return False
    lanes.db.execute("UPDATE events SET document = ? WHERE pk = ?", (stored or document(event), pk))
    in_sets(
        lanes.db,
        """
        UPDATE deliveries SET key = given.column2, unit = given.column3, event_type = given.column4,
            source = given.column5, message_name = given.column6
        FROM ({rows}) AS given WHERE seq = given.column1
        """,
        [
            (
                seq,
                text(event.key),
                unit_of(event),
                event.event_type.value,
                text(event.source),
                text(event.metadata.message_name),
            )
            for seq in dead
        ],
    )
    return True


def _add_missing(writing: Writing, routed: Routed, stored: bytes | None, *, message: int, now: int) -> bool:
    lanes = writing.lanes
    pk, rows = _deliveries_of(lanes, routed.event.id)
    due_to = {handler for _seq, handler, _state in rows}
    missing = [handler for handler in routed.handlers if text(handler) not in due_to]
    if pk is None:
        (pk,) = writing.know([(text(routed.event.id), stored, now)])
        ((transport,),) = lanes.db.execute(
            "SELECT transport FROM messages WHERE id = ?", (message,)
        ).fetchall()
        lanes.count("events", transport)
        lanes.count("unwanted", transport, not routed.handlers)
    elif missing and not rows:
        lanes.db.execute("UPDATE events SET document = ? WHERE pk = ?", (stored, pk))
    for row in rows_of(routed.event, missing):
        assert pk is not None  # noqa: S101  # an id that was looked for in this transaction is new
        writing.delivery(pk, message, now, row)
    return bool(missing)


def _put_away_what_was_read(
    lanes: Lanes, unreadable: Sequence[Unreadable], message: int, now: int
) -> list[str]:
    still = {text(part.id) for part in unreadable}
    rows = lanes.db.execute(
        """
        SELECT seq, id FROM deliveries JOIN events ON pk = event
        WHERE message = ? AND handler = '' AND state = 6
        """,
        (message,),
    ).fetchall()
    read = [(seq, name) for seq, name in rows if name not in still]
    for seq, _name in read:
        lanes.db.execute(
            "UPDATE deliveries SET state = ?, rule = ?, changed = ? WHERE seq = ?",
            (DISCARDED, READ_AGAIN, now, seq),
        )
        lanes.move("", DEAD, DISCARDED)
    return [untext(name) for _seq, name in read]
