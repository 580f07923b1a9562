"""The edge node: it gives the messages, and leaves publishing to whoever asks for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from pywats_events.sparkplug.datatypes import DataType
from pywats_events.sparkplug.writing import REBIRTH, Said, write_payload

#: Topic and payload.
Message: TypeAlias = tuple[str, bytes]

_SEQ: Final = 256
#: The metrics of the oven: alias, name, type, unit of measure.
OVEN: Final = (
    (10, "Status/State", DataType.INT32, ""),
    (11, "Zone 1/Temperature", DataType.FLOAT, "°C"),
    (12, "Boards/Total", DataType.UINT64, ""),
    (13, "Scanner/Code", DataType.STRING, ""),
)
_ALIASES: Final = {name: (alias, kind) for alias, name, kind, _ in OVEN}


class EdgeNode:
    """An edge node that tells of one oven, as Sparkplug 3.0 wants it: names at birth, aliases from then on.

    Args:
        group: its group.
        node: its name.
        session: number of its session, by which birth and death belong together.
        clock: milliseconds since 1970 of its first message; each further one comes a second later.
    """

    def __init__(
        self,
        *,
        group: str = "Line1",
        node: str = "Edge1",
        session: int = 0,
        clock: int = 1_772_532_000_000,
    ) -> None:
        self._group = group
        self._node = node
        self._session = session
        self._now = clock
        self._seq = 0
        self._oven: dict[str, bool | float | str | bytes | None] = {
            "Status/State": 1,
            "Zone 1/Temperature": 24.5,
            "Boards/Total": 0,
            "Scanner/Code": None,
        }

    @property
    def commands(self) -> str:
        """The topic on which it is told what to do."""
        return self._topic("NCMD")

    def death(self) -> Message:
        """Give its death, which it leaves with the broker as its will when it connects."""
        return self._topic("NDEATH"), write_payload([self._bdseq()], timestamp=self._now)

    def births(self) -> list[Message]:
        """Give its birth and that of the oven: when it connects, and when it is asked for them."""
        self._seq = 0
        own = [self._bdseq(), Said(REBIRTH, DataType.BOOLEAN, value=False, timestamp=self._now)]
        oven = [
            Said(
                name,
                kind,
                self._oven[name],
                alias=alias,
                timestamp=self._now,
                properties={"engUnit": unit} if unit else {},
            )
            for alias, name, kind, unit in OVEN
        ]
        return [self._message("NBIRTH", own), self._message("DBIRTH", oven, device="Oven")]

    def tell(self, **changed: float | str) -> Message:
        """Give data of the oven: what has changed, by the last part of its name (``temperature=181.2``)."""
        said = []
        for name, (alias, kind) in _ALIASES.items():
            value = changed.get(name.rpartition("/")[2].lower())
            if value is not None:
                self._oven[name] = value
                said.append(Said(None, kind, value, alias=alias, timestamp=self._now, with_type=False))
        return self._message("DDATA", said, device="Oven")

    def _bdseq(self) -> Said:
        return Said("bdSeq", DataType.INT64, self._session, timestamp=self._now)

    def _message(self, kind: str, metrics: Iterable[Said], device: str | None = None) -> Message:
        body = write_payload(metrics, timestamp=self._now, seq=self._seq)
        self._seq = (self._seq + 1) % _SEQ
        self._now += 1000
        return self._topic(kind, device), body

    def _topic(self, kind: str, device: str | None = None) -> str:
        return f"spBv1.0/{self._group}/{kind}/{self._node}" + (f"/{device}" if device else "")
