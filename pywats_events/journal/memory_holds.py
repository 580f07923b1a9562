"""What bridges share besides events, in memory: notes, and destinations that are left alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pywats_events.journal.records import Hold


class Notes:
    """Small values by name."""

    def __init__(self) -> None:
        self._notes: dict[str, Any] = {}

    def put(self, name: str, value: Any) -> None:
        """Keep a note; None removes it."""
        if value is None:
            self._notes.pop(name, None)
        else:
            self._notes[name] = value

    def find(self, prefix: str) -> Mapping[str, Any]:
        """Give those whose names begin so, by name."""
        return {name: self._notes[name] for name in sorted(self._notes) if name.startswith(prefix)}


class Holds:
    """The destinations that are left alone, and who may try whether one is back."""

    def __init__(self) -> None:
        self._holds: dict[str, Hold] = {}
        self._probes: dict[str, datetime] = {}  # until when a probe of a destination holds

    def all(self) -> Mapping[str, Hold]:
        """Give them by name."""
        return dict(self._holds)

    def put(self, destination: str, hold: Hold | None) -> None:
        """Leave a destination alone, or not any more; a probe under way is over."""
        self._probes.pop(destination, None)
        if hold is None:
            self._holds.pop(destination, None)
        else:
            self._holds[destination] = hold

    def try_probe(self, destination: str, now: datetime, lease_seconds: float) -> bool:
        """Ask to be the one that probes; see ``Journal.try_probe``."""
        hold, taken = self._holds.get(destination), self._probes.get(destination)
        if hold is None or now < hold.probe_at or (taken is not None and now < taken):
            return False
        self._probes[destination] = now + timedelta(seconds=lease_seconds)
        return True
