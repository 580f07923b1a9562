"""What keeps a journal from growing for ever."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from pywats_events.journal.interface import Journal, JournalError

log = structlog.get_logger(__name__)

#: Seconds after which a cancellation that was not heard is repeated.
_PATIENCE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a journal keeps what needs nothing more.

    Attributes:
        done: messages that are done, dropped or discarded, with their bytes.
        facts: what was learnt of units and transactions.
        ids: ids of removed events, by which repeats are recognised.
        every: time between two looks.
    """

    done: timedelta
    facts: timedelta
    ids: timedelta
    every: timedelta = timedelta(hours=1)


async def keep_house(journal: Journal, retention: Retention) -> None:
    """Prune a journal from time to time, until cancelled."""
    while True:
        now = datetime.now(UTC)
        try:
            number = await journal.prune(
                done_before=now - retention.done,
                facts_before=now - retention.facts,
                ids_before=now - retention.ids,
            )
            if number:
                log.info("journal was pruned", deliveries=number)
        except JournalError as error:
            log.error("journal could not be pruned; trying again later", error=str(error))  # noqa: TRY400  # the text says it
        await asyncio.sleep(retention.every.total_seconds())


async def end(housekeeping: asyncio.Task[None]) -> None:
    """Cancel a housekeeping and wait for its end; what it waits for may swallow a cancellation."""
    while not housekeeping.done():
        housekeeping.cancel()
        await asyncio.wait([housekeeping], timeout=_PATIENCE_SECONDS)
