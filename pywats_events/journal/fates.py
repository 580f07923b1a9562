"""What became of a message, by what became of its deliveries."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from pywats_events.journal.records import DeliveryState


class Fate(StrEnum):
    """What became of a message; the names are those of ``MessageSums``."""

    WAITING = "waiting"
    DEAD = "dead"
    DONE = "done"
    DISCARDED = "discarded"
    DROPPED = "dropped"


def fate_of(states: Iterable[DeliveryState]) -> Fate:
    """Give the fate of a message with deliveries in these states: the first that fits any of them."""
    seen = set(states)
    if not all(state.is_settled for state in seen):
        return Fate.WAITING
    for state in (DeliveryState.DEAD, DeliveryState.DONE, DeliveryState.DISCARDED):
        if state in seen:
            return Fate(state.value)
    return Fate.DROPPED
