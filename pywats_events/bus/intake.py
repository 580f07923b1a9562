"""The way in: messages become receipts in the journal, many to a commit, and are acknowledged when safe."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import structlog

from pywats_events.event import Event
from pywats_events.journal import Appended, Fact, Journal, JournalError, RawRecord, Receipt, Routed
from pywats_events.message import Adapter, RawMessage, Unreadable

log = structlog.get_logger(__name__)

#: Most receipts that share one commit.
BATCH: Final = 256
#: Most receipts that wait for the writer.
QUEUE: Final = 1024

#: Learns from an event: a pure function.
Observer: TypeAlias = Callable[[Event], Iterable[Fact]]
#: Names of the handlers that an event is due to.
Router: TypeAlias = Callable[[Event], tuple[str, ...]]

#: True in code that must not wait for the backlog to shrink, because the backlog waits for it.
exempt_from_backlog: ContextVar[bool] = ContextVar("exempt_from_backlog", default=False)


@dataclass(slots=True)
class _Ticket:
    receipt: Receipt
    done: asyncio.Future[Appended]
    message: RawMessage | None = None


@dataclass(slots=True)
class _PendingAck:
    """A message of a journal that is not durable: acknowledged when its last delivery is settled."""

    message: RawMessage
    open: set[str] = field(default_factory=set)


class IntakeDesk:
    """Takes messages and events in, in order, and acknowledges them.

    Args:
        journal: where they are written.
        route: says which handlers an event is due to.
        observers: learn facts from events.
        high_water: from so many unsettled deliveries on, messages wait (back-pressure).
        on_appended: called after each commit with its receipts and the journal's answers.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        route: Router,
        observers: Sequence[Observer],
        high_water: int,
        on_appended: Callable[[Sequence[Receipt], Sequence[Appended]], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._route = route
        self._observers = observers
        self._high_water = high_water
        self._on_appended = on_appended
        self._queue: asyncio.Queue[_Ticket] = asyncio.Queue(QUEUE)
        self._room = asyncio.Event()
        self._room.set()
        self._pending: defaultdict[str, list[_PendingAck]] = defaultdict(list)

    async def receive(self, message: RawMessage, adapter: Adapter) -> Appended:
        """Read a message, write it down, and see to its acknowledgement.

        Raises:
            JournalError: it could not be written; it was not taken in.
        """
        await self._wait_for_room()
        parts = _read(message, adapter)
        receipt = self._receipt(parts, RawRecord.of(message))
        return await self._write(_Ticket(receipt, _future(), message))

    async def publish(self, event: Event) -> Appended:
        """Write an event down that no message brought.

        Raises:
            JournalError: it could not be written.
        """
        await self._wait_for_room()
        return await self._write(_Ticket(self._receipt([event], None), _future()))

    async def _wait_for_room(self) -> None:
        if not exempt_from_backlog.get():
            await self._room.wait()

    async def _write(self, ticket: _Ticket) -> Appended:
        await self._queue.put(ticket)
        return await asyncio.shield(ticket.done)

    def _receipt(self, parts: Iterable[Event | Unreadable], raw: RawRecord | None) -> Receipt:
        events: list[Routed] = []
        unreadable: list[Unreadable] = []
        facts: list[Fact] = []
        for part in parts:
            if isinstance(part, Unreadable):
                unreadable.append(part)
                continue
            events.append(Routed(part, self._route(part)))
            for observer in self._observers:
                facts.extend(observer(part))
        return Receipt(raw, tuple(events), tuple(unreadable), tuple(facts))

    async def run(self) -> None:
        """Write what comes in, until cancelled. A journal that fails refuses what was to be written."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            receipts = [ticket.receipt for ticket in batch]
            try:
                answers = await self._journal.append(receipts)
            except JournalError as error:
                log.error(
                    "journal refused messages; they stay with their source",
                    count=len(batch),
                    error=str(error),
                )
                for ticket in batch:
                    _resolve(ticket.done, error)
                continue
            for ticket, answer in zip(batch, answers, strict=True):
                _resolve(ticket.done, answer)
                if ticket.message is not None:
                    await self._see_to_ack(ticket.message, answer)
            await self.measure_backlog()
            await self._on_appended(receipts, answers)

    async def _see_to_ack(self, message: RawMessage, answer: Appended) -> None:
        if self._journal.durable or not answer.open:
            await message.ack()
            return
        pending = _PendingAck(message, set(answer.open))
        for event_id in answer.open:
            self._pending[event_id].append(pending)

    async def settled(self, event_ids: Iterable[str]) -> None:
        """Acknowledge the messages all of whose events are settled now."""
        for event_id in event_ids:
            for pending in self._pending.pop(event_id, ()):
                pending.open.discard(event_id)
                if not pending.open:
                    await pending.message.ack()

    async def measure_backlog(self) -> None:
        """Hold messages back, or let them come again, by the number of unsettled deliveries."""
        backlog = (await self._journal.stats()).open
        if backlog >= self._high_water and self._room.is_set():
            log.warning("backlog is full; transports wait", backlog=backlog, limit=self._high_water)
            self._room.clear()
        elif backlog <= self._high_water // 2 and not self._room.is_set():
            log.info("backlog has shrunk; transports go on", backlog=backlog)
            self._room.set()

    async def release_all(self) -> None:
        """Give back the messages that are not acknowledged and won't be, at shutdown."""
        waiting = {id(pending): pending for several in self._pending.values() for pending in several}
        self._pending.clear()
        for pending in waiting.values():
            await pending.message.release()


def _future() -> asyncio.Future[Appended]:
    return asyncio.get_running_loop().create_future()


def _resolve(future: asyncio.Future[Appended], outcome: Appended | JournalError) -> None:
    if future.done():  # whoever waited has gone; a message that was not taken in goes back by its transport
        return
    if isinstance(outcome, JournalError):
        future.set_exception(outcome)
        future.exception()  # the waiter may be gone by the time it is raised
    else:
        future.set_result(outcome)


def _read(message: RawMessage, adapter: Adapter) -> Sequence[Event | Unreadable]:
    """Read a message. An adapter promises to raise nothing; one that breaks it costs this message only."""
    try:
        return adapter(message)
    except Exception as error:
        log.exception("adapter failed", transport=message.transport, address=message.address)
        reason = f"the adapter of transport {message.transport!r} failed: {type(error).__name__}: {error}"
        return [Unreadable(id=_fingerprint(message), reason=reason, error=type(error).__name__)]


def _fingerprint(message: RawMessage) -> str:
    from hashlib import sha256  # noqa: PLC0415  # only for adapters that fail

    return sha256(message.body).hexdigest()
