"""Takes a message that AMQP 0-9-1 can't carry out of its queue over AMQP 1.0, which carries every message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog

from pywats_cfx.amqp.tally import Tally
from pywats_cfx.amqp.troubles import BrokerGone, IntakeFailed, without_name
from pywats_cfx.amqp10 import ProtonMissing, require_proton
from pywats_cfx.config import AMQPConfig
from pywats_events.message import RawMessage

if TYPE_CHECKING:
    from pywats_cfx.amqp10.session import Session10

log = structlog.get_logger(__name__)


class Relief:
    """Relieves a queue of the message at its head, one at a time.

    A message that is taken in and not acknowledged yet is held by its connection, which stays open till then.

    Args:
        name: name of the transport.
        handle: who we are to other CFX endpoints.
        tally: where to count.
    """

    def __init__(self, *, name: str, handle: str, tally: Tally) -> None:
        self._name = name
        self._handle = handle
        self._tally = tally
        self._sessions: list[Session10] = []

    async def take_one(
        self, config: AMQPConfig, receive: Callable[[RawMessage], Awaitable[None]]
    ) -> str | None:
        """Hand the message at the head of the queue to the intake.

        Returns:
            None when it was taken, or is gone; else why the queue is still blocked, and what to do.
        """
        await self._let_go()
        try:
            require_proton()
        except ProtonMissing as error:
            return _still_blocked(config, str(error))
        # the other protocol's library, for those only whose queue is blocked
        from pywats_cfx.amqp10.errors import Amqp10Error  # noqa: PLC0415
        from pywats_cfx.amqp10.session import Session10  # noqa: PLC0415

        session = Session10(
            config.model_copy(update={"declare_queue": False}),
            name=self._name,
            handle=self._handle,
            receive=receive,
            tally=self._tally,
        )
        self._sessions.append(session)
        try:
            await session.open()
            await session.take_one()
        except (Amqp10Error, BrokerGone, IntakeFailed, OSError) as error:
            reason = session.explain(error)
        else:
            reason = f"the journal refuses it: {session.refused.result()}" if session.refused.done() else ""
        if reason:
            await self._drop(session)
            return _still_blocked(config, reason)
        if session.received:
            log.warning(
                "a message that AMQP 0-9-1 cannot carry was taken out of the queue over AMQP 1.0",
                transport=self._name,
                queue=config.queue,
            )
        await self._let_go()
        return None

    async def pause(self) -> None:
        """Take nothing more; what was taken in can still be acknowledged."""
        for session in self._sessions:
            await session.pause()

    async def close(self) -> None:
        """Leave the broker; what is not acknowledged goes back to the queue."""
        while self._sessions:
            await self._drop(self._sessions[-1])

    async def _let_go(self) -> None:
        """Leave with those connections whose message is acknowledged."""
        for session in [one for one in self._sessions if one.unsettled == 0 or one.ended.done()]:
            await self._drop(session)

    async def _drop(self, session: Session10) -> None:
        await session.close()
        self._sessions.remove(session)


def _still_blocked(config: AMQPConfig, reason: str) -> str:
    return (
        f'queue "{config.queue}" at {config.broker} is blocked: the message at its head cannot be read over '
        "AMQP 0-9-1 and ends the connection each time. An AMQP 1.0 sender gave it a message-id or "
        "correlation-id that is not a short text, or a creation-time outside of 1970 to 9999. It could not "
        f"be taken out over AMQP 1.0 ({without_name(reason, config)}): make that possible, take it out at "
        f"address /amq/queue/{config.queue}, or purge the queue; the messages behind it are waiting and are "
        "not lost"
    )
