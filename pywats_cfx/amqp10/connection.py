"""A connection to the other side of AMQP 1.0, from opening to end, with the links on it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Final, Self
from uuid import uuid4

from proton import Endpoint, Session, Terminus, symbol
from proton import Link as ProtonLink

from pywats_cfx.amqp10.engine import Engine, EngineHandler, remote_error
from pywats_cfx.amqp10.errors import Amqp10Error, ConnectionLost, RemoteError
from pywats_cfx.amqp10.links import Link, Receiver, Sender, Transfer
from pywats_cfx.amqp10.sasl import ClientLogin

#: More than any message that the codec reads; what is between the two becomes a dead letter with its bytes.
MAX_MESSAGE_BYTES: Final = 256 * 1024 * 1024


class Connection(EngineHandler):
    """A connection that we opened.

    Attributes:
        opened: done when the other side has opened it as well; fails with the reason when it does not.
        ended: done, with the reason, when the connection has ended.
        properties: what the other side says of itself (``product``, ``version`` for instance).
    """

    def __init__(
        self, *, login: ClientLogin | None, container: str, hostname: str | None, idle_timeout: float
    ) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[Exception] = loop.create_future()
        self.properties: dict[str, Any] = {}
        self.opened.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._links: list[Link] = []
        self._engine = Engine(self, login=login, idle_timeout=idle_timeout)
        proton = self._engine.connection
        proton.container = container
        if hostname is not None:
            proton.hostname = hostname
        proton.properties = {symbol("product"): "pywats-bridge"}
        proton.open()

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        *,
        login: ClientLogin | None,
        container: str,
        hostname: str | None = None,
        tls: ssl.SSLContext | None = None,
        idle_timeout: float = 0.0,
        timeout: float = 10.0,  # noqa: ASYNC109  # a limit of its own on each step would say nothing to users
    ) -> Self:
        """Connect, log in, and open.

        Args:
            host: name or address.
            port: TCP port.
            login: who we are; None skips SASL.
            container: our name for the connection (in CFX: our handle).
            hostname: what ``open`` names as host: ``vhost:NAME`` chooses RabbitMQ's virtual host.
            tls: for an encrypted connection. Nothing is sent before its handshake is over, which may look at
                more than certificates.
            idle_timeout: seconds of silence that end it; 0 for never.
            timeout: seconds for all of it.

        Raises:
            OSError: no connection (``ssl.SSLError`` is one, ``TimeoutError`` another).
            Amqp10Error: the other side refuses, or does not speak AMQP 1.0.
        """
        loop = asyncio.get_running_loop()
        connection = cls(login=login, container=container, hostname=hostname, idle_timeout=idle_timeout)
        engine = connection._engine
        try:
            async with asyncio.timeout(timeout):
                await loop.create_connection(
                    lambda: engine,
                    host,
                    port,
                    ssl=tls,
                    server_hostname=host if tls is not None else None,
                )
                await connection.opened
        except BaseException as error:
            engine.end(error if isinstance(error, Exception) else ConnectionLost("given up"))
            raise
        return connection

    async def receiver(
        self,
        address: str,
        *,
        on_transfer: Callable[[Transfer], None],
        on_too_large: Callable[[int], None] | None = None,
        name: str | None = None,
        target: str | None = None,
        durable: bool = False,
        copies: bool = False,
        max_bytes: int = MAX_MESSAGE_BYTES,
        beside: Link | None = None,
    ) -> Receiver:
        """Attach a link that receives; messages come when its window is opened.

        Args:
            address: where messages come from, as the other side names it.
            on_transfer: hears of each message.
            on_too_large: hears of the size of a message above ``max_bytes``, which is rejected.
            name: of the link; two of one name on connections of one container collide. Default: the address.
            target: address of our own end, for answers that are to find it.
            durable: the source is to outlive the connection (RabbitMQ declares ``/queue/NAME`` by it).
            copies: ask for copies, which leave the messages to others; ``Receiver.gives_copies`` tells
                whether the other side grants it.
            max_bytes: the largest message that is taken.
            beside: a link whose session this one shares. Default: a session of its own.

        Raises:
            RemoteError: the other side refuses the link; its words say why.
            ConnectionLost: the connection ended meanwhile.
        """
        session = self._session() if beside is None else beside.session
        link = session.receiver(name or address)
        link.source.address = address
        if durable:
            link.source.durability = Terminus.CONFIGURATION
        if copies:
            link.source.distribution_mode = Terminus.DIST_MODE_COPY
        if target is not None:
            link.target.address = target
        receiver = Receiver(
            self._engine,
            link,
            address,
            on_transfer=on_transfer,
            max_bytes=max_bytes,
            on_too_large=on_too_large,
        )
        await self._attach(link, receiver)
        return receiver

    async def look(self, address: str, *, durable: bool = False, beside: Link | None = None) -> None:
        """Attach a link that takes no message, and detach it. The other side must answer both.

        Args:
            address: where messages would come from.
            durable: as for ``receiver``.
            beside: a link whose session is asked. Default: a session of its own.

        Raises:
            RemoteError: nothing can be read from there.
            ConnectionLost: the connection ended meanwhile.
        """
        receiver = await self.receiver(
            address,
            on_transfer=_leave,
            name=f"{address} look {uuid4().hex[:8]}",
            durable=durable,
            beside=beside,
        )
        await receiver.detach()
        reason = receiver.ended.result()
        if self.ended.done():
            raise _as_error(reason)
        session = receiver.session
        receiver.forget()
        if beside is None:
            self._end_session(session)
        if isinstance(reason, RemoteError) and reason.condition:
            raise reason

    async def sender(self, address: str | None, *, name: str | None = None, settled: bool = False) -> Sender:
        """Attach a link that sends.

        Args:
            address: where messages go, as the other side names it.
            name: of the link. Default: the address.
            settled: don't wait for outcomes.

        Raises:
            RemoteError: the other side refuses the link.
            ConnectionLost: the connection ended meanwhile.
        """
        session = self._session()
        link = session.sender(name or address or "sender")
        if address is not None:
            link.target.address = address
        link.snd_settle_mode = ProtonLink.SND_SETTLED if settled else ProtonLink.SND_UNSETTLED
        sender = Sender(self._engine, link, address)
        try:
            await self._attach(link, sender)
        except BaseException:
            self._end_session(session)  # who tries again needs another one, and a connection has few
            raise
        return sender

    def leave(self, sender: Sender) -> None:
        """Detach a link that sends and end its session, without waiting for an answer to either."""
        session = sender.session
        sender.close()
        self._end_session(session)

    async def close(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109  # how long to be polite
        """Say goodbye, and leave when the other side has answered or the time is over."""
        if not self._engine.is_over:
            self._engine.connection.close()
            self._engine.wake()
            await asyncio.wait([self._engine.closed], timeout=timeout)
            self._engine.end(ConnectionLost("closed by us"))
        await asyncio.wait([self._engine.closed])

    def _session(self) -> Session:
        """A new session, for one link: RabbitMQ ends the whole session for an error of one link."""
        if self.ended.done():
            raise _as_error(self.ended.result())
        session = self._engine.connection.session()
        session.open()
        return session

    def _end_session(self, session: Session) -> None:
        """End a session whose links are of no use any more; the answer to that sets its place free."""
        self._links = [link for link in self._links if link.session != session]
        if not self.ended.done() and session.state & Endpoint.LOCAL_ACTIVE:
            session.close()
            self._engine.wake()

    async def _attach(self, link: ProtonLink, ours: Link) -> None:
        link.peer = ours
        self._links.append(ours)
        link.open()
        self._engine.wake()
        try:
            await ours.opened
        except RemoteError:
            ours.forget()
            raise

    # what proton tells

    def on_connection_remote_open(self, event: Any) -> None:
        """Take note that the connection is open on both sides."""
        properties = event.connection.remote_properties
        self.properties = {str(name): value for name, value in (properties or {}).items()}
        if not self.opened.done():
            self.opened.set_result(None)

    def on_session_remote_close(self, event: Any) -> None:
        """Take note that a session ended; its links are gone with it."""
        if event.session.state & Endpoint.LOCAL_CLOSED:  # we ended it, and need nothing of it any more
            event.session.free()
            return
        reason = remote_error("session", event.session.remote_condition)
        for link in [one for one in self._links if one.session == event.session]:
            self._end_link(link, reason)
        event.session.close()

    def on_link_remote_open(self, event: Any) -> None:
        """Take note that the other side attached a link; one without a terminus is about to be refused."""
        link = event.link
        ours = getattr(link, "peer", None)
        remote = link.remote_source if link.is_receiver else link.remote_target
        if ours is not None and remote.type != Terminus.UNSPECIFIED:
            ours.on_opened()

    def on_link_remote_close(self, event: Any) -> None:
        """Take note that the other side detached a link for good."""
        self._end_link(getattr(event.link, "peer", None), remote_error("link", event.link.remote_condition))
        event.link.close()

    def on_link_remote_detach(self, event: Any) -> None:
        """Take note that the other side detached a link; we don't wait for it to come back."""
        self.on_link_remote_close(event)

    def on_link_flow(self, event: Any) -> None:
        """Hand on what was said of credit."""
        ours = getattr(event.link, "peer", None)
        if ours is not None:
            ours.on_flow()

    def on_delivery(self, event: Any) -> None:
        """Hand on a message, or an outcome."""
        ours = getattr(event.link, "peer", None)
        if ours is not None:
            ours.on_delivery(event.delivery)

    def on_ended(self, reason: Exception) -> None:
        """Tell all who wait."""
        if not self.ended.done():
            self.ended.set_result(reason)
        if not self.opened.done():
            self.opened.set_exception(reason)
        for link in self._links:
            link.on_ended(_as_error(reason))
        self._links.clear()

    def _end_link(self, link: Link | None, reason: RemoteError) -> None:
        if link is not None:
            link.on_ended(reason)
            if link in self._links:
                self._links.remove(link)


def _leave(_: Transfer) -> None:
    """Leave a message as it is: it is not settled, so it goes back."""


def _as_error(reason: Exception) -> Amqp10Error:
    if isinstance(reason, Amqp10Error):
        return reason
    error = ConnectionLost(str(reason))
    error.__cause__ = reason
    return error
