"""How values stand in the tables of the journal in PostgreSQL."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final, overload

from pywats_events.journal.records import DeliveryState, Parking, Passed
from pywats_events.journal.stored_values import passed_of

#: States as they are stored. The tables keep these numbers for ever; those below 4 are open.
STATES: Final = (
    DeliveryState.PENDING,
    DeliveryState.IN_FLIGHT,
    DeliveryState.WAITING,
    DeliveryState.PARKED,
    DeliveryState.DONE,
    DeliveryState.DROPPED,
    DeliveryState.DEAD,
    DeliveryState.DISCARDED,
)
CODES: Final = {state: code for code, state in enumerate(STATES)}

#: Largest number that a row can have.
LARGEST: Final = 2**63 - 1

#: What a text in PostgreSQL can't hold: NUL and halves of surrogate pairs; and the sign that spells them.
_UNFIT: Final = re.compile("[\x00\x1a\ud800-\udfff]")
_SPELT: Final = re.compile("\x1a([0-9a-f]{4})")


@overload
def text(value: str) -> str: ...
@overload
def text(value: str | None) -> str | None: ...
def text(value: str | None) -> str | None:
    """Give a text as PostgreSQL can take it: another one for each text."""
    if value is None or (value.isprintable() and value.isascii()):
        return value
    return _UNFIT.sub(lambda found: f"\x1a{ord(found[0]):04x}", value)


@overload
def untext(value: str) -> str: ...
@overload
def untext(value: str | None) -> str | None: ...
def untext(value: str | None) -> str | None:
    """Give back a text."""
    if value is None or "\x1a" not in value:
        return value
    return _SPELT.sub(lambda found: chr(int(found[1], 16)), value)


def digest(value: str) -> bytes:
    """Give what stands for a text of any length in an index."""
    return blake2b(value.encode(errors="surrogatepass"), digest_size=16).digest()


def history_of(stored: str | None) -> tuple[Passed, ...]:
    """Give back what a delivery came through; what it is stored as is joined by commas."""
    return tuple(map(_passed_of, json.loads(f"[{stored or ''}]")))


def _passed_of(stored: Sequence[Any]) -> Passed:
    passed = passed_of(stored)
    if isinstance(passed, Parking):  # written by the server, of texts that stood there
        return replace(passed, error=untext(passed.error), reason=untext(passed.reason))
    return passed


def from_json(stored: str | None) -> Mapping[str, Any]:
    """Give back what somebody said."""
    return json.loads(stored) if stored else {}


def number_of(row_id: str) -> int:
    """Give the number of a row; 0, which none has, for what is none."""
    number = int(row_id) if row_id.isdecimal() and len(row_id) <= len(str(LARGEST)) else 0
    return number if number <= LARGEST else 0
