"""Counts what waits: for back-pressure, for the lane of fresh events, and to say when it will be gone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import structlog

from pywats_events.bus.destinations import Destinations
from pywats_events.bus.drains import Drains, Forecast
from pywats_events.bus.subscription import Subscription
from pywats_events.bus.telling import Telling
from pywats_events.journal import Journal, JournalError

log = structlog.get_logger(__name__)

#: Seconds between two counts; in between the intake keeps count of what passes it.
RECOUNT: Final = 5.0


class Backlog:
    """Counts, from the journal's books, what is not settled. Others may work on the same journal.

    Args:
        journal: whose books.
        subscriptions: the handlers by name; they say what is due to which destination.
        destinations: which are left alone, and how fast they may be asked.
        drains: is told what waits for each destination.
        on_counted: is told the number of all deliveries that are not settled.
    """

    def __init__(
        self,
        journal: Journal,
        subscriptions: Mapping[str, Subscription],
        destinations: Destinations,
        drains: Drains,
        *,
        on_counted: Callable[[int], None],
    ) -> None:
        self._journal = journal
        self._subscriptions = subscriptions
        self._destinations = destinations
        self._drains = drains
        self._on_counted = on_counted
        self._asked = asyncio.Event()
        self._telling = Telling()

    def count_soon(self) -> None:
        """Count at once, in the task that does so."""
        self._asked.set()

    async def run(self) -> None:
        """Count from time to time, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(RECOUNT):
                    await self._asked.wait()
            self._asked.clear()
            try:
                await self.count()
            except JournalError as error:
                text = "backlog can't be counted; trying again"
                self._telling.tell(log.error, log.debug, text, error=str(error))

    async def count(self) -> None:
        """Count once.

        Raises:
            JournalError: the journal can't be read.
        """
        by_handler = await self._open()
        self._on_counted(sum(by_handler.values()))
        for name, waiting in self._by_destination(by_handler).items():
            limit = self._destinations.limit_of(name)
            self._drains.counted(name, waiting, limit=limit, held=self._held(name))

    async def forecast(self) -> dict[str, Forecast]:
        """Say for each destination what waits, and when that will be gone.

        Raises:
            JournalError: the journal can't be read.
        """
        return {
            name: self._drains.forecast(
                name, waiting, limit=self._destinations.limit_of(name), held=self._held(name)
            )
            for name, waiting in self._by_destination(await self._open()).items()
        }

    async def _open(self) -> dict[str, int]:
        ledger = await self._journal.ledger()
        return {handler: ledger.waiting_of(handler) for handler in ledger.deliveries}

    def handlers_by_destination(self) -> dict[str, list[str]]:
        """Give the names of the handlers of each destination, or of the part of one that is refused.

        A destination of which all that is asked is refused is named too: its rate is shared all the same.
        """
        names: dict[str, list[str]] = {}
        for name, subscription in self._subscriptions.items():
            if subscription.destination is not None:
                names.setdefault(subscription.destination, [])
                gate = self._destinations.gate_of(subscription.destination, subscription.part)
                names.setdefault(gate, []).append(name)
        return names

    def _by_destination(self, by_handler: Mapping[str, int]) -> Counter[str]:
        return Counter(
            {
                destination: sum(by_handler.get(name, 0) for name in names)
                for destination, names in self.handlers_by_destination().items()
            }
        )

    def _held(self, name: str) -> str | None:
        hold = self._destinations.breaker_of(name).hold
        return None if hold is None else hold.reason
