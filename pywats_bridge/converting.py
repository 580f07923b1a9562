"""Dry runs: what the messages in files would become."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from handlers import Rules
from pywats_bridge.preview import Outlook, preview
from pywats_cfx import cfx_adapter
from pywats_events import Event, RawMessage, Unreadable


@dataclass(frozen=True, slots=True)
class Source:
    """A file and its bytes."""

    name: str
    body: bytes

    @classmethod
    def read(cls, path: Path) -> Source:
        """Read a file.

        Raises:
            OSError: it can't be read.
        """
        return cls(str(path), path.read_bytes())

    def parts(self) -> Iterator[Event | Unreadable]:
        """Give its events, and what no event can be made of."""
        yield from cfx_adapter(RawMessage(body=self.body, transport="file", address=self.name))


async def convert(sources: list[Source], rules: Rules) -> AsyncIterator[Outlook | Unreadable]:
    """Say what becomes of the messages, in order; earlier files teach later ones."""
    parts = [part for source in sources for part in source.parts()]
    for part in parts:
        if isinstance(part, Unreadable):
            yield part
    async for outlook in preview([part for part in parts if isinstance(part, Event)], rules):
        yield outlook
