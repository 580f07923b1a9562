"""How the rows of the journal in memory are found, and joined by their cause of death."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pywats_events.journal.fingerprint import pattern
from pywats_events.journal.memory_rows import Row, fits
from pywats_events.journal.records import DeadGroup, Query


def found(query: Query, rows: Mapping[str, Row], of_event: Mapping[str, Sequence[Row]]) -> list[Row]:
    """Find the rows that a query means, in its order.

    Args:
        query: what to find.
        rows: all of them, by id.
        of_event: those of each event, or part that nobody could read.
    """
    them: list[Row] = []
    for row in _candidates(query, rows, of_event):
        if len(them) >= query.limit:
            break
        if fits(row, query):
            them.append(row)
    return them


def _candidates(
    query: Query, rows: Mapping[str, Row], of_event: Mapping[str, Sequence[Row]]
) -> Iterator[Row]:
    some: Iterable[Row]
    if query.ids:
        some = [rows[row_id] for row_id in set(query.ids) if row_id in rows]
    elif query.event_id is not None:
        some = of_event.get(query.event_id, ())
    else:
        some = rows.values()
    ordered = sorted(some, key=lambda row: row.seq, reverse=query.newest_first)
    if query.after is None:
        return iter(ordered)
    after = int(query.after)
    return (row for row in ordered if (row.seq < after if query.newest_first else row.seq > after))


def by_cause(dead: Iterable[Row]) -> list[DeadGroup]:
    """Join dead letters, which come oldest first, by what they died of; the largest group first."""
    causes: defaultdict[str, list[Row]] = defaultdict(list)
    for row in dead:
        causes[row.fingerprint or ""].append(row)
    groups = [
        DeadGroup(
            fingerprint=cause,
            handler=rows[-1].handler,
            error=rows[-1].error or "",
            reason=pattern(rows[-1].reason or ""),
            count=len(rows),
            first=min(row.changed for row in rows),
            last=max(row.changed for row in rows),
            example=rows[-1].id,
        )
        for cause, rows in causes.items()
    ]
    groups.sort(key=lambda group: (-group.count, group.fingerprint))
    return groups
