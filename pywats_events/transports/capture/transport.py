"""The transport that brings a capture back in, at the pace of its messages or faster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from pywats_events.cloudevents import cloudevents_adapter
from pywats_events.event import Event
from pywats_events.journal import JournalError
from pywats_events.message import Adapter, RawMessage, Unreadable
from pywats_events.transports.base import BaseTransport, Intake
from pywats_events.transports.capture.form import CaptureError, Damage
from pywats_events.transports.capture.reading import CaptureFile

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fed:
    """How far a capture was brought in.

    Attributes:
        messages: messages that the journal took.
        skipped: damaged lines that were left out.
        is_whole: True at the end of the file; False where it was stopped before.
    """

    messages: int
    skipped: int
    is_whole: bool


class CaptureTransport(BaseTransport):
    """Takes messages from a capture, and has them read as they came: time of receipt and properties too.

    So their events are those of then, with the same ids, and a capture that is brought in twice doubles
    nothing. Only the journal notes the time of now: what waits for later messages must not be given up at
    once because it is old.

    Args:
        path: the capture, packed with gzip or not.
        speed: 1: with the recorded gaps, 10: ten times as fast, infinity: as fast as the bus takes them.
        adapter: reads the messages. Where several transports were recorded, see ``by_transport``.
        name: identity among the transports of a bus.
        skip_damaged: leave lines out that hold no message; else the first one ends it.
        clock: seconds that only grow; default: the loop's.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        speed: float = 1.0,
        adapter: Adapter = cloudevents_adapter,
        name: str = "capture",
        skip_damaged: bool = False,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not speed > 0:
            raise ValueError(f"speed should be more than 0, not {speed:g}")
        self.path = Path(path)
        self.name = name
        self.adapter = adapter
        self.speed = speed
        self.messages = 0
        self.skipped = 0
        self._skip_damaged = skip_damaged
        self._clock = clock
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[Fed] | None = None

    async def start(self, intake: Intake) -> None:
        """Begin to bring messages in."""
        self._ended = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(intake, self._ended), name=f"transport {self.name}")

    async def stop(self) -> None:
        """Bring no more in."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def ended(self) -> Fed:
        """Wait until the journal has all of it, or it was stopped.

        Raises:
            RuntimeError: it was not started.
            CaptureError: the file can't be read, or a line of it is damaged.
            JournalError: the journal refused a message. What it has taken is recognised when the capture is
                brought in again.
        """
        if self._ended is None:
            raise RuntimeError(f'transport "{self.name}" is not running')
        return await asyncio.shield(self._ended)

    def _fed(self, *, is_whole: bool) -> Fed:
        return Fed(self.messages, self.skipped, is_whole)

    async def _run(self, intake: Intake, ended: asyncio.Future[Fed]) -> None:
        capture = CaptureFile(self.path)
        try:
            await _in_thread(capture.open)
            await intake.connected(self.name, f"capture {self.path}")
            await self._bring_in(capture, intake)
            ended.set_result(self._fed(is_whole=True))
        except (CaptureError, JournalError) as error:
            await intake.disconnected(self.name, str(error))
            ended.set_exception(error)
            ended.exception()  # who does not ask has read it in the log
        finally:
            capture.close()
            if not ended.done():
                ended.set_result(self._fed(is_whole=False))

    async def _bring_in(self, capture: CaptureFile, intake: Intake) -> None:
        pace = Pace(self.speed, self._clock or asyncio.get_running_loop().time)
        while found := await _in_thread(capture.chunk):
            due: list[RawMessage] = []
            for each in found:
                if isinstance(each, Damage):
                    self._skip(each)
                    continue
                if pace.wait(each.received_at) > 0:
                    await self._hand_over(due, intake)
                    due = []
                    await self._sleep(pace.wait(each.received_at))
                due.append(each)
            await self._hand_over(due, intake)

    def _skip(self, damage: Damage) -> None:
        if not self._skip_damaged:
            raise CaptureError(f"{self.path}: {damage}")
        self.skipped += 1

    def _reading(self, received_at: datetime) -> Adapter:
        return lambda message: self.adapter(replace(message, received_at=received_at))

    async def _hand_over(self, due: Sequence[RawMessage], intake: Intake) -> None:
        """Give messages to the bus, so many at a time that they share its commits, in their order."""
        taking = [
            asyncio.ensure_future(
                intake.receive(
                    replace(each, received_at=datetime.now(UTC)), adapter=self._reading(each.received_at)
                )
            )
            for each in due
        ]
        try:
            await asyncio.gather(*taking)
        finally:
            for each in taking:
                each.cancel()
            answers = await asyncio.gather(*taking, return_exceptions=True)
            self.messages += answers.count(None)


async def _in_thread(work: Callable[[], T]) -> T:
    """Run what blocks; a thread can't be told to end, so who is cancelled waits until it has."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


class Pace:
    """When a message is due that was received at some time.

    Args:
        speed: how many recorded seconds go by in one.
        clock: seconds that only grow.
    """

    def __init__(self, speed: float, clock: Callable[[], float]) -> None:
        self._speed = speed
        self._clock = clock
        self._began: tuple[datetime, float] | None = None

    def wait(self, received_at: datetime) -> float:
        """Give the seconds until it is due; 0 when it is, or was."""
        if self._began is None:
            self._began = received_at, self._clock()
        first, began = self._began
        due = began + (received_at - first).total_seconds() / self._speed
        return max(0.0, due - self._clock())


def by_transport(adapters: Mapping[str, Adapter]) -> Adapter:
    """Give an adapter that has each message read as the transport did that it was recorded from.

    Args:
        adapters: by the names of the transports.
    """

    def read(message: RawMessage) -> Sequence[Event | Unreadable]:
        adapter = adapters.get(message.transport)
        if adapter is not None:
            return adapter(message)
        known = ", ".join(sorted(adapters)) or "none"
        return [
            Unreadable(
                id=sha256(f"{message.transport}\0{message.address}\0".encode() + message.body).hexdigest()[
                    :32
                ],
                reason=f'nothing reads messages of transport "{message.transport}" here; configured: {known}',
                error=CaptureError.__name__,
            )
        ]

    return read
