"""Handlers, messages and journals that the tests of the event system are played with."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from typing import Any

from pywats_events import BaseHandler, Event, EventType, RawMessage
from pywats_events.journal import Appended, Journal, JournalError, JournalFull, Receipt
from pywats_events.journal.memory import MemoryJournal

#: Seconds after which a wait in a test is a failure.
PATIENCE = 10.0


def result_of(unit: str = "U1", event_id: str | None = None, **payload: Any) -> Event:
    """Give a test result of a unit."""
    event = Event(EventType.TEST_RESULT, {"unit_id": unit, **payload}, source="station")
    if event_id is not None:
        event.id = event_id
    return event


class Recorder(BaseHandler):
    """Notes what it gets."""

    def __init__(
        self,
        types: Iterable[EventType] = (EventType.TEST_RESULT,),
        *,
        name: str = "",
        destination: str | None = None,
    ) -> None:
        self.types = list(types)
        self.name = name
        self.destination = destination
        self.seen: list[Event] = []
        self._new = asyncio.Event()

    @property
    def event_types(self):
        """Give what it was made for."""
        return self.types

    async def handle(self, event: Event) -> Any:
        """Note it."""
        self._note(event)

    def _note(self, event: Event) -> None:
        self.seen.append(event)
        self._new.set()

    @property
    def units(self) -> list[str]:
        """Give the keys of what it got."""
        return [event.key for event in self.seen]

    async def saw(self, number: int) -> list[Event]:
        """Wait until it was called so many times."""
        async with asyncio.timeout(PATIENCE):
            while len(self.seen) < number:
                self._new.clear()
                await self._new.wait()
        return self.seen


class Scripted(Recorder):
    """Raises or gives back, call by call, what its script says; after that it succeeds."""

    def __init__(self, *script: Any, **options: Any) -> None:
        super().__init__(**options)
        self.script = list(script)

    async def handle(self, event: Event) -> Any:
        """Act the next part."""
        self._note(event)
        act = self.script.pop(0) if self.script else None
        if isinstance(act, BaseException):
            raise act
        return act


class Gated(Recorder):
    """Waits at a gate in each call."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.gate = asyncio.Event()
        self.running: list[str] = []
        self.most = 0
        self.ended: list[str] = []

    async def handle(self, event: Event) -> None:
        """Wait until the gate is open."""
        self.running.append(event.key)
        self.most = max(self.most, len(self.running))
        self._note(event)
        try:
            await self.gate.wait()
        finally:
            self.running.remove(event.key)
        self.ended.append(event.key)


class Station:
    """The other end of raw messages: notes what was acknowledged and what came back."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.released: list[str] = []
        self._told = asyncio.Event()

    def message(self, *events: Event, name: str | None = None, body: bytes | None = None) -> RawMessage:
        """Give a message that this station sent."""
        name = name or (events[0].id if events else "message")
        if body is None:
            body = b"[" + b",".join(event.to_json().encode() for event in events) + b"]"

        async def ack() -> None:
            self.acknowledged.append(name)
            self._told.set()

        async def release() -> None:
            self.released.append(name)
            self._told.set()

        return RawMessage(body=body, address="station", ack=ack, release=release)

    async def told(self, number: int = 1) -> None:
        """Wait until so many messages were acknowledged or released."""
        async with asyncio.timeout(PATIENCE):
            while len(self.acknowledged) + len(self.released) < number:
                self._told.clear()
                await self._told.wait()


class DurableMemory(MemoryJournal):
    """Says that it survives, so that messages are acknowledged as soon as they are written."""

    durable = True


class Refusing(MemoryJournal):
    """Refuses to take messages while told to."""

    refuses = False

    async def append(self, receipts: Sequence[Receipt]) -> list[Appended]:
        """Append, or not."""
        if self.refuses:
            raise JournalError("disk is full; free some space")
        return await super().append(receipts)


class HeldUp(MemoryJournal):
    """Lets the test decide when a commit happens."""

    def __init__(self) -> None:
        super().__init__()
        self.commit = asyncio.Event()
        self.asked = asyncio.Event()

    async def append(self, receipts: Sequence[Receipt]) -> list[Appended]:
        """Append, or not."""
        self.asked.set()
        await self.commit.wait()
        return await super().append(receipts)


class Full(MemoryJournal):
    """Has no room while told so."""

    is_full = False

    async def append(self, receipts: Sequence[Receipt]) -> list[Appended]:
        """Append, or not."""
        if self.is_full:
            raise JournalFull("the journal has reached its limit of 1 MB; raise journal.max_bytes")
        return await super().append(receipts)


class Shared:
    """One journal that several buses have; none of them closes it."""

    shared = True

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __getattr__(self, name: str) -> Any:
        """Do what the journal does."""
        return getattr(self._journal, name)

    async def open(self) -> None:
        """It is open."""

    async def close(self) -> None:
        """Others have it too."""


class Clock:
    """A clock that the test sets."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Give the time."""
        return self.now


def in_threads(*works: Any) -> list[BaseException]:
    """Run all at once, each in a thread of its own; give what they raised."""
    errors: list[BaseException] = []

    def run(work: Any) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # handed to the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
    return errors
