"""Entries in the logs of assets, each made once although WATS can't tell a repeat from a new one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from handlers import fact_keys as keys
from handlers.asset_places import AssetPlace, Registrar, Registry
from handlers.asset_rules import AssetRules
from handlers.memory import FactStore
from handlers.wats import wats_failures
from pywats_api.asset_records import AssetLogEntry
from pywats_api.errors import NotFoundError
from pywats_api.wsjf import clean_text
from pywats_events.event import Event
from pywats_events.handler import Done, Dropped
from pywats_events.journal import Fact

_log = structlog.get_logger(__name__)

_TEXT_LENGTH: Final = 1000
_ID_LENGTH: Final = 12
_LOG_LINES: Final = 1000


class LogOfAssets(Registry, Protocol):
    """``api.asset``, as far as logs go."""

    async def post_message(self, text: str, /, *, serial_number: str) -> None:
        """Write a line into an asset's log."""

    async def get_asset_log(self, filter_str: str, /, *, top: int) -> Sequence[AssetLogEntry]:
        """Log lines, newest first."""


class AssetLog:
    """Makes entries in the logs of assets.

    An entry that is made twice is there twice. So each ends with a part of the event's id (see ``marked``);
    which events have made theirs is remembered, and one that may have been made, because the answer of WATS
    was lost, is looked for in the log before it is made again.
    """

    def __init__(self, assets: LogOfAssets, rules: AssetRules, memory: FactStore) -> None:
        self._assets = assets
        self._registrar = Registrar(assets, rules)
        self._memory = memory

    async def write(
        self, event: Event, place: AssetPlace, text: str, *, kind: str = "line"
    ) -> Done | Dropped:
        """Write a line; ``text`` is ``marked``."""
        return await self.enter(
            event,
            place,
            text,
            lambda: self._assets.post_message(text, serial_number=place.serial),
            kind=kind,
            look_first=False,
        )

    async def enter(  # each says another thing about the entry
        self,
        event: Event,
        place: AssetPlace,
        text: str,
        make: Callable[[], Awaitable[object]],
        *,
        kind: str,
        look_first: bool = True,
    ) -> Done | Dropped:
        """Make an entry, whatever call makes it.

        Args:
            event: what the entry is about.
            place: the asset.
            text: what the entry says; it ends with the mark of the event.
            make: the call; raises NotFoundError where there is no such asset.
            kind: tells entries of one event apart.
            look_first: look for it in the log even if nothing is known of an earlier try: for entries that
                do more than to be there, and that a bridge which lost its journal must not make again.
        """
        detail = {"asset": place.serial, "message": text}
        key = keys.asset_entry(event.id, kind)
        with wats_failures():
            before = (await self._memory.recall([key])).get(key)
            if before is not None and before.get("made"):
                return Done({**detail, "found": "made before"})
            if (look_first or before is not None) and await self._is_there(place.serial, text):
                await self._note(key, place, made=True)
                return Done({**detail, "found": "made by an earlier try"})
            if before is None:
                await self._note(key, place, made=False)
            try:
                await make()
            except NotFoundError:
                if not await self._registrar.register(place):
                    return Dropped(unregistered(place))
                await make()
        await self._note(key, place, made=True)
        _log.debug("entry made", event_id=event.id, asset=place.serial, kind=kind)
        return Done(detail)

    async def _note(self, key: str, place: AssetPlace, *, made: bool) -> None:
        value = {"asset": place.serial, "made": made}
        await self._memory.remember([Fact(key=key, value=value, time=datetime.now(UTC))])

    async def _is_there(self, serial: str, text: str) -> bool:
        mark, start = text.rpartition(" ")[2], text.split(" ", 1)[0]
        quoted = serial.replace("'", "''")
        lines = await self._assets.get_asset_log(f"serialNumber eq '{quoted}'", top=_LOG_LINES)
        said = (text for line in lines for text in (line.comment, line.value) if text)
        return any(mark in text and text.startswith(start) for text in said)


def unregistered(place: AssetPlace) -> str:
    """Give the rule by which nothing is done to an asset that WATS does not know."""
    return f'asset "{place.serial}" is not registered in WATS (assets.create is off)'


def marked(
    words: Sequence[str | None], event: Event, *, reference: str | None = None, when: datetime | None = None
) -> str:
    """Give a line: words, reference in brackets, time, and the mark of the event by which it is found."""
    said = " ".join(" ".join(word.split()) for word in words if word and word.strip())
    when = zoned(when or event.time, event)
    ending = [f"[{reference}]"] if reference else []
    ending += [when.isoformat(timespec="seconds"), _mark(event)]
    return f"{clean_text(said, _TEXT_LENGTH)} {clean_text(' '.join(ending), _TEXT_LENGTH)}"


def zoned(when: datetime, event: Event) -> datetime:
    """Give a time with its zone: that of the event where it has none."""
    return when if when.tzinfo else when.replace(tzinfo=event.time.tzinfo)


def _mark(event: Event) -> str:
    """Give the end of the id, where ids of one message differ."""
    return f"#{clean_text(event.id[-_ID_LENGTH:], _ID_LENGTH)}"
