"""What a journal needs from time to time: old entries removed, its room watched, its books checked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from pywats_events.journal import Health, Journal, JournalError

log = structlog.get_logger(__name__)

#: Seconds between two removals, and between two looks at the journal's room and books.
PRUNE_EVERY: Final = 3600.0
LOOK_EVERY: Final = 60.0
#: Part of the limit from which on its size is warned of, and below which all is well again.
NEARLY_FULL: Final = 0.8
WELL_AGAIN: Final = 0.7
#: Bytes that the disk should have left, and how many it has when all is well again.
LITTLE_SPACE: Final = 500 * 1024**2
SPACE_AGAIN: Final = 700 * 1024**2


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the journal keeps what is done with. Dead letters it keeps until somebody decides.

    Attributes:
        done: messages and events that are done, dropped or discarded.
        facts: what was learnt from events. None: for ever.
        ids: ids of removed events, by which repeats are recognised. None: for ever.
    """

    done: timedelta
    facts: timedelta | None = None
    ids: timedelta | None = None


class Housekeeping:
    """Looks after a journal.

    Args:
        journal: the journal.
        retention: how long it keeps what is done with; None: nothing is removed.
        on_removed: is told when something was removed, so that there may be room.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        retention: Retention | None,
        on_removed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._retention = retention
        self._on_removed = on_removed
        self._clock = clock
        self._prune_at = self._look_at = clock()
        self._warned = False
        self._unbalanced = 0

    async def run(self) -> None:
        """Do what is due, until cancelled."""
        while True:
            try:
                await self.do_what_is_due()
            except JournalError as error:
                log.error("journal can't be looked after; trying again", error=str(error))  # noqa: TRY400  # the text says it
            await asyncio.sleep(LOOK_EVERY)

    async def do_what_is_due(self) -> None:
        """Do what is due now.

        Raises:
            JournalError: the journal can't be read or written.
        """
        now = self._clock()
        if now >= self._prune_at:
            await self._prune(datetime.fromtimestamp(now, UTC))
            self._prune_at = now + PRUNE_EVERY
        if now >= self._look_at:
            self._watch_room(await self._journal.health())
            self._check_books((await self._journal.ledger()).difference)
            self._look_at = now + LOOK_EVERY

    async def _prune(self, now: datetime) -> None:
        kept = self._retention
        if kept is None:
            return
        removed = await self._journal.prune(
            done_before=now - kept.done,
            facts_before=None if kept.facts is None else now - kept.facts,
            ids_before=None if kept.ids is None else now - kept.ids,
        )
        if removed:
            log.info("old entries removed from the journal", entries=removed, done_for=str(kept.done))
            self._on_removed()

    def _watch_room(self, health: Health) -> None:
        """Warn once before the journal's limit or the disk's end; say so when all is well again."""
        part = health.used / health.limit if health.limit else 0.0
        free = health.free
        is_scarce = part >= NEARLY_FULL or (free is not None and free < LITTLE_SPACE)
        is_well = part < WELL_AGAIN and (free is None or free >= SPACE_AGAIN)
        if is_scarce and not self._warned:
            self._warned = True
            log.warning(
                "journal is running out of room; free the disk, raise the limit, or keep less long",
                used_bytes=health.used,
                limit_bytes=health.limit,
                used_percent=round(100 * part) if health.limit else None,
                free_disk_bytes=free,
            )
        elif is_well and self._warned:
            self._warned = False
            log.info("journal has room again", used_bytes=health.used, free_disk_bytes=free)

    def _check_books(self, difference: int) -> None:
        if difference and difference != self._unbalanced:
            log.error(
                "journal's books do not balance; check the journal, and keep a copy of it",
                messages=difference,
            )
        self._unbalanced = difference
