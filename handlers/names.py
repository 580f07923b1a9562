"""Names and texts of steps: clean, short, and different among siblings."""

from __future__ import annotations

import re
from typing import Final

from pywats_api.wsjf import clean_text

NAME_LENGTH: Final = 100
_TEXT_LENGTH: Final = 100_000
_GUID: Final = re.compile(r"\{?[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\}?")


class Siblings:
    """Gives names within one parent: a repeated one gets ``#2``, ``#3`` and so on, in order."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._counts: dict[str, int] = {}

    def name(self, *candidates: str | None) -> str:
        """Take the first candidate that is a name, and make it different from those taken before."""
        wanted = next((text for text in map(_clean, candidates) if text), "Step")
        count = self._counts.get(wanted, 0) + 1
        name = wanted if count == 1 else _numbered(wanted, count)
        while name in self._taken:
            count += 1
            name = _numbered(wanted, count)
        self._counts[wanted] = count
        self._taken.add(name)
        return name


def stable_id(identity: str | None) -> str | None:
    """Give an identity that may serve as a name; a GUID is another one in each run and may not."""
    return None if not identity or _GUID.fullmatch(identity.strip()) else identity


def report_text(*lines: str | None) -> str | None:
    """Join the lines that say something to the free text below a step."""
    said = [line for line in lines if line]
    return (clean_text("\n".join(said), _TEXT_LENGTH) or None) if said else None


def short(text: str | None, length: int) -> str | None:
    """Clean a text and cut it; None when nothing is left."""
    return (clean_text(text, length) or None) if text else None


def _numbered(name: str, count: int) -> str:
    ending = f" #{count}"
    return name[: NAME_LENGTH - len(ending)] + ending


def _clean(text: str | None) -> str:
    return clean_text(" ".join(text.split()), NAME_LENGTH) if text else ""
