"""The way in: messages become receipts in the journal, many to a commit, and are acknowledged when safe."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

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


@dataclass(slots=True, eq=False)
class _PendingAck:
    """A message of a journal that is not durable: acknowledged when its last delivery is settled."""

    message: RawMessage
    open: set[str]
    appended: bool = False


class IntakeListener(Protocol):
    """Who wants to know what is written down."""

    def appending(self, receipts: Sequence[Receipt]) -> None:
        """These are about to be written; their deliveries may run from now on."""

    def appended(self, receipts: Sequence[Receipt], answers: Sequence[Appended]) -> None:
        """These were written, with these answers."""


class IntakeDesk:
    """Takes messages and events in, in order, and acknowledges them.

    Args:
        journal: where they are written.
        route: says which handlers an event is due to.
        observers: learn facts from events.
        high_water: from so many unsettled deliveries on, messages wait (back-pressure).
        listener: is told before and after each commit.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        route: Router,
        observers: Sequence[Observer],
        high_water: int,
        listener: IntakeListener,
    ) -> None:
        self._journal = journal
        self._route = route
        self._observers = observers
        self._high_water = high_water
        self._listener = listener
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

    async def tell(self, event: Event) -> None:
        """Write a system event down. Called by the bus's own parts, so it does not wait for the writer."""
        ticket = _Ticket(self._receipt([event], None), _future())
        try:
            self._queue.put_nowait(ticket)
        except asyncio.QueueFull:
            log.warning("system event left out: the intake is full", event_type=event.event_type.value)

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
            try:
                await self._append(batch)
            finally:
                for _ in batch:
                    self._queue.task_done()
            await self.measure_backlog()

    async def _append(self, batch: Sequence[_Ticket]) -> None:
        receipts = [ticket.receipt for ticket in batch]
        # registered before the commit: a handler may be done before the commit's answer is here
        pending = [self._expect(ticket) for ticket in batch]
        self._listener.appending(receipts)
        try:
            answers = await self._journal.append(receipts)
        except JournalError as error:
            self._listener.appended(receipts, [Appended((), (), ()) for _ in receipts])
            count = len(batch)
            log.error("journal refused messages; they stay with their source", count=count, error=str(error))  # noqa: TRY400  # the text says it
            for ticket, waiting in zip(batch, pending, strict=True):
                self._forget(waiting, waiting.open if waiting else ())
                _resolve(ticket.done, error)
            return
        self._listener.appended(receipts, answers)
        for ticket, waiting, answer in zip(batch, pending, answers, strict=True):
            _resolve(ticket.done, answer)
            if ticket.message is None:
                continue
            if waiting is not None:
                waiting.appended = True
                self._forget(waiting, waiting.open.difference(answer.open))
            if waiting is None or not waiting.open:
                await _ack(ticket.message)

    def _expect(self, ticket: _Ticket) -> _PendingAck | None:
        if self._journal.durable or ticket.message is None:
            return None
        waiting = _PendingAck(ticket.message, {routed.event.id for routed in ticket.receipt.events})
        for event_id in waiting.open:
            self._pending[event_id].append(waiting)
        return waiting

    def _forget(self, waiting: _PendingAck | None, event_ids: Iterable[str]) -> None:
        if waiting is None:
            return
        for event_id in list(event_ids):
            waiting.open.discard(event_id)
            self._pending[event_id].remove(waiting)
            if not self._pending[event_id]:
                del self._pending[event_id]

    async def flush(self) -> None:
        """Wait until everything that came in is written."""
        await self._queue.join()

    async def settled(self, event_ids: Iterable[str]) -> None:
        """Acknowledge the messages all of whose events are settled now."""
        for event_id in event_ids:
            for pending in self._pending.pop(event_id, ()):
                pending.open.discard(event_id)
                if pending.appended and not pending.open:
                    await _ack(pending.message)

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


async def _ack(message: RawMessage) -> None:
    """Acknowledge. A source that can't be told sends the message again, and it is known then."""
    try:
        await message.ack()
    except Exception as error:  # noqa: BLE001  # whatever a transport raises must not stop the others' intake
        log.warning(
            "source could not be told", transport=message.transport, error=f"{type(error).__name__}: {error}"
        )


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
