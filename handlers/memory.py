"""Where handlers keep what must hold from one event, or one try, to the next."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from pywats_events.journal import Fact


class FactStore(Protocol):
    """The part of the journal that handlers use."""

    async def recall(self, keys: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Give the values of the facts that are known, by key."""

    async def remember(self, facts: Sequence[Fact]) -> None:
        """Write facts down; of two with one key, the one with the later time holds."""
