"""What keeps a journal from growing for ever, and says so in time when it does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from pywats_events.journal.interface import Journal, JournalError
from pywats_events.journal.records import Health

log = structlog.get_logger(__name__)

#: Part of its limit from which on a journal is reported.
WARN_AT: Final = 0.8


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
    """Prune a journal from time to time, and warn before it is full, until cancelled."""
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
            warn(await journal.health())
        except JournalError as error:
            log.error("journal could not be pruned; trying again later", error=str(error))  # noqa: TRY400  # the text says it
        await asyncio.sleep(retention.every.total_seconds())


def warn(health: Health) -> None:
    """Say when a journal is full, or nearly so."""
    sizes = {"used": health.used, "limit": health.limit, "free": health.free}
    if health.is_full:
        log.error("journal is full; nothing is taken in", **sizes)
    elif health.limit is not None and health.used >= WARN_AT * health.limit:
        log.warning("journal is nearly full", **sizes)
    elif health.free is not None and health.free < health.used * (1 - WARN_AT):
        log.warning("the journal's disk is nearly full", **sizes)
