"""The CFX transport: one queue of a broker, read through every outage, over either version of AMQP."""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import Any, Final

import structlog

from pywats_cfx.amqp.backoff import Backoff
from pywats_cfx.amqp.caution import Caution
from pywats_cfx.amqp.relief import Relief
from pywats_cfx.amqp.session import Session, is_cancelled
from pywats_cfx.amqp.tally import Tally
from pywats_cfx.amqp.troubles import BrokerGone, IntakeFailed, PublishFailed, without_name
from pywats_cfx.amqp10 import require_proton
from pywats_cfx.config import AMQPConfig, CFXConfig
from pywats_cfx.envelope import CFXEnvelope
from pywats_events.message import Adapter
from pywats_events.transports.base import BaseTransport, Intake

log = structlog.get_logger(__name__)

#: A message that ends connections comes at once; a session that is older may read on.
_PROBATION_SECONDS: Final = 1.0
#: So many messages one at a time, all acknowledged, and reading goes on with more.
_PROOF: Final = 20
#: Where deliveries are counted, each step holds so many times more than the one before.
_WIDER: Final = 8

#: Where each protocol has its session; the library of the other one is not loaded.
_SESSIONS: Final = {
    "1.0": ("pywats_cfx.amqp10.session", "Session10"),
    "0-9-1": ("pywats_cfx.amqp091.session", "Session091"),
}


