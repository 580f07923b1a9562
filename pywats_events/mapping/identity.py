"""What tells one message, and each of its events, from all others."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Final

from pywats_events.message import RawMessage

_LONGEST_ID: Final = 200


class Identity:
    """Gives the events of one message their ids: the same for the same message, no two the same.

    What was readable of a message does not decide: when the rest is read again, after its mapping was mended,
    those events that are there already keep their ids.

    Args:
        raw: the message.
        several: whether it has several items.
    """

    def __init__(self, raw: RawMessage, *, several: bool) -> None:
        self._raw = raw
        self._several = several
        self._given: set[str] = set()

    def by_item(self, index: int, given: str) -> str:
        """Give the id of an event whose item says it; ``index`` is the item's."""
        made = _limited(given)
        # of events that one message gives one id, all but the first would be lost as repeats
        made = f"{made}/{index}" if made in self._given else made
        self._given.add(made)
        return made

    def by_message(self, index: int, given: str | None, id_property: str | None, window: float | None) -> str:
        """Give the id of the event of an item.

        Args:
            index: place of the item.
            given: what the message says it is known by.
            id_property: the property that tells messages apart, if one is configured.
            window: seconds in which the same content is the same message.
        """
        mark = _property(self._raw, id_property) if id_property else None
        identity = given or (f"{self._raw.address}#{mark}" if mark else text_property(self._raw, "identity"))
        made = _limited(identity) if identity else digest_of(self._raw, window)
        return f"{made}/{index}" if self._several else made


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
