"""What tells one message, and each of its events, from all others."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Final

from pywats_events.message import RawMessage

_LONGEST_ID: Final = 200


class Identity:
    """Gives the events of one message their ids: the same for the same message, no two the same."""

    def __init__(self, raw: RawMessage, *, several: bool) -> None:
        self._raw = raw
        self._several = several
        self._given: dict[str, int] = {}
        self._count = -1

    def of(self, given: str | None, scope: str, id_property: str | None, window: float | None) -> str:
        """Give the id of the next event.

        Args:
            given: what the message says.
            scope: within which that is unique.
            id_property: the property that tells messages apart, if one is configured.
            window: seconds in which the same content is the same message.
        """
        self._count += 1
        if given is not None:
            made = _limited(f"{scope}#{given}")
            count = self._given[made] = self._given.get(made, -1) + 1
            # of events that one message gives one id, all but the first would be lost as repeats
            return f"{made}/{count}" if count else made
        mark = _property(self._raw, id_property) if id_property else None
        identity = f"{self._raw.address}#{mark}" if mark else text_property(self._raw, "identity")
        made = _limited(identity) if identity else digest_of(self._raw, window)
        return f"{made}/{self._count}" if self._several else made


def _property(raw: RawMessage, name: str) -> str | None:
    """Find a property: by itself, or among those that senders may add."""
    nests = (raw.properties, *(each for each in raw.properties.values() if isinstance(each, Mapping)))
    for nest in nests:
        found = nest.get(name)
        if isinstance(found, (str, int)) and not isinstance(found, bool) and str(found):
            return str(found)
    return None


def text_property(raw: RawMessage, name: str) -> str | None:
    """Give a property that is a text; None where it is none."""
    found = raw.properties.get(name)
    return found if isinstance(found, str) and found else None


def _limited(text: str) -> str:
    text = text.encode(errors="backslashreplace").decode()
    if len(text) <= _LONGEST_ID:
        return text
    return f"{text[:100]}#{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def digest_of(raw: RawMessage, window: float | None) -> str:
    """Give the hash of address and body, and of the span of time where it counts."""
    digest = hashlib.sha256(raw.address.encode(errors="surrogatepass"))
    digest.update(b"\0")
    digest.update(raw.body)
    if window is not None:
        digest.update(f"\0{math.floor(raw.received_at.timestamp() / window)}/{window:g}".encode())
    return digest.hexdigest()[:32]
