"""Who works on a journal: the rate of a destination is divided among them, and what they manage added up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import structlog

from pywats_events.bus.backlog import Backlog
from pywats_events.bus.destinations import Destinations
from pywats_events.bus.drains import Drains, Forecast, forecast
from pywats_events.bus.telling import Telling
from pywats_events.clock import forward
from pywats_events.journal import Journal, JournalError

log = structlog.get_logger(__name__)

#: Beginning of the names of the notes by which buses tell that they live.
NOTES: Final = "bus:"
#: Seconds between two notes of one bus.
TELL_EVERY: Final = 5.0
#: Seconds of listening after which a bus that has told nothing new is gone, for the others.
GONE_AFTER: Final = 30.0
#: Most seconds that one look counts as listening. Nobody can tell anything while the journal is away, and a
#: bus that was suspended has heard nothing of the others.
ONE_LOOK: Final = 2 * TELL_EVERY
#: Seconds that a bus which ends gives to telling so; the others find out without it.
LEAVE_WITHIN: Final = 2.0


class Presence:
    """Tells the other buses on a journal that this one lives, and hears of them.

    A destination's rate is what all of them together may ask, and each takes an equal part. One that joins
    has no burst; until the others have heard of it, which takes seconds, all together are faster by its part.
    Whether another one lives is told by whether its note changes, so the clocks of hosts may differ.

    What is noted is also what a program that only reads the journal tells the pace of delivery by.

    Args:
        journal: the journal that is shared.
        destinations: whose rates are divided.
        drains: is told what the others manage.
        backlog: knows which handlers call which destination.
        steady: seconds that only grow.
    """

    def __init__(
        self,
        journal: Journal,
        destinations: Destinations,
        drains: Drains,
        backlog: Backlog,
        *,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._destinations = destinations
        self._drains = drains
        self._backlog = backlog
        self._steady = steady
        self._name = f"{NOTES}{uuid4().hex[:12]}"
        self._told = 0
        self._heard: dict[str, tuple[Any, float]] = {}  # the others' last notes, and how long they are known
        self._listened: float | None = None  # when this bus listened last
        self._telling = Telling()

    async def start(self) -> None:
        """Tell for the first time."""
        await self._tell_or_say()

    async def run(self) -> None:
        """Tell from time to time, until cancelled."""
        while True:
            await asyncio.sleep(TELL_EVERY)
            await self._tell_or_say()

    async def _tell_or_say(self) -> None:
        try:
            await self.tell()
        except JournalError as error:
            text = "presence can't be noted in the journal; trying again"
            self._telling.tell(log.warning, log.debug, text, error=str(error))

    async def stop(self) -> None:
        """Leave: the others have this one's part as soon as they look."""
        try:
            async with asyncio.timeout(LEAVE_WITHIN):
                await self._journal.put_note(self._name, None)
        except (JournalError, TimeoutError) as error:
            log.info("end is not noted in the journal; others find out by themselves", error=str(error))

    async def tell(self) -> None:
        """Tell once, and hear of the others.

        Raises:
            JournalError: the journal can't be written or read.
        """
        joins = self._listened is None
        await self._tell()
        await self._hear()
        if joins and self._heard:
            self._destinations.begin_without_burst()
        self._divide([note for note, _ in self._heard.values()])

    async def _tell(self) -> None:
        self._told += 1
        paces = {
            name: {"handlers": handlers, **self._pace(name)}
            for name, handlers in self._backlog.handlers_by_destination().items()
        }
        note = {"told": self._told, "at": forward.now().isoformat(), "destinations": paces}
        await self._journal.put_note(self._name, note)

    async def _hear(self) -> None:
        notes = await self._journal.notes(NOTES)
        now = self._steady()
        look = 0.0 if self._listened is None else min(ONE_LOOK, now - self._listened)
        self._listened = now
        heard: dict[str, tuple[Any, float]] = {}
        for name in notes.keys() - {self._name}:
            before, silent = self._heard.get(name, (None, 0.0))
            silent = silent + look if before == notes[name] else 0.0
            if self._journal.shared and silent <= GONE_AFTER:
                heard[name] = notes[name], silent
            else:  # it died without a word; on a journal that is not shared there can be nobody else
                await self._journal.put_note(name, None)
        self._heard = heard

    def _pace(self, destination: str) -> Mapping[str, float | None]:
        limit = self._destinations.limit_of(destination)
        return {
            "allowed": None if limit is None else limit.per_second,
            "measured": self._drains.own_rate(destination),
        }

    def _divide(self, others: list[Any]) -> None:
        for name in self._backlog.handlers_by_destination():
            paces = [note["destinations"][name] for note in others if name in note["destinations"]]
            self._destinations.share(name, among=1 + len(paces))
            self._drains.note_others(name, sum(pace["measured"] or 0.0 for pace in paces))


async def forecasts_of(journal: Journal) -> list[Forecast]:
    """Say for each destination what waits and when that will be gone, as the buses on a journal have noted.

    For a program that runs no bus itself. Destinations for which nothing waits are left out, as are those of
    which no bus has told lately.

    Raises:
        JournalError: the journal can't be read.
    """
    now = forward.now()
    notes = (await journal.notes(NOTES)).values()
    ledger, holds = await journal.ledger(), await journal.holds()
    paces: dict[str, list[Any]] = {}
    for note in notes:
        if abs((now - datetime.fromisoformat(note["at"])).total_seconds()) <= GONE_AFTER:
            for name, pace in note["destinations"].items():
                paces.setdefault(name, []).append(pace)
    forecasts = []
    for name, its in sorted(paces.items()):
        handlers = {handler for pace in its for handler in pace["handlers"]}
        waiting = sum(map(ledger.waiting_of, handlers))
        if waiting:
            hold = holds.get(name)
            measured = [pace["measured"] for pace in its if pace["measured"] is not None]
            forecasts.append(
                forecast(
                    name,
                    waiting,
                    now=now,
                    allowed=its[0]["allowed"],
                    measured=sum(measured) if measured else None,
                    held=None if hold is None else hold.reason,
                )
            )
    return forecasts
