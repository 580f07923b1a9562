"""What the journal in memory has learnt from events."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Container, Mapping
from datetime import UTC, datetime
from typing import Any

from pywats_events.journal.records import Fact


class Facts:
    """The facts by key. Of two with one key, the one with the later time holds.

    Args:
        most: how many are kept; those that were learnt first are forgotten.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._facts: OrderedDict[str, Fact] = OrderedDict()
        self._learnt: dict[str, datetime] = {}

    def learn(self, fact: Fact) -> bool:
        """Take a fact in; False when a later one is known."""
        known = self._facts.get(fact.key)
        if known is not None and known.time > fact.time:
            return False
        self._facts[fact.key] = fact
        self._learnt[fact.key] = datetime.now(UTC)
        self._facts.move_to_end(fact.key)
        while len(self._facts) > self._most:
            del self._learnt[self._facts.popitem(last=False)[0]]
        return True

    def recall(self, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Give the values of those that are known."""
        return {key: self._facts[key].value for key in keys if key in self._facts}

    def forget(self, before: datetime, needed: Container[str]) -> None:
        """Forget what was learnt before, but for those that something waits for."""
        for key in [key for key, at in self._learnt.items() if at < before and key not in needed]:
            del self._facts[key], self._learnt[key]
