"""Messages that machines publish to us: taken in by the journal, and accepted when it has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from pywats_cfx.amqp.tally import Tally
from pywats_cfx.amqp10.links import Outcome, Transfer
from pywats_events.journal import JournalError
from pywats_events.message import RawMessage
from pywats_events.transports.base import Intake

log = structlog.get_logger(__name__)


class Taking:
    """Takes messages in, in the order of their arrival, as many at a time as the links' windows let through.

    Args:
        intake: the way to the journal.
        name: name of the listener, for logs.
        tally: where to count.
        on_refusal: hears of the reason when the journal refuses a message; nothing is taken from then on
            until ``resume``.

    Attributes:
        is_open: messages are taken; others are given back at once.
    """

    def __init__(self, intake: Intake, *, name: str, tally: Tally, on_refusal: Callable[[str], None]) -> None:
        self.is_open = True
        self._intake = intake
        self._name = name
        self._tally = tally
        self._on_refusal = on_refusal
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, transfer: Transfer, message: RawMessage) -> None:
        """Begin to take a message in; ``ack`` and ``release`` of it are set here."""
        self._tally.received += 1
        if not self.is_open:
            self._release(transfer)
            return
        message.ack = partial(self._accept, transfer)
        message.release = partial(self._give_back, transfer)
        task = asyncio.create_task(self._take(transfer, message), name=f"intake of {self._name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self, grace: float) -> None:
        """Take nothing more, and give back what the journal does not have after a moment."""
        self.is_open = False
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        left = set(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    async def _take(self, transfer: Transfer, message: RawMessage) -> None:
        try:
            await self._intake.receive(message)
        except JournalError as error:
            self._release(transfer)
            self._refuse(str(error))
        except asyncio.CancelledError:
            self._release(transfer)
            raise
        except Exception as error:  # its sender keeps the message, and sends it again
            log.exception("taking a message in failed", transport=self._name)
            self._release(transfer)
            self._refuse(f"{type(error).__name__}: {error}")

    def _refuse(self, reason: str) -> None:
        if not self.is_open:
            return
        self.is_open = False
        for task in self._tasks:  # later messages must not overtake this one
            if task is not asyncio.current_task():
                task.cancel()
        self._on_refusal(reason)

    async def _accept(self, transfer: Transfer) -> None:
        """Accept a message. Only notes it: the bus must not wait for a network."""
        if transfer.settle(Outcome.ACCEPTED):
            self._tally.acknowledged += 1
        else:
            self._tally.late += 1

    async def _give_back(self, transfer: Transfer) -> None:
        self._release(transfer)

    def _release(self, transfer: Transfer) -> None:
        if not transfer.settle(Outcome.RELEASED):
            return
        self._tally.released += 1
        if transfer.settled:
            log.warning("message lost: its sender did not wait until we have it", transport=self._name)
