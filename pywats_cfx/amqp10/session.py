"""One connection to the broker over AMQP 1.0, from its opening to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import uuid4

import structlog

from pywats_cfx.amqp.session import Session
from pywats_cfx.amqp.tally import Tally
from pywats_cfx.amqp.troubles import BrokerGone, PublishFailed
from pywats_cfx.amqp10.addresses import Product
from pywats_cfx.amqp10.connection import Connection
from pywats_cfx.amqp10.delivery import read_transfer
from pywats_cfx.amqp10.errors import Amqp10Error
from pywats_cfx.amqp10.links import Outcome, Receiver, Transfer
from pywats_cfx.amqp10.opening import open_broker
from pywats_cfx.amqp10.preparing import nothing_to_prepare, prepare
from pywats_cfx.amqp10.publisher import Publisher
from pywats_cfx.amqp10.troubles import explain, is_acknowledgement_timeout
from pywats_cfx.amqp10.watching import BrokerDeaf, LinkDead, Watch
from pywats_cfx.config import AMQPConfig
from pywats_cfx.envelope import CFXEnvelope
from pywats_events.journal import JournalError
from pywats_events.message import RawMessage

log = structlog.get_logger(__name__)

#: What the broker may take to answer while we leave.
_PATIENCE_SECONDS: Final = 5.0
#: A broker that is connected gets so many times longer to answer than one that we connect to.
_DEAF_AFTER: Final = 6


class Session10(Session):
    """Receives from one source under credit until something ends it."""

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
        self._receiver: Receiver | None = None
        self._publisher: Publisher | None = None
        self._watching: asyncio.Task[Amqp10Error] | None = None
        self._product = Product()
        self._source = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._acknowledged = 0

    @property
    def acknowledged(self) -> int:
        """Acknowledgements that went out in this session."""
        return self._acknowledged

    @property
    def unsettled(self) -> int:
        """Messages that were neither acknowledged nor given back."""
        return self._receiver.unsettled if self._receiver else 0

    async def open(self) -> None:
        """Connect, and prepare queue and exchange where the broker lets us."""
        config = self._config
        connection = self._connection = await open_broker(config, container=self._handle)
        connection.ended.add_done_callback(lambda done: self._end(done.result()))
        self._product = Product.of(connection.properties)
        self._source = self._product.source(config)
        if config.declare_queue and config.address is None:
            hint = await prepare(config) if self._product.is_rabbitmq else nothing_to_prepare(config)
            if hint is not None:
                self.hints.append(hint)
        self._publisher = Publisher(
            connection, self._product, config, handle=self._handle, explain=self.explain
        )
        self.usable = True

    async def consume(self, *, prefetch: int) -> None:
        """Begin to read, or go on with another window."""
        self.refused = asyncio.get_running_loop().create_future()
        self._accepting = self.reading = True
        receiver = await self._attached()
        receiver.open_window(prefetch)

    async def take_one(self) -> None:
        """Read one message and no further. Returns when it was taken in or refused, or nothing is there."""
        self._accepting = self.reading = True
        receiver = await self._attached()
        receiver.allow(1)
        events: tuple[asyncio.Future[Any], ...] = (self.ended, self.stirred)
        await asyncio.wait(events, timeout=_PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self.ended.done():
            raise self.ended.result()

    async def pause(self) -> None:
        """Take the credit back, and release what was not taken in. Acknowledgements still go out."""
        self._accepting = False
        if self._receiver is not None:
            self._receiver.shut_window()
        await self._stop_taking()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Send what is settled, and leave. Unsettled messages go back to the queue by that."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
        await self.pause()
        self._end(BrokerGone("closed by us"))
        if self._receiver is not None and not isinstance(self.ended.result(), LinkDead | BrokerDeaf):
            self._tally.released += self._receiver.release_all()
            # Its answer says that the broker has seen every outcome before it.
            await self._receiver.detach(_PATIENCE_SECONDS)
        if self._connection is not None:
            await self._connection.close(_PATIENCE_SECONDS)

    async def publish(self, envelopes: Sequence[CFXEnvelope]) -> None:
        """Publish each envelope as a message, and wait until the broker has accepted them.

        Raises:
            PublishFailed: it has not.
        """
        if self._publisher is None or self.ended.done():
            raise PublishFailed(f"{self._config.broker}: the connection has ended")
        await self._publisher.publish(envelopes)

    def explain(self, error: BaseException) -> str:
        """Say in one line why the session could not be opened or ended, and what to do."""
        return explain(error, self._config)

    def is_acknowledgement_timeout(self, error: BaseException) -> bool:
        """Tell whether the broker lost patience with messages that we hold."""
        return is_acknowledgement_timeout(error)

    async def _attached(self) -> Receiver:
        """Give the link that receives, as durable as the queue: RabbitMQ may declare it by that."""
        if self._connection is None or self.ended.done():
            raise BrokerGone("the connection has ended")
        if self._receiver is None:
            async with asyncio.timeout(self._config.connect_timeout):
                self._receiver = await self._connection.receiver(
                    self._source,
                    on_transfer=self._on_transfer,
                    on_too_large=self._on_too_large,
                    name=f"{self._source} {uuid4().hex[:8]}",
                    durable=self._config.durable,
                )
            self._receiver.ended.add_done_callback(lambda done: self._end(done.result()))
            if self._config.heartbeat and not self._product.makes_queue(self._source):
                watch = Watch(
                    self._connection,
                    self._receiver,
                    address=self._source,
                    durable=self._config.durable,
                    heard=lambda: self.received,
                    quiet=self._config.heartbeat,
                    deaf_after=_DEAF_AFTER * self._config.connect_timeout,
                )
                self._watching = asyncio.create_task(
                    watch.until_dead(), name=f"{self._name} watches its link"
                )
                self._watching.add_done_callback(self._on_watched)
        return self._receiver

    def _on_watched(self, watching: asyncio.Task[Amqp10Error]) -> None:
        if not watching.cancelled():
            error = watching.exception()
            self._end(error if isinstance(error, Exception) else watching.result())

    def _on_transfer(self, transfer: Transfer) -> None:
        """Take one message in, as a task; the tasks of all begin in the order of arrival."""
        self._arrived()
        task = asyncio.create_task(
            self._take(partial(self._message, transfer), partial(self._give_back, transfer))
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _message(self, transfer: Transfer) -> RawMessage:
        content = read_transfer(transfer.encoded)
        subject = content.properties.get("subject")
        return RawMessage(
            body=content.body,
            content_type=content.content_type,
            content_encoding=content.content_encoding,
            transport=self._name,
            address=subject if isinstance(subject, str) and subject else self._source,
            properties=content.properties,
            received_at=datetime.now(UTC),
            ack=partial(self._acknowledge, transfer),
            release=partial(self._release, transfer),
        )

    async def _acknowledge(self, transfer: Transfer) -> None:
        """Accept a message. Only notes it: the bus must not wait for a network."""
        if self.ended.done():
            self._tally.late += 1
            log.debug("acknowledgement came after the connection had ended", transport=self._name)
        elif transfer.settle(Outcome.ACCEPTED):
            self._acknowledged += 1
            self._tally.acknowledged += 1

    async def _release(self, transfer: Transfer) -> None:
        self._give_back(transfer)

    def _give_back(self, transfer: Transfer) -> None:
        """Release a message: not rejected, which would drop it."""
        if transfer.settle(Outcome.RELEASED):
            self._tally.released += 1

    def _on_refusal(self, error: JournalError) -> None:
        if self._receiver is not None:
            self._receiver.shut_window()  # what is released now must not come back at once
        super()._on_refusal(error)

    def _on_too_large(self, size: int) -> None:
        log.error(
            "a message is larger than anything that can be read; it was rejected",
            transport=self._name,
            address=self._source,
            bytes=size,
        )
