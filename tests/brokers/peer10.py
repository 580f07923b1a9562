"""The other side of an AMQP 1.0 connection in a test's own hands: well-behaved at first, then as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from proton import Condition

from pywats_cfx.amqp10.engine import Engine, EngineHandler
from pywats_cfx.amqp10.sasl import ServerLogin


class FakePeer(EngineHandler):
    """One connection to us: opens, begins and attaches whatever the client does.

    Attributes:
        attached: done when the first link is attached.
        sessions: how many were begun.
        detached: how many links were detached by the client.
        ended: how many sessions were ended by the client.
        published: the messages that the client has sent, encoded.
    """

    def __init__(self, product: str, version: str, queues: frozenset[str]) -> None:
        self.engine = Engine(self, login=ServerLogin(), server=True)
        self.engine.connection.container = "peer"
        self.engine.connection.properties = {"product": product, "version": version}
        self.attached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sessions = 0
        self.detached = 0
        self.ended = 0
        self.published: list[bytes] = []
        self._queues = queues
        self._link: Any = None
        self._dead: Any = None
        self._publishing: Any = None
        self._held: list[Callable[[], None]] | None = None
        self._changed = asyncio.Event()

    def on_connection_remote_open(self, event: Any) -> None:
        """Open as well."""
        event.connection.open()

    def on_session_remote_open(self, event: Any) -> None:
        """Begin as well."""
        session = event.session
        self._note(sessions=1)
        self._answer(session.open)

    def on_link_remote_open(self, event: Any) -> None:
        """Attach as well, unless nobody knows the address."""
        link = event.link
        if link.session != self._dead:
            self._answer(lambda: self._attach(link))

    def _attach(self, link: Any) -> None:
        self._link = self._link or link
        address = link.remote_source.address
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.open()
        if link.is_sender and address not in self._queues:
            link.condition = Condition("amqp:not-found", f"no queue {address}")
            link.close()
        elif link.is_receiver:
            link.flow(100)
        elif not self.attached.done():
            self.attached.set_result(None)

    def on_delivery(self, event: Any) -> None:
        """Accept what the client sends, unless its session is dead."""
        delivery, link = event.delivery, event.link
        if link.is_receiver and link.session != self._dead and not delivery.partial:
            self._publishing = link
            self.published.append(link.recv(delivery.pending) or b"")
            delivery.update(delivery.ACCEPTED)
            delivery.settle()
            link.advance()
            link.flow(1)

    def on_link_remote_close(self, event: Any) -> None:
        """Detach as well."""
        link = event.link
        if link.session != self._dead:
            self._note(detached=1)
            self._answer(link.close)

    def on_session_remote_close(self, event: Any) -> None:
        """End as well."""
        self._note(ended=1)
        if event.session != self._dead:
            event.session.close()

    def on_connection_remote_close(self, event: Any) -> None:
        """Close as well."""
        event.connection.close()

    def detach(self, condition: str, description: str) -> None:
        """End the link for a reason."""
        self._link.condition = Condition(condition, description)
        self._link.close()
        self.engine.wake()

    def deliver(self, encoded: bytes) -> None:
        """Send a message over the first link."""
        self._link.delivery("1")
        self._link.stream(encoded)
        self._link.advance()
        self.engine.wake()

    def forget_queues(self) -> None:
        """Know no queue any more, and say so to those only who ask."""
        self._queues = frozenset()

    def let_session_die(self) -> None:
        """Answer nothing any more in the session of the first link."""
        self._dead = self._link.session

    def let_publishing_die(self) -> None:
        """Answer nothing any more in the session over which the client published last."""
        self._dead = self._publishing.session

    def refuse_publishing(self) -> None:
        """Detach the link over which the client published last; its session stays."""
        self._publishing.condition = Condition("amqp:link:detach-forced", "maintenance")
        self._publishing.close()
        self.engine.wake()

    def hold(self) -> None:
        """Leave what is asked unanswered, all over the connection. Signs of life go on."""
        self._held = []

    def go_on(self) -> None:
        """Answer what was left unanswered."""
        held, self._held = self._held or [], None
        for answer in held:
            answer()
        self.engine.wake()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds; it is looked at when a session begins or ends, or a link goes."""
        async with asyncio.timeout(30):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _note(self, *, sessions: int = 0, detached: int = 0, ended: int = 0) -> None:
        self.sessions += sessions
        self.detached += detached
        self.ended += ended
        self._changed.set()

    def _answer(self, answer: Callable[[], None]) -> None:
        if self._held is None:
            answer()
        else:
            self._held.append(answer)

    def fall_silent(self) -> None:
        """Stay connected, and send nothing any more, not even signs of life."""
        self.engine.pause_writing()

    def send_bytes(self, data: bytes) -> None:
        """Send bytes past the protocol."""
        socket: Any = self.engine._socket
        socket.write(data)

    def vanish(self) -> None:
        """Cut the connection."""
        self.engine.end(ConnectionResetError())


class Peers:
    """All connections that were made to a port, oldest first.

    Attributes:
        port: where it listens.
    """

    def __init__(self, product: str, version: str, queues: frozenset[str]) -> None:
        self.port = 0
        self._product = product
        self._version = version
        self._queues = queues
        self._all: asyncio.Queue[FakePeer] = asyncio.Queue()
        self._made: list[FakePeer] = []

    def make(self) -> Engine:
        """Make the next one."""
        peer = FakePeer(self._product, self._version, self._queues)
        self._made.append(peer)
        self._all.put_nowait(peer)
        return peer.engine

    async def next(self) -> FakePeer:
        """Give the next one whose client has attached a link."""
        async with asyncio.timeout(20):
            peer = await self._all.get()
            await peer.attached
            return peer

    def end(self) -> None:
        """Cut all connections."""
        for peer in self._made:
            peer.vanish()


@asynccontextmanager
async def listening(
    *, product: str = "SomeBroker", version: str = "", queues: tuple[str, ...] = ("q",)
) -> AsyncIterator[Peers]:
    """Listen for connections at a port of loopback."""
    peers = Peers(product, version, frozenset(queues))
    server = await asyncio.get_running_loop().create_server(peers.make, "127.0.0.1", 0)
    peers.port = server.sockets[0].getsockname()[1]
    try:
        yield peers
    finally:
        server.close()
        peers.end()
        await server.wait_closed()
