"""Watches a journal's room and books; says once when something is amiss, and when it is well again."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from pywats_events.journal import Health, Journal, JournalError

log = structlog.get_logger(__name__)

#: Seconds between two looks.
LOOK_EVERY: Final = 60.0
#: Part of the limit from which on its size is warned of, and below which all is well again.
NEARLY_FULL: Final = 0.8
WELL_AGAIN: Final = 0.7
#: Bytes that the disk should have left, and how many it has when all is well again.
LITTLE_SPACE: Final = 500 * 1024**2
SPACE_AGAIN: Final = 700 * 1024**2


class HealthWatch:
    """Watches a journal; removing what is old is the journal's own work.

    Args:
        journal: the journal.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._warned = False
        self._difference = 0

    async def run(self) -> None:
        """Look from time to time, until cancelled."""
        while True:
            try:
                await self.look()
            except JournalError as error:
                log.error("journal's health can't be read; trying again", error=str(error))  # noqa: TRY400  # the text says it
            await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Look once.

        Raises:
            JournalError: the journal can't be read.
        """
        self._watch_room(await self._journal.health())
        self._check_books((await self._journal.ledger()).difference)

    def _watch_room(self, health: Health) -> None:
        part = health.used / health.limit if health.limit else 0.0
        free = health.free
        is_scarce = part >= NEARLY_FULL or (free is not None and free < LITTLE_SPACE)
        is_well = part < WELL_AGAIN and (free is None or free >= SPACE_AGAIN)
        if is_scarce and not self._warned:
            self._warned = True
            log.warning(
                "journal is running out of room; free the disk, raise its limit, or keep less long",
                used_bytes=health.used,
                limit_bytes=health.limit,
                used_percent=round(100 * part) if health.limit else None,
                free_disk_bytes=free,
            )
        elif is_well and self._warned:
            self._warned = False
            log.info("journal is not short of room any more", used_bytes=health.used, free_disk_bytes=free)

    def _check_books(self, difference: int) -> None:
        if difference and difference != self._difference:
            log.error(
                "journal's books do not balance; keep a copy of it, check it, and report this",
                messages=difference,
            )
        self._difference = difference
