"""One connection to the broker, from its opening to its end. A new connection is a new session."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from aiormq import AMQPError, ChannelInvalidStateError, Connection
from aiormq.abc import AbstractChannel, DeliveredMessage

from pywats_cfx.amqp.session import Session, is_cancelled
from pywats_cfx.amqp.tally import Tally
from pywats_cfx.amqp.troubles import BrokerGone, PublishFailed
from pywats_cfx.amqp091.connection import open_channel, open_connection, prepare
from pywats_cfx.amqp091.delivery import read_delivery
from pywats_cfx.amqp091.publisher import Publisher
from pywats_cfx.amqp091.settlements import Settlements
from pywats_cfx.amqp091.troubles import (
    ConsumerCancelled,
    explain,
    is_acknowledgement_timeout,
    is_unreadable,
    of_connection,
)
from pywats_cfx.config import AMQPConfig
from pywats_cfx.envelope import CFXEnvelope
from pywats_events.message import RawMessage

log = structlog.get_logger(__name__)

#: What the broker may take to answer while we leave.
_PATIENCE_SECONDS: Final = 5.0


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


class Session091(Session):
    """Consumes from one queue until something ends it."""

    def __init__(
        self,
        config: AMQPConfig,
        *,
        name: str,
        handle: str,
        receive: Callable[[RawMessage], Awaitable[None]],
        tally: Tally,
    ) -> None:
        super().__init__(config, name=name, handle=handle, receive=receive, tally=tally)
        self._connection: Connection | None = None
        self._channel: AbstractChannel | None = None
        self._publisher: Publisher | None = None
        self._settlements: Settlements | None = None
        self._writer: asyncio.Task[None] | None = None
        self._consumer: str | None = None

    @property
    def acknowledged(self) -> int:
        """Acknowledgements that went out in this session."""
        return self._settlements.written if self._settlements else 0

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
        self._publisher = Publisher(self._connection, self._config, handle=self._handle)
        self.usable = True

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
        await self._stop_taking()

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

    async def publish(self, envelopes: Sequence[CFXEnvelope]) -> None:
        """Publish each envelope as a message to the exchange, and wait for the broker's confirmation.

        Raises:
            PublishFailed: it did not come.
        """
        if self._publisher is None or self.ended.done():
            raise PublishFailed(f"{self._config.broker}: the connection has ended")
        await self._publisher.publish(envelopes)

    def explain(self, error: BaseException) -> str:
        """Say in one line why the session could not be opened or ended, and what to do."""
        return explain(error, self._config)

    def is_unreadable(self, error: BaseException) -> bool:
        """Tell whether a message that AMQP 0-9-1 can't carry ended the session."""
        return is_unreadable(error)

    def is_acknowledgement_timeout(self, error: BaseException) -> bool:
        """Tell whether the broker lost patience with messages that we hold."""
        return is_acknowledgement_timeout(error)

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
        self._arrived()
        await self._take(partial(self._message, delivered, tag), partial(settlements.release, tag))

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

    def _on_closing(self, closing: asyncio.Future[None]) -> None:
        if closing.cancelled():
            return
        self._end(of_connection(closing.exception(), self._config))

    def _on_consumer_cancel(self, _: object) -> None:
        self._end(ConsumerCancelled(self._config.queue))

    def _on_writer_done(self, writer: asyncio.Task[None]) -> None:
        if not writer.cancelled() and (error := writer.exception()) is not None:
            self._end(of_connection(error, self._config))
