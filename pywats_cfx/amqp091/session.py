"""One connection to the broker, from its opening to its end. A new connection is a new session."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from aiormq import AMQPError, ChannelInvalidStateError, Connection
from aiormq.abc import AbstractChannel, DeliveredMessage

from pywats_cfx.amqp.tally import Tally
from pywats_cfx.amqp091.connection import open_channel, open_connection, prepare
from pywats_cfx.amqp091.delivery import read_delivery
from pywats_cfx.amqp091.settlements import Settlements
from pywats_cfx.amqp091.troubles import BrokerGone, ConsumerCancelled, IntakeFailed, of_connection
from pywats_cfx.config import AMQPConfig
from pywats_events.journal import JournalError
from pywats_events.message import RawMessage

log = structlog.get_logger(__name__)

#: What the broker may take to answer while we leave, and the intake to finish what it has begun.
_PATIENCE_SECONDS: Final = 5.0
_GRACE_SECONDS: Final = 0.5


def is_cancelled() -> bool:
    """Tell whether somebody cancels this task.

    The library raises ``CancelledError`` also in those who wait on a connection that ends.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@contextlib.contextmanager
def _leaving() -> Iterator[None]:
    """Go on leaving when the broker has left first."""
    try:
        yield
    except (AMQPError, ChannelInvalidStateError, OSError):  # TimeoutError is an OSError
        pass
    except asyncio.CancelledError:
        if is_cancelled():
            raise


