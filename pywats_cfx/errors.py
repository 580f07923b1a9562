"""The one error of reading CFX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Most characters of what a sender said of itself that are shown.
_SHOWN: Final = 120


@dataclass(slots=True)
class CFXDecodeError(ValueError):
    """A body, or one envelope of it, is not readable as CFX.

    Attributes:
        reason: what is wrong, for people; never the whole content.
        path: the field in wire names, ``MessageBody.TestedUnits[2].OverallResult`` for instance; empty when
            the body as a whole is meant.
        index: place of the envelope in its batch, from 0; None when no envelope was reached.
        message_name: what the message called itself, as far as that could be read.
        unique_id: ``UniqueID`` of the envelope, likewise.
        source: ``Source`` of the envelope, likewise.
    """

    reason: str
    path: str = ""
    index: int | None = None
    message_name: str | None = None
    unique_id: str | None = None
    source: str | None = None

    def __str__(self) -> str:
        who = _short(self.message_name) or ("CFX message" if self.index is None else "envelope")
        if self.source:
            who = f"{who} from {_short(self.source)}"
        if self.unique_id:
            who = f"{who}, UniqueID {_short(self.unique_id)}"
        if self.index:
            who = f"{who} (number {self.index} of the batch, from 0)"
        return f"{who}: {self.path}: {self.reason}" if self.path else f"{who}: {self.reason}"


def _short(said: str | None) -> str | None:
    return f"{said[:_SHOWN]}..." if said and len(said) > _SHOWN else said
