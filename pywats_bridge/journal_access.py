"""The journal of a configuration, for commands: beside a bridge that runs on it, or alone with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from pywats_bridge import requests
from pywats_bridge.commands import fail, refuse
from pywats_bridge.printing import plain
from pywats_bridge.settings import ConfigurationError, JournalSettings, journal_settings_of
from pywats_events.bus.dead_letters import DeadLetters
from pywats_events.journal import Journal, JournalError, Query
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.journal.sqlite_beside import JournalBeside, is_in_use

#: Seconds that a running bridge has to answer, and what it can surely discard in one of them.
PATIENCE: Final = 30.0
LETTERS_A_SECOND: Final = 500


@dataclass(slots=True)
class JournalAccess:
    """An open journal, and the way to have something written in it.

    Attributes:
        settings: where it is.
        journal: for looking, and for notes; PostgreSQL's for everything.
        letters: its dead letters.
    """

    settings: JournalSettings
    journal: Journal
    letters: DeadLetters = field(init=False)

    def __post_init__(self) -> None:
        self.letters = DeadLetters(self.journal)

    @property
    def file(self) -> Path | None:
        """The journal's file; None where it is no file."""
        return self.settings.path if self.settings.kind == "sqlite" else None

    async def is_in_use(self) -> bool | None:
        """Tell whether a bridge runs on the journal; None: that can't be told (PostgreSQL).

        Raises:
            JournalError: the file can't be opened.
        """
        return None if self.file is None else await asyncio.to_thread(is_in_use, self.file)

    async def discard(self, query: Query, *, reason: str) -> int:
        """Discard the oldest ``limit`` dead letters of a query; give their number.

        Raises:
            JournalError: the journal can't be written, or the running bridge does not answer.
        """
        if await self.is_in_use():
            patience = PATIENCE + query.limit / LETTERS_A_SECOND
            return await requests.ask_to_discard(self.journal, query, reason=reason, patience=patience)
        async with self._alone() as journal:
            return await requests.discard(DeadLetters(journal), query, reason=reason)

    async def prune(self, *, done_before: datetime) -> int:
        """Remove what is done; raises as ``discard``."""
        if await self.is_in_use():
            return await requests.ask_to_prune(self.journal, done_before=done_before, patience=PATIENCE)
        async with self._alone() as journal:
            return await requests.prune(journal, done_before=done_before)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Journal]:
        """Give the journal for writing, for a moment; a bridge that starts in it is told that it is taken."""
        if self.file is None:
            yield self.journal
            return
        journal = SQLiteJournal(self.file, keep_free=0)
        await journal.open()
        try:
            yield journal
        finally:
            await journal.close()


@asynccontextmanager
async def opened(config: Path) -> AsyncIterator[JournalAccess]:
    """Open the journal of a configuration for a command.

    Raises:
        ConfigurationError: the configuration can't be used, or its journal ends with the bridge.
        JournalError: there is no journal, or it can't be read.
    """
    settings = journal_settings_of(config)
    match settings.kind:
        case "memory":
            raise ConfigurationError(
                ['journal.kind: "memory" is seen by its bridge alone; keep the journal in a file ("sqlite")']
            )
        case "sqlite":
            journal: Journal = JournalBeside(
                settings.path, max_bytes=settings.max_bytes, keep_free=settings.keep_free
            )
        case "postgres":
            from pywats_bridge.composition import journal_of  # noqa: PLC0415  # the brokers' libraries are not quick

            journal = journal_of(settings, is_kept=False)
    await journal.open()
    try:
        yield JournalAccess(settings, journal)
    finally:
        await journal.close()


@asynccontextmanager
async def access(config: Path) -> AsyncIterator[JournalAccess]:
    """Open the journal as ``opened`` does; a line says what is wrong, and ends the command."""
    try:
        async with opened(config) as journal:
            yield journal
    except ConfigurationError as error:
        refuse(error)
    except JournalError as error:
        fail(plain(error))
