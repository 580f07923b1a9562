"""The way in: messages become receipts in the journal, many to a commit, and are acknowledged when safe."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol, TypeAlias

import structlog

from pywats_events.event import Event
from pywats_events.journal import (
    Appended,
    Fact,
    Journal,
    JournalError,
    JournalFull,
    RawRecord,
    Receipt,
    Routed,
)
from pywats_events.message import Adapter, RawMessage, Unreadable

log = structlog.get_logger(__name__)

#: Most receipts that share one commit.
BATCH: Final = 256
#: Most receipts that wait for the writer.
QUEUE: Final = 1024
#: Seconds after which a full journal is asked again whether it has room.
ASK_FOR_ROOM: Final = 2.0
#: Seconds after which an acknowledgement is given up: the source sends the message again.
ACK_PATIENCE: Final = 10.0

#: Learns from an event: a pure function.
Observer: TypeAlias = Callable[[Event], Iterable[Fact]]
#: Names of the handlers that an event is due to.
Router: TypeAlias = Callable[[Event], tuple[str, ...]]

#: True in code that must not wait for the backlog to shrink, because the backlog waits for it.
exempt_from_backlog: ContextVar[bool] = ContextVar("exempt_from_backlog", default=False)


@dataclass(slots=True, eq=False)
class _Ticket:
    """Something to be written down. Who brought it waits for ``done``, and cancels that by going away.

    Attributes:
        message: what to acknowledge; None for an event that no message brought.
        open: its events that are not settled, in a journal that is not durable.
        taken: whoever brought it knows that it was written; from now on the desk acknowledges.
    """

    receipt: Receipt
    done: asyncio.Future[Appended]
    message: RawMessage | None = None
    open: set[str] = field(default_factory=set)
    taken: bool = False


class IntakeListener(Protocol):
    """Who wants to know what was taken in."""

    def taken_in(self, receipt: Receipt, events: Sequence[Event], unreadable: Sequence[Unreadable]) -> None:
        """This was written down; these events and unreadable parts of it are new."""


class IntakeDesk:
    """Takes messages and events in, in order, and acknowledges them.

    Args:
        journal: where they are written.
        route: says which handlers an event is due to.
        observers: learn facts from events.
        high_water: from so many unsettled deliveries on, messages wait (back-pressure).
        listener: is told of each receipt after its commit.
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
        self._entrance = asyncio.Lock()
        self._room = asyncio.Event()
        self._room.set()
        self._backlog = 0
        self._is_crowded = False  # the backlog is at its limit
        self._is_full = False  # the journal takes nothing in
        self._closed = False
        self._unacknowledged: defaultdict[str, list[_Ticket]] = defaultdict(list)  # by open event

    # --- for those who bring something -------------------------------------------------------------------

    async def receive(self, message: RawMessage, adapter: Adapter) -> Appended:
        """Read a message, write it down, and see to its acknowledgement.

        Raises:
            JournalError: it could not be written; it was not taken in.
        """
        async with self._turn():
            receipt = self._receipt(_read(message, adapter), RawRecord.of(message))
            ticket = _Ticket(receipt, _future(), message)
            await self._queue.put(ticket)
        try:
            answer = await ticket.done
        except asyncio.CancelledError:
            self._expect_nothing(ticket)  # its transport gives it back, whatever the journal says
            raise
        ticket.taken = True
        if not ticket.open:
            await _ack(message)
        return answer

    def reading(self, message: RawMessage, adapter: Adapter) -> Receipt:
        """Read a message as ``receive`` does, and write nothing down."""
        return self._receipt(_read(message, adapter), RawRecord.of(message))

    async def publish(self, event: Event) -> Appended:
        """Write an event down that no message brought.

        Raises:
            JournalError: it could not be written.
        """
        if self._is_full and exempt_from_backlog.get():
            # a handler must not wait for room that its own delivery may have to make
            raise JournalFull("the journal is full; what is published is not kept now")
        async with self._turn():
            ticket = _Ticket(self._receipt([event], None), _future())
            await self._queue.put(ticket)
        return await ticket.done

    def receipt_of(self, events: Sequence[Event]) -> Receipt:
        """Give events of the bus's own as they are written down; see ``note_told``."""
        return self._receipt(events, None)

    def note_told(self, receipt: Receipt) -> None:
        """Note that what ``receipt_of`` gave was written down together with something else."""
        self._backlog += sum(len(routed.handlers) for routed in receipt.events)
        self._listener.taken_in(receipt, [routed.event for routed in receipt.events], ())

    def tell(self, event: Event) -> None:
        """Write a system event down. Called by the bus's own parts, so it does not wait for the writer."""
        ticket = _Ticket(self._receipt([event], None), _future())
        try:
            self._queue.put_nowait(ticket)
        except asyncio.QueueFull:
            log.warning("system event left out: the intake is full", event_type=event.event_type.value)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Let one in after the other, in the order in which they came, while there is room."""
        if exempt_from_backlog.get():
            self._check_open()
            yield
            return
        async with self._entrance:
            await self._room.wait()
            self._check_open()
            yield

    def _check_open(self) -> None:
        if self._closed:
            raise JournalError("the bus has stopped; it takes nothing more")

    def _receipt(self, parts: Iterable[Event | Unreadable], raw: RawRecord | None) -> Receipt:
        events: list[Routed] = []
        unreadable: list[Unreadable] = []
        facts: list[Fact] = []
        for part in parts:
            if isinstance(part, Unreadable):
                unreadable.append(part)
            else:
                events.append(Routed(part, self._route(part)))
                facts.extend(self._facts_of(part))
        return Receipt(raw, tuple(events), tuple(unreadable), tuple(facts))

    def _facts_of(self, event: Event) -> list[Fact]:
        facts: list[Fact] = []
        for observer in self._observers:
            try:
                facts.extend(observer(event))
            except Exception:
                log.exception("observer failed; its facts of this event are missing", event_id=event.id)
        return facts

    # --- writing -----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write what comes in, until cancelled. A journal that fails refuses what was to be written."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                await self._write([ticket for ticket in batch if not ticket.done.cancelled()])
            finally:
                for _ in batch:
                    self._queue.task_done()
            self._judge_room()

    async def _write(self, batch: Sequence[_Ticket]) -> None:
        for ticket in batch:  # before the commit: a handler may be done before the commit's answer is here
            self._expect(ticket)
        try:
            batch, answers = await self._append(batch)
        except JournalError as error:
            # what came after these must not overtake them
            self._refuse([*batch, *self._take_all()], error)
        except Exception as error:
            if len(batch) > 1:  # one of them is poison; the others are not to suffer from it
                for ticket in batch:
                    self._expect_nothing(ticket)
                    await self._write([ticket])
                return
            log.exception("journal failed at a message")
            self._refuse(batch, JournalError(f"the journal failed: {type(error).__name__}: {error}"))
        except BaseException:
            self._refuse(batch, JournalError("the bus has stopped"))
            raise
        else:
            for ticket, answer in zip(batch, answers, strict=True):
                self._note_written(ticket, answer)

    async def _append(self, batch: Sequence[_Ticket]) -> tuple[Sequence[_Ticket], list[Appended]]:
        """Append; while the journal is full, wait, so that everything behind stays with its source in order.

        Returns:
            What was written (not what was given up meanwhile), and the journal's answers.
        """
        while True:
            try:
                answers = await self._journal.append([ticket.receipt for ticket in batch])
            except JournalFull as error:
                self._note_full(error)
                await asyncio.sleep(ASK_FOR_ROOM)  # nothing tells when there is room again
                batch = [ticket for ticket in batch if not ticket.done.cancelled()]
            else:
                if self._is_full:
                    self._is_full = False
                    if batch:  # that nobody waits any more says nothing about room: the next one finds out
                        log.info("journal has room again; transports go on")
                    self._judge_room()
                return batch, answers

    def _note_full(self, error: JournalFull) -> None:
        if not self._is_full:
            self._is_full = True
            log.error("journal is full; transports wait", reason=str(error))
            self._judge_room()

    def _note_written(self, ticket: _Ticket, answer: Appended) -> None:
        for event_id in ticket.open.difference(answer.open):
            self._expect_no_more(ticket, event_id)
        if ticket.done.done():  # whoever waited has gone, and its transport gives the message back
            self._expect_nothing(ticket)
        else:
            ticket.done.set_result(answer)
        new, known = set(answer.new), set(answer.duplicates)
        events: list[Event] = []
        for routed in ticket.receipt.events:
            if routed.event.id in new:
                new.discard(routed.event.id)
                events.append(routed.event)
                self._backlog += len(routed.handlers)
        unreadable = [broken for broken in ticket.receipt.unreadable if broken.id not in known]
        self._listener.taken_in(ticket.receipt, events, unreadable)

    def _refuse(self, tickets: Sequence[_Ticket], error: JournalError) -> None:
        count = len(tickets)
        log.error("messages were not written; they stay with their source", count=count, error=str(error))
        for ticket in tickets:
            self._expect_nothing(ticket)
            if not ticket.done.done():
                ticket.done.set_exception(error)
                ticket.done.exception()  # nobody waits for what the bus says of itself

    def _take_all(self) -> list[_Ticket]:
        tickets: list[_Ticket] = []
        while not self._queue.empty():
            tickets.append(self._queue.get_nowait())
            self._queue.task_done()
        return tickets

    async def flush(self) -> None:
        """Wait until everything that came in is written."""
        await self._queue.join()

    @property
    def is_empty(self) -> bool:
        """True when nothing waits to be written."""
        return self._queue.empty()

    def close(self) -> None:
        """Take nothing more, and refuse what is not written."""
        self._closed = True
        self._room.set()  # who waits there is turned away
        left = self._take_all()
        if left:
            self._refuse(left, JournalError("the bus has stopped"))

    # --- acknowledging, where the journal is not durable -------------------------------------------------

    def _expect(self, ticket: _Ticket) -> None:
        if self._journal.durable or ticket.message is None:
            return
        ticket.open = {routed.event.id for routed in ticket.receipt.events}
        for event_id in ticket.open:
            self._unacknowledged[event_id].append(ticket)

    def _expect_nothing(self, ticket: _Ticket) -> None:
        for event_id in list(ticket.open):
            self._expect_no_more(ticket, event_id)

    def _expect_no_more(self, ticket: _Ticket, event_id: str) -> None:
        ticket.open.discard(event_id)
        tickets = self._unacknowledged[event_id]
        tickets.remove(ticket)
        if not tickets:
            del self._unacknowledged[event_id]

    async def settled(self, event_ids: Iterable[str], *, deliveries: int) -> None:
        """Note settled deliveries, and acknowledge the messages all of whose events are settled now."""
        self._backlog -= deliveries
        self._judge_room()
        for event_id in event_ids:
            for ticket in self._unacknowledged.pop(event_id, ()):
                ticket.open.discard(event_id)
                if ticket.taken and not ticket.open and ticket.message is not None:
                    await _ack(ticket.message)

    async def release_all(self) -> None:
        """Give back the messages that are not acknowledged and won't be, at shutdown."""
        waiting = {id(ticket): ticket for several in self._unacknowledged.values() for ticket in several}
        self._unacknowledged.clear()
        for ticket in waiting.values():
            if ticket.taken and ticket.message is not None:
                await _release(ticket.message)

    # --- back-pressure -----------------------------------------------------------------------------------

    def counted(self, backlog: int) -> None:
        """Note how many deliveries are not settled: others may work on the same journal."""
        self._backlog = backlog
        self._judge_room()

    def reopened(self, deliveries: int) -> None:
        """Note that so many dead letters were put through again."""
        self._backlog += deliveries
        self._judge_room()

    def _judge_room(self) -> None:
        """Hold messages back, or let them come again, by the number of unsettled deliveries."""
        if self._closed:
            return
        if self._backlog >= self._high_water and not self._is_crowded:
            self._is_crowded = True
            log.warning("backlog is full; transports wait", backlog=self._backlog, limit=self._high_water)
        elif self._backlog <= self._high_water // 2 and self._is_crowded:
            self._is_crowded = False
            log.info("backlog has shrunk; transports go on", backlog=self._backlog)
        if self._is_crowded or self._is_full:
            self._room.clear()
        else:
            self._room.set()