class Session:
    """Consumes from one queue until something ends it.

    Args:
        config: broker and queue.
        name: name of the transport, given to the messages and shown at the broker.
        receive: takes a message in. Called in the order of arrival, for as many at a time as the prefetch.
        tally: where to count.

    Attributes:
        ended: done, with the reason, when the session has ended.
        stirred: done when the first message has come.
        refused: done, with the reason, when the journal refused a message; reading is to pause then.
        reading: True from the first attempt to consume on.
        received: deliveries of this session.
    """

    def __init__(
        self,
        config: AMQPConfig,
        *,
        name: str,
        receive: Callable[[RawMessage], Awaitable[None]],
        tally: Tally,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._config = config
        self._name = name
        self._receive = receive
        self._connection: Connection | None = None
        self._channel: AbstractChannel | None = None
        self._settlements: Settlements | None = None
        self._writer: asyncio.Task[None] | None = None
        self._consumer: str | None = None
        self._taking: set[asyncio.Task[None]] = set()
        self._accepting = False
        self._tally = tally
        self._began = loop.time()
        self.ended: asyncio.Future[Exception] = loop.create_future()
        self.stirred: asyncio.Future[None] = loop.create_future()
        self.refused: asyncio.Future[JournalError] = loop.create_future()
        self.reading = False
        self.received = 0

    @property
    def acknowledged(self) -> int:
        """Acknowledgements that went out in this session."""
        return self._settlements.written if self._settlements else 0

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return asyncio.get_running_loop().time() - self._began

    async def open(self) -> None:
        """Connect, and prepare queue and exchange. What it raises, ``troubles.explain`` can explain."""
        self._connection = await open_connection(self._config, name=f"pywats-bridge {self._name}")
        self._connection.closing.add_done_callback(self._on_closing)
        async with asyncio.timeout(self._config.connect_timeout):
            self._channel = await open_channel(self._connection)
            self._channel.closing.add_done_callback(self._on_closing)
            self._channel.on_consumer_cancel_callbacks.add(self._on_consumer_cancel)
            await prepare(self._channel, self._config)
        self._settlements = Settlements(self._channel, self._tally)
        self._writer = asyncio.create_task(self._settlements.run(), name=f"{self._name} acknowledgements")
        self._writer.add_done_callback(self._on_writer_done)

    async def consume(self, *, prefetch: int) -> None:
        """Begin to read, or go on with another prefetch."""
        channel = self._open_channel()
        await self._end_consumer()
        self.refused = asyncio.get_running_loop().create_future()
        self._accepting = self.reading = True
        async with asyncio.timeout(self._config.connect_timeout):
            await channel.basic_qos(prefetch_count=prefetch)
            answer = await channel.basic_consume(self._config.queue, self._on_delivery)
        self._consumer = answer.consumer_tag

    async def pause(self) -> None:
        """Read no further, and give back what was not taken in. Acknowledgements still go out."""
        self._accepting = False
        with _leaving():
            await self._end_consumer()
        if self._taking:
            await asyncio.wait(self._taking, timeout=_GRACE_SECONDS)
        taking = list(self._taking)
        for task in taking:
            task.cancel()
        if taking:
            await asyncio.wait(taking)

    async def close(self) -> None:
        """Send what is settled, and leave. Unsettled messages go back to the queue by that."""
        await self.pause()
        if not self.ended.done() and self._settlements and self._channel:
            with _leaving():
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._settlements.flush()
                    # Its answer says that the broker has seen every acknowledgement before it.
                    await self._channel.close()
        self._end(BrokerGone("closed by us"))
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])
        if self._connection is not None:
            with _leaving():
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._connection.close()

    def _open_channel(self) -> AbstractChannel:
        if self._channel is None or self.ended.done():
            raise BrokerGone("the connection has ended")
        return self._channel

    async def _end_consumer(self) -> None:
        if self._consumer is None or self._channel is None or self.ended.done():
            return
        consumer, self._consumer = self._consumer, None
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self._channel.basic_cancel(consumer)

    async def _on_delivery(self, delivered: DeliveredMessage) -> None:
        """Take one delivery in. The library runs this as a task for each, started in order."""
        settlements, tag = self._settlements, delivered.delivery_tag
        if settlements is None or tag is None:
            return
        settlements.received(tag)
        self.received += 1
        self._tally.received += 1
        if not self.stirred.done():
            self.stirred.set_result(None)
        if not self._accepting:
            settlements.release(tag)
            return
        task = asyncio.current_task()
        if task is None:  # only a coroutine that no loop runs has none
            return
        self._taking.add(task)
        try:
            await self._receive(self._message(delivered, tag))
        except JournalError as error:
            settlements.release(tag)
            self._on_refusal(error)
        except asyncio.CancelledError:
            settlements.release(tag)
            raise
        except Exception as error:
            failure = IntakeFailed(f"{type(error).__name__}: {error}")
            failure.__cause__ = error
            self._end(failure)  # the supervisor says so, and the broker delivers again
            raise
        finally:
            self._taking.discard(task)

    def _message(self, delivered: DeliveredMessage, tag: int) -> RawMessage:
        content = read_delivery(delivered)
        return RawMessage(
            body=content.body,
            content_type=content.content_type,
            content_encoding=content.content_encoding,
            transport=self._name,
            address=delivered.routing_key or "",
            properties=content.properties,
            received_at=datetime.now(UTC),
            ack=partial(self._acknowledge, tag),
            release=partial(self._release, tag),
        )

    async def _acknowledge(self, tag: int) -> None:
        """Settle a message. Only notes it: the bus must not wait for a network."""
        if self.ended.done():
            self._tally.late += 1
            log.debug("acknowledgement came after the connection had ended", transport=self._name, tag=tag)
        elif self._settlements is not None:
            self._settlements.acknowledge(tag)

    async def _release(self, tag: int) -> None:
        if self._settlements is not None and not self.ended.done():
            self._settlements.release(tag)

    def _on_refusal(self, error: JournalError) -> None:
        self._accepting = False
        for task in self._taking:  # later messages must not overtake this one
            if task is not asyncio.current_task():
                task.cancel()
        if not self.refused.done():
            self.refused.set_result(error)

    def _on_closing(self, closing: asyncio.Future[None]) -> None:
        if closing.cancelled():
            return
        self._end(of_connection(closing.exception(), self._config))

    def _on_consumer_cancel(self, _: object) -> None:
        self._end(ConsumerCancelled(self._config.queue))

    def _on_writer_done(self, writer: asyncio.Task[None]) -> None:
        if not writer.cancelled() and (error := writer.exception()) is not None:
            self._end(of_connection(error, self._config))

    def _end(self, reason: Exception) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)