class CFXTransport(BaseTransport):
    """Receives CFX messages from a queue, and publishes some of our own.

    A supervisor task connects, reads until the session ends, says why, waits, and connects again, to the next
    broker where there are several. Messages are acknowledged only through ``RawMessage.ack``; what is not
    acknowledged when a connection ends is delivered again by the broker.

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
        self._brokers = config.amqp.brokers
        self._turn = 0
        self._reached = False
        self._reasons: dict[int, str] = {}
        self._hints: set[str] = set()
        self._relief = Relief(name=name, handle=config.endpoint.cfx_handle, tally=self.tally)
        amqp = config.amqp
        self._backoff = Backoff(initial=amqp.reconnect_initial_delay, maximum=amqp.reconnect_max_delay)

    @property
    def amqp(self) -> AMQPConfig:
        """The broker in use, or to be tried next, and the queue."""
        return self._brokers[self._turn]

    @property
    def blocked(self) -> bool:
        """True while the message at the head of the queue can't be read over AMQP 0-9-1."""
        return self._caution.blocked

    async def start(self, intake: Intake) -> None:
        """Begin to connect and to read."""
        _quieten_library()
        self._supervisor = asyncio.create_task(self._supervise(intake), name=f"transport {self.name}")

    async def publish(self, *envelopes: CFXEnvelope) -> None:
        """Publish each envelope as a message, and wait until the broker has them.

        Raises:
            PublishFailed: there is no connection, or the broker did not take one of them.
        """
        session = self._session
        if session is None or not session.usable or session.ended.done():
            reason = f": {without_name(self.last_error, self.amqp)}" if self.last_error else ""
            raise PublishFailed(f"nothing can be published, {self.amqp.broker} is not connected{reason}")
        await session.publish(envelopes)

    async def stop(self) -> None:
        """Read no more and give back what the intake does not have. What it has can still be acknowledged."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.cancel()
            await asyncio.wait([supervisor])
        if self._session is not None:
            await self._session.pause()
        await self._relief.pause()
        self.connected = False

    async def close(self) -> None:
        """Send the last acknowledgements and leave the broker."""
        await self.stop()
        await self._end_session()
        await self._relief.close()

    async def _supervise(self, intake: Intake) -> None:
        trouble: Exception | None = None
        while True:
            try:
                if trouble is not None:
                    reason, trouble = trouble, None
                    await self._lost(reason, intake)
                    await self._before_the_next(intake)
                await self._read(intake)
            except asyncio.CancelledError:
                if is_cancelled():
                    raise
                trouble = BrokerGone("the connection ended")
            except Exception as error:  # noqa: BLE001  # the one place: whatever ends a session, another follows
                trouble = error

    async def _read(self, intake: Intake) -> None:
        """Run one session. Raises what ended it."""
        self._reached = False
        session = self._session = _session_type(self.amqp)(
            self.amqp,
            name=self.name,
            handle=self.config.endpoint.cfx_handle,
            receive=intake.receive,
            tally=self.tally,
        )
        await session.open()
        self.tally.connections += 1
        self._tell(session.hints)
        proved = not self.amqp.counts_deliveries
        while True:
            gentle = self._caution.gentle
            await session.consume(prefetch=1 if gentle or not proved else self.amqp.prefetch)
            await self._settle_in(session, gentle=gentle)
            await self._announce_connected(intake)
            if gentle or not proved:
                proved = await self._prove(session)
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

    async def _prove(self, session: Session) -> bool:
        """Read one message at a time until enough of them went through; True when they did.

        Where deliveries are counted, reading widens in steps: whatever ends us, and however often, counts
        against few messages more than those that we have just taken in.
        """
        window = 1
        while True:
            enough = session.acknowledged + max(_PROOF, window)
            while session.acknowledged < enough:
                await _first(session.ended, session.refused, timeout=_PROBATION_SECONDS)
                if session.ended.done() or session.refused.done():
                    return False
            window *= _WIDER
            if not self.amqp.counts_deliveries or window >= self.amqp.prefetch:
                break
            await session.consume(prefetch=window)
        self._caution.proved()
        self._backoff.reset()
        return True

    async def _wait_for_journal(self, session: Session) -> None:
        """Leave the messages with the broker while the journal takes none."""
        reason = session.refused.result()
        self.last_error = f"reading pauses, the journal refuses messages: {reason}"
        log.warning("reading pauses: the journal refuses messages", transport=self.name, reason=str(reason))
        self._caution.stuck()
        await session.pause()
        await _first(session.ended, timeout=self._backoff.next())

    async def _announce_connected(self, intake: Intake) -> None:
        self.connected = self._reached = True
        self._reasons.clear()
        if self._announced:
            return
        self._announced = True
        await intake.connected(self.name, f"{_source(self.amqp)} at {self.amqp.broker}")

    async def _lost(self, error: Exception, intake: Intake) -> None:
        """Say why the session ended, in one line for each reason, and let it go."""
        self.connected = False
        reason = str(error)
        if self._session is not None:
            error = self._learn(self._session, error)
            reason = self._session.explain(error)
        is_news = self._announced is not False
        if isinstance(error, IntakeFailed):
            log.error("taking a message in failed", transport=self.name, exc_info=error)
        elif not is_news and reason != self._reasons.get(self._turn):
            # The first reason is told by the intake; this is another one, found while trying again.
            log.warning("still not connected", transport=self.name, reason=reason)
        self.last_error = self._reasons[self._turn] = reason
        await self._end_session()
        if is_news:
            self._announced = False
            await intake.disconnected(self.name, reason)

    async def _before_the_next(self, intake: Intake) -> None:
        """Take out what blocks the queue, choose the broker to try next, and wait before a round begins."""
        if self._caution.blocked:
            if await self._relieved(intake):
                return
        elif self._reached:
            self._turn = 0
        else:
            self._turn = (self._turn + 1) % len(self._brokers)
            if self._turn > 0:
                return
        await asyncio.sleep(self._backoff.next())

    async def _relieved(self, intake: Intake) -> bool:
        """Take the message that AMQP 0-9-1 can't carry out of the queue; True when that went well."""
        reason = await self._relief.take_one(self.amqp, intake.receive)
        if reason is None:
            self._caution.relieved()
            return True
        if reason != self._reasons.get(self._turn):
            log.warning("still not connected", transport=self.name, reason=reason)
        self.last_error = self._reasons[self._turn] = reason
        return False

    def _learn(self, session: Session, error: Exception) -> Exception:
        """Draw from the end of a session how to read on; give the error that it ended with."""
        if session.ended.done():
            error = session.ended.result()  # the first reason; the error may be what followed from it
        if session.is_unreadable(error) and not session.reading:
            error = BrokerGone(f"{type(error).__name__}: {error}")
        if session.is_unreadable(error):
            self._caution.unreadable(received=session.received)
            return error
        if session.is_acknowledgement_timeout(error):
            self._caution.stuck()
        if session.acknowledged or session.age > self.amqp.reconnect_max_delay:
            self._backoff.reset()
        return error

    def _tell(self, hints: list[str]) -> None:
        """Tell each hint once, however often we connect."""
        for hint in hints:
            if hint not in self._hints:
                self._hints.add(hint)
                log.warning(hint, transport=self.name)

    async def _end_session(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _first(*events: asyncio.Future[Any], timeout: float | None = None) -> None:  # noqa: ASYNC109  # of a wait
    """Wait for one of several futures, or for the time to pass."""
    await asyncio.wait(events, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)


def _source(config: AMQPConfig) -> str:
    return f'queue "{config.queue}"' if config.address is None else f'address "{config.address}"'


def _session_type(config: AMQPConfig) -> type[Session]:
    """Give the session for the protocol.

    Raises:
        ProtonMissing: it is AMQP 1.0, and its library is not installed.
    """
    if config.protocol == "1.0":
        require_proton()
    module, name = _SESSIONS[config.protocol]
    session: type[Session] = getattr(import_module(module), name)
    return session


def _default_adapter() -> Adapter:
    from pywats_cfx.adapter import cfx_adapter  # noqa: PLC0415  # the adapter knows the whole catalogue of CFX

    return cfx_adapter


def _quieten_library() -> None:
    """Silence the library's own account of each connection, with tracebacks, unless somebody asked for it."""
    library = logging.getLogger("aiormq")
    if library.level == logging.NOTSET:
        library.setLevel(logging.CRITICAL)
