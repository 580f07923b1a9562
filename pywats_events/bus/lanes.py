"""How a destination's permits are divided: important handlers first, fresh events beside a backlog."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pywats_events.bus.subscription import Subscription

#: Part of the permits that deliveries have which were journalled since the backlog began to drain.
FRESH_SHARE: Final = 0.25
#: Part of the permits that handlers of lower priority have while those above have work for all of them.
LOWER_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Lane:
    """Deliveries that share a part of the permits.

    Attributes:
        handlers: names of their handlers.
        since: only those journalled at or after this time.
        weight: their part of the permits while every lane has work.
    """

    handlers: tuple[str, ...]
    since: datetime | None
    weight: float

    @property
    def key(self) -> tuple[tuple[str, ...], bool]:
        """What the lane is known by from one round to the next."""
        return self.handlers, self.since is not None


def lanes_of(subscriptions: Iterable[Subscription], *, fresh_since: datetime | None) -> list[Lane]:
    """Give the lanes of a destination's handlers, the one with the largest part first.

    Args:
        subscriptions: the handlers.
        fresh_since: when the backlog began to drain; None: there is none, and no lane for fresh events.
    """
    by_priority: dict[int, list[str]] = {}
    for one in subscriptions:
        by_priority.setdefault(one.priority, []).append(one.name)
    lanes: list[Lane] = []
    rest = 1.0
    for place, priority in enumerate(sorted(by_priority, reverse=True), start=1):
        part = rest if place == len(by_priority) else rest * (1 - LOWER_SHARE)
        rest -= part
        names = tuple(by_priority[priority])
        if fresh_since is None:
            lanes.append(Lane(names, None, part))
        else:
            lanes.append(Lane(names, None, part * (1 - FRESH_SHARE)))
            lanes.append(Lane(names, fresh_since, part * FRESH_SHARE))
    return sorted(lanes, key=lambda lane: -lane.weight)


class Shares:
    """Divides permits among lanes by their weights, also where they come one at a time.

    Each lane's part adds up until it makes a whole permit. A lane with nothing to do saves nothing up.
    """

    def __init__(self) -> None:
        self._credit: dict[object, float] = {}

    def split(self, lanes: Sequence[Lane], permits: int) -> list[int]:
        """Give the lanes' parts of these permits. What is left over goes to whoever has work."""
        self._credit = {lane.key: self._credit.get(lane.key, 0.0) + permits * lane.weight for lane in lanes}
        parts: list[int] = []
        left = permits
        for lane in lanes:
            part = min(left, max(0, math.floor(self._credit[lane.key] + 1e-9)))
            parts.append(part)
            left -= part
        return parts

    def note(self, lane: Lane, *, got: int, has_more: bool) -> None:
        """Note how many deliveries a lane had for its permits, and whether it may have had more."""
        credit = self._credit.get(lane.key, 0.0) - got
        self._credit[lane.key] = max(-1.0, credit if has_more else min(0.0, credit))
