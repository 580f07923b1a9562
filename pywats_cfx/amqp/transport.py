"""The CFX transport over AMQP 0-9-1: one queue of a RabbitMQ, read through every outage of the broker."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import structlog

from pywats_cfx.amqp.backoff import Backoff
from pywats_cfx.amqp.caution import Caution
from pywats_cfx.amqp.tally import Tally
from pywats_cfx.amqp091.session import Session, is_cancelled
from pywats_cfx.amqp091.troubles import (
    BrokerGone,
    IntakeFailed,
    blocked,
    explain,
    is_acknowledgement_timeout,
    is_unreadable,
)
from pywats_cfx.config import AMQPConfig, CFXConfig
from pywats_events.message import Adapter
from pywats_events.transports.base import BaseTransport, Intake

log = structlog.get_logger(__name__)

#: A message that ends connections comes at once; a session that is older may read on.
_PROBATION_SECONDS: Final = 1.0
#: So many messages one at a time, all acknowledged, and reading goes on at full width.
_PROOF: Final = 20


class CFXTransport(BaseTransport):
    """Receives CFX messages from a queue.

    A supervisor task connects, reads until the session ends, says why, waits, and connects again. Messages
    are acknowledged only through ``RawMessage.ack``; what is not acknowledged when a connection ends is
    delivered again by the broker.

    Args:
        config: broker, queue and our handle.
        name: identity among the transports of a bus.
        adapter: reads the messages. Default: ``pywats_cfx.adapter.cfx_adapter``.

    Attributes:
        connected: True while messages can come.
        last_error: why they could not the last time, and what to do; None when there never was a reason.
        tally: what was received and acknowledged so far.
    """

    def __init__(self, config: CFXConfig, *, name: str = "cfx", adapter: Adapter | None = None) -> None:
        self.config = config
        self.name = name
        self.adapter = adapter or _default_adapter()
        self.connected = False
        self.last_error: str | None = None
        self.tally = Tally()
        self._announced: bool | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._session: Session | None = None
        self._caution = Caution()
        amqp = config.amqp
        self._backoff = Backoff(initial=amqp.reconnect_initial_delay, maximum=amqp.reconnect_max_delay)

    @property
    def amqp(self) -> AMQPConfig:
        """The broker and the queue."""
        return self.config.amqp

    @property
    def blocked(self) -> bool:
        """True while the message at the head of the queue can't be read over AMQP 0-9-1."""
        return self._caution.blocked

    async def start(self, intake: Intake) -> None:
        """Begin to connect and to read."""
        _quieten_library()
        self._supervisor = asyncio.create_task(self._supervise(intake), name=f"transport {self.name}")

    async def stop(self) -> None:
        """Read no more and give back what the intake does not have. What it has can still be acknowledged."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.cancel()
            await asyncio.wait([supervisor])
        if self._session is not None:
            await self._session.pause()
        self.connected = False

    async def close(self) -> None:
        """Send the last acknowledgements and leave the broker."""
        await self.stop()
        await self._end_session()

    async def _supervise(self, intake: Intake) -> None:
        trouble: Exception | None = None
        while True:
            try:
                if trouble is not None:
                    reason, trouble = trouble, None
                    await self._lost(reason, intake)
                    await asyncio.sleep(self._backoff.next())
                await self._read(intake)
            except asyncio.CancelledError:
                if is_cancelled():
                    raise
                trouble = BrokerGone("the connection ended")
            except Exception as error:  # noqa: BLE001  # the one place: whatever ends a session, another follows
                trouble = error

    async def _read(self, intake: Intake) -> None:
        """Run one session. Raises what ended it."""
        session = self._session = Session(self.amqp, name=self.name, receive=intake.receive, tally=self.tally)
        await session.open()
        self.tally.connections += 1
        while True:
            gentle = self._caution.gentle
            await session.consume(prefetch=1 if gentle else self.amqp.prefetch)
            await self._settle_in(session, gentle=gentle)
            await self._announce_connected(intake)
            if gentle:
                await self._prove(session)
            else:
                await _first(session.ended, session.refused)
            if session.ended.done():
                raise session.ended.result()
            if session.refused.done():
                await self._wait_for_journal(session)

    async def _settle_in(self, session: Session, *, gentle: bool) -> None:
        """Believe in a session only when the message that ended the last one does not end it too."""
        if gentle:
            await _first(session.ended, session.stirred, timeout=_PROBATION_SECONDS)
        if session.ended.done():
            raise session.ended.result()
        self._caution.alive()

    async def _prove(self, session: Session) -> None:
        """Read one message at a time until enough of them went through."""
        enough = session.acknowledged + _PROOF
        while session.acknowledged < enough:
            await _first(session.ended, session.refused, timeout=_PROBATION_SECONDS)
            if session.ended.done() or session.refused.done():
                return
        self._caution.proved()
        self._backoff.reset()

    async def _wait_for_journal(self, session: Session) -> None:
        """Leave the messages with the broker while the journal takes none."""
        reason = session.refused.result()
        self.last_error = f"reading pauses, the journal refuses messages: {reason}"
        log.warning("reading pauses: the journal refuses messages", transport=self.name, reason=str(reason))
        self._caution.stuck()
        await session.pause()
        await _first(session.ended, timeout=self._backoff.next())

    async def _announce_connected(self, intake: Intake) -> None:
        self.connected = True
        if self._announced:
            return
        self._announced = True
        await intake.connected(self.name, f'queue "{self.amqp.queue}" at {self.amqp.address}')

    async def _lost(self, error: Exception, intake: Intake) -> None:
        """Say why the session ended, in one line for each reason, and let it go."""
        self.connected = False
        if self._session is not None:
            error = self._learn(self._session, error)
        reason = blocked(self.amqp) if self._caution.blocked else explain(error, self.amqp)
        is_news = self._announced is not False
        if isinstance(error, IntakeFailed):
            log.error("taking a message in failed", transport=self.name, exc_info=error)
        elif not is_news and reason != self.last_error:
            # The first reason is told by the intake; this is another one, found while trying again.
            log.warning("still not connected", transport=self.name, reason=reason)
        self.last_error = reason
        await self._end_session()
        if is_news:
            self._announced = False
            await intake.disconnected(self.name, reason)

    def _learn(self, session: Session, error: Exception) -> Exception:
        """Draw from the end of a session how to read on; give the error that it ended with."""
        if session.ended.done():
            error = session.ended.result()  # the first reason; the error may be what followed from it
        if is_unreadable(error) and not session.reading:
            error = BrokerGone(f"{type(error).__name__}: {error}")
        if is_unreadable(error):
            self._caution.unreadable(received=session.received)
            return error
        if is_acknowledgement_timeout(error):
            self._caution.stuck()
        if session.acknowledged or session.age > self.amqp.reconnect_max_delay:
            self._backoff.reset()
        return error

    async def _end_session(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _first(*events: asyncio.Future[Any], timeout: float | None = None) -> None:  # noqa: ASYNC109  # of a wait
    """Wait for one of several futures, or for the time to pass."""
    await asyncio.wait(events, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)


def _default_adapter() -> Adapter:
    from pywats_cfx.adapter import cfx_adapter  # noqa: PLC0415  # the adapter knows the whole catalogue of CFX

    return cfx_adapter


def _quieten_library() -> None:
    """Silence the library's own account of each connection, with tracebacks, unless somebody asked for it."""
    library = logging.getLogger("aiormq")
    if library.level == logging.NOTSET:
        library.setLevel(logging.CRITICAL)
