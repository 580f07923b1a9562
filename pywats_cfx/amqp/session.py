"""What a session is over either version of AMQP: one connection to the broker, from opening to end."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence

from pywats_cfx.amqp.tally import Tally
from pywats_cfx.amqp.troubles import IntakeFailed
from pywats_cfx.config import AMQPConfig
from pywats_cfx.envelope import CFXEnvelope
from pywats_events.journal import JournalError
from pywats_events.message import RawMessage

#: What the intake gets to finish what it has begun, when reading pauses.
_GRACE_SECONDS = 0.5


class Session(ABC):
    """Reads one queue until something ends it. A new connection is a new session.

    Args:
        config: broker and queue.
        name: name of the transport, given to the messages and shown at the broker.
        handle: who we are to other CFX endpoints.
        receive: takes a message in. Called in the order of arrival, for as many at a time as the prefetch.
        tally: where to count.

    Attributes:
        ended: done, with the reason, when the session has ended.
        stirred: done when the first message has come.
        refused: done, with the reason, when the journal refused a message; reading is to pause then.
        reading: True from the first attempt to consume on.
        usable: True once it is open, so that messages can be published.
        received: messages that came in this session.
        hints: what people should know although it keeps nobody from reading, one line each.
    """

    def __init__(
        self,
        config: AMQPConfig,
        *,
        name: str,
        handle: str,
        receive: Callable[[RawMessage], Awaitable[None]],
        tally: Tally,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._config = config
        self._name = name
        self._handle = handle
        self._receive = receive
        self._tally = tally
        self._taking: set[asyncio.Task[None]] = set()
        self._accepting = False
        self._began = loop.time()
        self.ended: asyncio.Future[Exception] = loop.create_future()
        self.stirred: asyncio.Future[None] = loop.create_future()
        self.refused: asyncio.Future[JournalError] = loop.create_future()
        self.reading = False
        self.usable = False
        self.received = 0
        self.hints: list[str] = []

    @property
    @abstractmethod
    def acknowledged(self) -> int:
        """Acknowledgements that went out in this session."""

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return asyncio.get_running_loop().time() - self._began

    @abstractmethod
    async def open(self) -> None:
        """Connect, and prepare queue and exchange. What it raises, ``explain`` can explain."""

    @abstractmethod
    async def consume(self, *, prefetch: int) -> None:
        """Begin to read, or go on with another prefetch."""

    @abstractmethod
    async def pause(self) -> None:
        """Read no further, and give back what was not taken in. Acknowledgements still go out."""

    @abstractmethod
    async def close(self) -> None:
        """Send what is settled, and leave. Unsettled messages go back to the queue by that."""

    @abstractmethod
    async def publish(self, envelopes: Sequence[CFXEnvelope]) -> None:
        """Publish each envelope as a message, and wait until the broker has them.

        Raises:
            PublishFailed: it has not, or that is not known.
        """

    @abstractmethod
    def explain(self, error: BaseException) -> str:
        """Say in one line why a session could not be opened or ended, and what to do."""

    def is_unreadable(self, error: BaseException) -> bool:  # noqa: ARG002  # most protocols carry every message
        """Tell whether a message that the protocol can't carry ended the session."""
        return False

    @abstractmethod
    def is_acknowledgement_timeout(self, error: BaseException) -> bool:
        """Tell whether the broker lost patience with messages that we hold."""

    def _arrived(self) -> None:
        """Count a message."""
        self.received += 1
        self._tally.received += 1
        if not self.stirred.done():
            self.stirred.set_result(None)

    async def _take(self, read: Callable[[], RawMessage], release: Callable[[], object]) -> None:
        """Take one message in, as a task of its own; what can't be taken is given back."""
        task = asyncio.current_task()
        if not self._accepting or task is None:  # only a coroutine that no loop runs is no task
            release()
            return
        self._taking.add(task)
        try:
            await self._receive(read())
        except JournalError as error:
            self._on_refusal(error)
            release()
        except asyncio.CancelledError:
            release()
            raise
        except Exception as error:  # noqa: BLE001  # the supervisor says so, and the broker delivers again
            failure = IntakeFailed(f"{type(error).__name__}: {error}")
            failure.__cause__ = error
            self._end(failure)
        finally:
            self._taking.discard(task)

    async def _stop_taking(self) -> None:
        """Let the intake finish what it has begun, for a moment, and give back the rest."""
        self._accepting = False
        if self._taking:
            await asyncio.wait(self._taking, timeout=_GRACE_SECONDS)
        taking = list(self._taking)
        for task in taking:
            task.cancel()
        if taking:
            await asyncio.wait(taking)

    def _on_refusal(self, error: JournalError) -> None:
        self._accepting = False
        for task in self._taking:  # later messages must not overtake this one
            if task is not asyncio.current_task():
                task.cancel()
        if not self.refused.done():
            self.refused.set_result(error)

    def _end(self, reason: Exception) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)


def is_cancelled() -> bool:
    """Tell whether somebody cancels this task.

    The library for AMQP 0-9-1 raises ``CancelledError`` also in those who wait on a connection that ends.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