async def _ack(message: RawMessage) -> None:
    """Acknowledge. A source that can't be told sends the message again, and it is known then."""
    try:
        async with asyncio.timeout(ACK_PATIENCE):
            await message.ack()
    except Exception as error:  # noqa: BLE001  # whatever a transport raises must not stop the others' intake
        log.warning(
            "source could not be told", transport=message.transport, error=f"{type(error).__name__}: {error}"
        )


async def _release(message: RawMessage) -> None:
    try:
        async with asyncio.timeout(ACK_PATIENCE):
            await message.release()
    except Exception as error:  # noqa: BLE001  # what is not given back comes again by itself
        log.warning(
            "message could not be given back",
            transport=message.transport,
            error=f"{type(error).__name__}: {error}",
        )


def _future() -> asyncio.Future[Appended]:
    return asyncio.get_running_loop().create_future()


def _read(message: RawMessage, adapter: Adapter) -> Sequence[Event | Unreadable]:
    """Read a message. An adapter promises to raise nothing; one that breaks it costs this message only."""
    try:
        return list(adapter(message))
    except Exception as error:
        log.exception("adapter failed", transport=message.transport, address=message.address)
        reason = f"the adapter of transport {message.transport!r} failed: {type(error).__name__}: {error}"
        return [Unreadable(id=_fingerprint(message), reason=reason, error=type(error).__name__)]


def _fingerprint(message: RawMessage) -> str:
    return sha256(message.body).hexdigest()
