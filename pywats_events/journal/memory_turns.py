"""Whose turn it is in the journal in memory: lanes, what is ready in them, and what waits for a time."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from pywats_events.journal.memory_rows import TIMED, Lane, Row


class Turns:
    """The lanes with their open deliveries, and a heap of ready ones for each handler.

    A heap may hold what was taken, settled or overtaken meanwhile; that is passed over when it comes up.

    Args:
        rows: the deliveries that are there, by id.
    """

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._rows = rows
        self._lanes: dict[tuple[str, str], Lane] = {}
        self._ready: defaultdict[str, list[tuple[datetime, int, str]]] = defaultdict(list)

    def enter(self, row: Row, key: str) -> None:
        """Put an open delivery in its place in the lane of its handler and this key."""
        its_own = (row.handler, key)
        lane = self._lanes.get(its_own)
        if lane is None:
            lane = self._lanes[its_own] = Lane(its_own)
        row.lane = lane
        lane.insert(row)
        if lane.rows[0] is row:
            self.offer(lane)

    def offer(self, lane: Lane) -> None:
        """Make the first of a lane claimable, if it is pending."""
        row = lane.ready
        if row is not None:
            self.put_back(row)

    def put_back(self, row: Row) -> None:
        """Make a delivery claimable that was passed by."""
        heapq.heappush(self._ready[row.handler], (row.first_seen, row.seq, row.id))

    def leave(self, row: Row) -> None:
        """Take a settled delivery out of its lane; the next one has its turn."""
        lane, row.lane = row.lane, None
        if lane is None:
            return
        lane.rows.remove(row)
        if lane.rows:
            self.offer(lane)
        else:
            del self._lanes[lane.key]

    def ready(self, handlers: Collection[str]) -> Iterator[tuple[Row, Lane]]:
        """Take what is ready for these handlers off the heaps, oldest first."""
        heaps = [self._ready[name] for name in set(handlers) if name in self._ready]
        while True:
            heap = min((heap for heap in heaps if heap), key=lambda heap: heap[0], default=None)
            if heap is None:
                return
            row = self._rows.get(heapq.heappop(heap)[-1])
            if row is not None and row.lane is not None and row.lane.ready is row:
                yield row, row.lane

    def heads(self) -> Iterator[Row]:
        """Give the oldest open delivery of each lane."""
        return (lane.rows[0] for lane in self._lanes.values())

    def any_open_before(self, moment: datetime) -> bool:
        """Tell whether an open delivery was journalled before."""
        return any(row.first_seen < moment for lane in self._lanes.values() for row in lane.rows)


class Timers:
    """The times at which deliveries become ready by themselves. One that has changed since is passed over.

    Args:
        rows: the deliveries that are there, by id.
    """

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._rows = rows
        self._heap: list[tuple[datetime, int, str]] = []

    def wake_at(self, row: Row, due: datetime) -> None:
        """Note when a delivery is to wake."""
        row.due = due
        heapq.heappush(self._heap, (due, row.seq, row.id))

    def over(self, now: datetime) -> Iterator[Row]:
        """Take those off whose time has come."""
        while self._heap and self._heap[0][0] <= now:
            due, _, row_id = heapq.heappop(self._heap)
            row = self._rows.get(row_id)
            if row is not None and row.due == due and row.state in TIMED:
                yield row

    @property
    def next(self) -> datetime | None:
        """The next time that comes."""
        return self._heap[0][0] if self._heap else None
