"""Messages on their way into the journal: many at a time, in order, and again when it refused them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from pywats_events.journal.interface import JournalError
from pywats_events.message import Adapter, RawMessage
from pywats_events.policies import RetryPolicy
from pywats_events.transports.mqtt.tally import Tally

log = structlog.get_logger(__name__)

#: What the intake gets to finish what it has begun, at the end.
_GRACE_SECONDS: Final = 0.5


@dataclass(slots=True, eq=False)
class _Waiting:
    message: RawMessage
    adapter: Adapter | None
    comes_again: bool
    task: asyncio.Task[None] | None = None


class Taking:
    """Hands messages to the intake in the order in which they came.

    What the journal refuses is offered again after a while, before anything that came later. MQTT can't give
    a single message back, so it is kept here; how much that can be is bounded by ``is_full``.

    Args:
        receive: takes a message in.
        name: of the transport.
        most: from so many waiting messages on it is full.
        delays: how long to wait before a journal that refused is asked again.
        tally: where to count.
        on_change: called when it has become full, and when it is so no more.
        on_refusal: called when the journal refuses messages.
        on_fault: called when taking a message in failed as nothing should.

    Attributes:
        is_full: no more messages are to be read for now.
        refused: why the journal takes nothing in; None while it does.
    """

    def __init__(
        self,
        receive: Callable[[RawMessage, Adapter | None], Awaitable[None]],
        *,
        name: str,
        most: int,
        delays: RetryPolicy,
        tally: Tally,
        on_change: Callable[[], None],
        on_refusal: Callable[[JournalError], None],
        on_fault: Callable[[Exception], None],
    ) -> None:
        self._receive = receive
        self._name = name
        self._most = most
        self._delays = delays
        self._tally = tally
        self._on_change = on_change
        self._on_refused = on_refusal
        self._on_fault = on_fault
        self._waiting: dict[_Waiting, None] = {}
        self._refusal: asyncio.Task[None] | None = None
        self._refusals = 0
        self._accepts = True
        self.is_full = False
        self.refused: JournalError | None = None

    def offer(self, message: RawMessage, *, comes_again: bool, adapter: Adapter | None = None) -> None:
        """Take a message in.

        Args:
            message: the message.
            comes_again: the broker sends it again when it is not acknowledged.
            adapter: reads it in place of the transport's own.
        """
        if not self._accepts:
            self._tally.released += 1
            return
        one = _Waiting(message, adapter, comes_again)
        self._waiting[one] = None
        if self.refused is None:
            self._begin(one)
        self._judge_room()

    def connection_ended(self) -> None:
        """Give up what comes again by itself over the next connection."""
        for one in [one for one in self._waiting if one.comes_again]:
            self._give_up(one)
        self._judge_room()

    async def stop(self) -> None:
        """Take nothing more; let the intake finish what it has begun, for a moment, and give up the rest."""
        self._accepts = False
        if self._refusal is not None:
            self._refusal.cancel()
            await asyncio.wait([self._refusal])
        tasks = [one.task for one in self._waiting if one.task is not None]
        if tasks and self.refused is None:
            await asyncio.wait(tasks, timeout=_GRACE_SECONDS)
        for one in list(self._waiting):
            self._give_up(one)
        if tasks:
            await asyncio.wait(tasks)

    def _begin(self, one: _Waiting) -> None:
        one.task = asyncio.create_task(self._take(one), name=f"message of {self._name}")

    async def _take(self, one: _Waiting) -> None:
        try:
            await self._receive(one.message, one.adapter)
        except JournalError as error:
            self._on_refusal(error)
            return
        except Exception as error:  # noqa: BLE001  # the supervisor says so, and the broker sends it again
            self._waiting.pop(one, None)
            self._on_fault(error)
            return
        self._waiting.pop(one, None)
        if self.refused is None:
            self._refusals = 0
        self._judge_room()

    def _on_refusal(self, error: JournalError) -> None:
        if self.refused is not None or not self._accepts:
            return
        self.refused = error
        for one in self._waiting:  # later messages must not overtake this one
            if one.task is not None and one.task is not asyncio.current_task():
                one.task.cancel()
        if self._refusals == 0:
            log.warning(
                "reading pauses: the journal refuses messages", transport=self._name, reason=str(error)
            )
        self._refusals += 1
        self._on_refused(error)
        self._refusal = asyncio.create_task(self._offer_again(), name=f"refused messages of {self._name}")

    async def _offer_again(self) -> None:
        """Wait, and begin with all that is there, the oldest first."""
        await asyncio.sleep(self._delays.delay(self._refusals))
        while tasks := [one.task for one in self._waiting if one.task is not None and not one.task.done()]:
            await asyncio.wait(tasks)
        self.refused = None
        for one in list(self._waiting):
            self._begin(one)

    def _judge_room(self) -> None:
        """Be full above ``most`` messages, until half of them are taken in."""
        is_full = len(self._waiting) > (self._most // 2 if self.is_full else self._most)
        if is_full != self.is_full:
            self.is_full = is_full
            self._on_change()

    def _give_up(self, one: _Waiting) -> None:
        self._waiting.pop(one, None)
        self._tally.released += 1
        if one.task is not None:
            one.task.cancel()
