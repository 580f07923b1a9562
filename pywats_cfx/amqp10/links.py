"""The two kinds of links: one that receives under credit, one that sends and waits for the outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

from proton import Condition, Delivery, Session, Terminus
from proton import Receiver as ProtonReceiver
from proton import Sender as ProtonSender

from pywats_cfx.amqp10.engine import Engine, remote_error
from pywats_cfx.amqp10.errors import Amqp10Error, ConnectionLost, RemoteError


class Outcome(Enum):
    """What a receiver says of a message."""

    #: it has it
    ACCEPTED = Delivery.ACCEPTED
    #: it can't be used, ever; brokers drop it or put it into their dead-letter queue
    REJECTED = Delivery.REJECTED
    #: it was not looked at; it goes back to its place
    RELEASED = Delivery.RELEASED


@dataclass(slots=True, eq=False)
class Transfer:
    """One message that came in, not settled yet.

    Attributes:
        encoded: the whole message as it was on the wire, all sections.
        settled: its sender has forgotten it already: nothing that we say of it is heard.
    """

    encoded: bytes
    settled: bool
    _delivery: Delivery
    _receiver: Receiver

    def settle(self, outcome: Outcome, condition: Condition | None = None) -> bool:
        """Say what became of it. False: it was said before, or the link is gone and it will come again.

        Args:
            outcome: what became of it.
            condition: why it was rejected.
        """
        return self._receiver.settle(self._delivery, outcome, condition)


class Link:
    """What both kinds have in common.

    Attributes:
        address: what it was attached to.
        opened: done when the other side has attached it as well; fails with the reason when it refuses.
        ended: done, with the reason, when it is gone.
    """

    def __init__(self, engine: Engine, link: Any, address: str | None) -> None:
        loop = asyncio.get_running_loop()
        self.address = address
        self._engine = engine
        self._link = link
        self.opened: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[Exception] = loop.create_future()
        # who only looks at one of the two must not be told of the other by the garbage collector
        self.opened.add_done_callback(lambda done: done.cancelled() or done.exception())

    @property
    def session(self) -> Session:
        """The session that it is in."""
        return cast("Session", self._link.session)

    def on_opened(self) -> None:
        """Take note that the other side has attached the link."""
        if not self.opened.done():
            self.opened.set_result(None)

    def on_ended(self, reason: Exception) -> None:
        """Take note that the link is gone."""
        if not self.opened.done():
            self.opened.set_exception(reason)
        if not self.ended.done():
            self.ended.set_result(reason)

    def on_flow(self) -> None:
        """Take note of what the other side says of credit."""

    def close(self, condition: Condition | None = None) -> None:
        """Detach. Messages that are not settled go back to their queue.

        Args:
            condition: why, for the other side; None when nothing is wrong.
        """
        if not self.ended.done():
            self._link.condition = condition
            self._link.close()
            self._engine.wake()
            self.on_ended(ConnectionLost("closed by us"))

    async def detach(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # how long to be polite
        """Detach, and wait until the other side has answered: it has seen all that was said before."""
        if not self.ended.done():
            self._link.close()
            self._engine.wake()
            await asyncio.wait([self.ended], timeout=timeout)

    def forget(self) -> None:
        """Give back the memory of a link that has ended while its connection goes on."""
        self._link.peer = None  # the two hold each other, which Python can't see
        self._link.free()


class Receiver(Link):
    """Takes messages, at most as many unsettled ones as its window.

    Credit is topped up when half of the window is free, or when all of it was used: while messages are on
    their way, RabbitMQ 3.10 sends more than it was given when credit comes in small coins.

    Args:
        on_transfer: hears of each message, in the order of arrival.
        max_bytes: size of the largest message that is taken; a larger one is rejected.
        on_too_large: hears of the size of a message that was rejected for it.
    """

    def __init__(
        self,
        engine: Engine,
        link: ProtonReceiver,
        address: str | None,
        *,
        on_transfer: Callable[[Transfer], None],
        max_bytes: int,
        on_too_large: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__(engine, link, address)
        self._on_transfer = on_transfer
        self._on_too_large = on_too_large
        self._max_bytes = max_bytes
        self._window = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._unsettled: dict[Delivery, None] = {}

    @property
    def gives_copies(self) -> bool:
        """True when the other side leaves the messages where they are for others."""
        return bool(self._link.remote_source.distribution_mode == Terminus.DIST_MODE_COPY)

    @property
    def unsettled(self) -> int:
        """Messages that nothing was said of."""
        return len(self._unsettled)

    def open_window(self, window: int) -> None:
        """Take up to so many messages that are not settled."""
        self._window = window
        self._top_up()

    def shut_window(self) -> None:
        """Take no more: the credit is taken back. What is on its way already still comes.

        Draining would be the standard's way to hear when nothing more comes; RabbitMQ 3.10 ends the session
        with an internal error then.
        """
        self._window = 0
        if not self.ended.done() and self._link.credit > 0:
            self._link.flow(-self._link.credit)
            self._engine.wake()

    def allow(self, messages: int) -> None:
        """Take so many messages once, besides those that the window lets through."""
        self._link.flow(messages)
        self._engine.wake()

    def settle(self, delivery: Delivery, outcome: Outcome, condition: Condition | None = None) -> bool:
        """Say what became of a message. False: it was said before, or the link is gone."""
        if delivery not in self._unsettled:
            return False
        del self._unsettled[delivery]
        _update(delivery, outcome, condition)
        delivery.settle()
        self._top_up()
        self._engine.wake()
        return True

    def release_all(self) -> int:
        """Give back every message that nothing was said of, and tell how many those were."""
        count = len(self._unsettled)
        while self._unsettled and not self.ended.done():
            self.settle(next(iter(self._unsettled)), Outcome.RELEASED)
        return count

    def on_delivery(self, delivery: Delivery) -> None:
        """Take in what has arrived of a message."""
        if delivery.aborted:
            self._parts, self._size = [], 0
            delivery.settle()
            self._top_up()
            return
        if not delivery.readable:
            return
        if pending := delivery.pending:
            part = self._link.recv(pending) or b""
            self._size += len(part)
            if self._size <= self._max_bytes:
                self._parts.append(part)
            else:
                self._parts.clear()
        if delivery.partial:
            return
        encoded, size = b"".join(self._parts), self._size
        self._parts, self._size = [], 0
        settled = delivery.settled
        self._link.advance()
        if size > self._max_bytes:
            said = f"{size} bytes, more than the {self._max_bytes} that are taken"
            _update(delivery, Outcome.REJECTED, Condition("amqp:link:message-size-exceeded", said))
            delivery.settle()
            if self._on_too_large is not None:
                self._on_too_large(size)
        else:
            self._unsettled[delivery] = None
            self._on_transfer(Transfer(encoded, settled, delivery, self))
        self._top_up()

    def on_ended(self, reason: Exception) -> None:
        """Forget what is not settled: it comes again."""
        super().on_ended(reason)
        self._unsettled.clear()

    def _top_up(self) -> None:
        if self._window == 0 or self.ended.done():
            return
        free = self._window - len(self._unsettled) - self._link.credit
        if free > 0 and (2 * free >= self._window or self._link.credit <= 0):
            self._link.flow(free)
            self._engine.wake()


class Sender(Link):
    """Sends messages and tells what the other side said of each."""

    def __init__(self, engine: Engine, link: ProtonSender, address: str | None) -> None:
        super().__init__(engine, link, address)
        self._waiting: dict[Delivery, asyncio.Future[None]] = {}
        self._credit = asyncio.Event()
        self._number = 0

    async def send(self, encoded: bytes) -> None:
        """Send a message and wait until the other side has accepted it.

        Args:
            encoded: the whole message, all sections.

        Raises:
            RemoteError: it was rejected or released, or the link ended with a reason.
            ConnectionLost: the connection ended; whether the message arrived is not known.
        """
        await self.wait_for_credit()
        self._number += 1
        delivery = self._link.delivery(str(self._number))
        self._link.stream(encoded)
        self._link.advance()
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._link.snd_settle_mode == ProtonSender.SND_SETTLED:
            delivery.settle()
            outcome.set_result(None)
        else:
            self._waiting[delivery] = outcome
        self._engine.wake()
        try:
            await outcome
        finally:
            self._waiting.pop(delivery, None)

    def post(self, encoded: bytes) -> bool:
        """Send a message as settled, at once or not at all. False: the other side gives no credit for it."""
        if self.ended.done() or self._link.credit <= 0:
            return False
        self._number += 1
        delivery = self._link.delivery(str(self._number))
        self._link.stream(encoded)
        self._link.advance()
        delivery.settle()
        self._engine.wake()
        return True

    async def wait_for_credit(self) -> None:
        """Wait until a message may be sent.

        Raises:
            Amqp10Error: the link ended.
        """
        while self._link.credit <= 0:
            self._check_open()
            self._credit.clear()
            waiting = asyncio.ensure_future(self._credit.wait())
            try:
                await _first(waiting, self.ended)
            finally:
                waiting.cancel()
        self._check_open()

    def on_delivery(self, delivery: Delivery) -> None:
        """Take note of what the other side said of a message."""
        if not delivery.updated:
            return
        outcome = self._waiting.get(delivery)
        state = delivery.remote_state
        if state or delivery.settled:
            if outcome is not None and not outcome.done():
                if state == Delivery.ACCEPTED or (delivery.settled and not state):
                    outcome.set_result(None)
                else:
                    outcome.set_exception(_refusal(delivery))
            delivery.settle()

    def on_flow(self) -> None:
        """Take note of credit."""
        if self._link.credit > 0:
            self._credit.set()

    def on_ended(self, reason: Exception) -> None:
        """Tell those who wait that no outcome will come."""
        super().on_ended(reason)
        for outcome in self._waiting.values():
            if not outcome.done():
                outcome.set_exception(reason)

    def _check_open(self) -> None:
        if self.ended.done():
            reason = self.ended.result()
            raise reason if isinstance(reason, Amqp10Error) else ConnectionLost(str(reason))


def _update(delivery: Delivery, outcome: Outcome, condition: Condition | None) -> None:
    if condition is not None:
        delivery.local.condition = condition
    delivery.update(outcome.value)


def _refusal(delivery: Delivery) -> RemoteError:
    if delivery.remote_state == Delivery.REJECTED:
        error = remote_error("transfer", delivery.remote.condition)
        return RemoteError("transfer", error.condition or "rejected", error.description)
    if delivery.remote_state == Delivery.RELEASED:
        return RemoteError("transfer", "released", "not taken: nobody listens at its address?")
    return RemoteError("transfer", "modified", "it was given back")


async def _first(*futures: asyncio.Future[Any]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
