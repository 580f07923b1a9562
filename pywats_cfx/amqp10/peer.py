"""A connection that another endpoint made to us, from its opening to its end, with the links on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from proton import Condition, Terminus
from proton import Link as ProtonLink
from proton import Receiver as ProtonReceiver
from proton import Sender as ProtonSender

from pywats_cfx.amqp10.engine import Engine, EngineHandler, remote_error
from pywats_cfx.amqp10.errors import ConnectionLost
from pywats_cfx.amqp10.links import Link, Receiver, Sender, Transfer
from pywats_cfx.amqp10.sasl import Login

#: Links on one connection: machines need one or two, a gateway for many machines some more.
_MOST_LINKS: Final = 64

#: Messages that a new link may bring while nothing is taken in: requests are answered even then.
_FEW: Final = 10

NOT_FOUND: Final = "amqp:not-found"


class Host(Protocol):
    """What a connection asks of the listener that it belongs to."""

    handle: str
    max_bytes: int

    def admits(self, address: str | None) -> bool:
        """Say whether messages may be sent to this address, or answers be had from it."""

    def window(self) -> int:
        """Give the number of unsettled messages that a new link may have; 0 while nothing is taken in."""

    def on_opened(self, peer: Peer) -> None:
        """Take note that a connection is open."""

    def on_attached(self, peer: Peer, link: Link, name: str) -> None:
        """Take note of a new link, before it may send anything."""

    def on_transfer(self, peer: Peer, transfer: Transfer, address: str) -> None:
        """Deal with a message."""

    def on_too_large(self, peer: Peer, size: int) -> None:
        """Take note of a message that was rejected for its size."""

    def on_refused(self, peer: Peer, reason: str) -> None:
        """Take note of a link that was refused."""

    def on_ended(self, peer: Peer, reason: Exception) -> None:
        """Take note that a connection has ended."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a listener waits for others.

    Attributes:
        login: seconds until a new connection must be open.
        idle: seconds of silence after which it counts as lost.
        write: seconds that it may leave unread what we wrote.
    """

    login: float = 10.0
    idle: float = 60.0
    write: float = 30.0


@dataclass(slots=True)
class _Attached:
    link: ProtonLink
    ours: Link
    answers_to: str | None = field(default=None)


class Peer(EngineHandler):
    """Another endpoint that connected to us.

    Args:
        host: the listener.
        login: how it logs in.
        address: where it comes from, for logs.
        patience: how long we wait for it.

    Attributes:
        container: what it calls itself; machines use their CFX handle.
        is_open: both sides have opened the connection.
    """

    def __init__(self, host: Host, *, login: Login, address: str, patience: Patience) -> None:
        self.address = address
        self.container = ""
        self.is_open = False
        self._host = host
        self._links: list[_Attached] = []
        self.engine = Engine(
            self, login=login, server=True, idle_timeout=patience.idle, write_timeout=patience.write
        )
        late = ConnectionLost(f"it did not open the connection within {patience.login:g} s")
        self._deadline = asyncio.get_running_loop().call_later(patience.login, self.engine.end, late)

    @property
    def name(self) -> str:
        """Who it is, for logs: what it calls itself, and where it comes from."""
        return f"{self.container or 'unnamed'} ({self.address})"

    @property
    def host(self) -> str:
        """The machine that it comes from."""
        return self.address.rpartition(":")[0] or self.address

    @property
    def receivers(self) -> list[Receiver]:
        """The links that bring messages."""
        return [each.ours for each in self._links if isinstance(each.ours, Receiver)]

    def answers_to(self, reply_to: str) -> Sender | None:
        """Give the link that takes answers to a reply address."""
        for each in reversed(self._links):
            if each.answers_to == reply_to and isinstance(each.ours, Sender):
                return each.ours
        return None

    def detach(self, link: Link, condition: Condition) -> None:
        """End a link."""
        link.close(condition)
        self._links = [each for each in self._links if each.ours is not link]

    async def close(self, condition: Condition | None, timeout: float) -> None:  # noqa: ASYNC109  # how long to be polite
        """Say goodbye, and leave when it has answered or the time is over."""
        if not self.engine.is_over and self.is_open:
            self.engine.connection.condition = condition
            self.engine.connection.close()
            self.engine.wake()
            await asyncio.wait([self.engine.closed], timeout=timeout)
        self.engine.end(ConnectionLost("closed by us"))
        await asyncio.wait([self.engine.closed])

    # what proton tells

    def on_connection_remote_open(self, event: Any) -> None:
        """Open our side as well."""
        self._deadline.cancel()
        connection = event.connection
        self.container = connection.remote_container or ""
        self.is_open = True
        connection.container = self._host.handle
        connection.open()
        self._host.on_opened(self)

    def on_session_remote_open(self, event: Any) -> None:
        """Open our side as well."""
        event.session.open()

    def on_session_remote_close(self, event: Any) -> None:
        """Let go of the links in it."""
        reason = remote_error("session", event.session.remote_condition)
        for each in [each for each in self._links if each.link.session == event.session]:
            self._forget(each, reason)
        event.session.close()

    def on_link_remote_open(self, event: Any) -> None:
        """Attach our side as well, or refuse."""
        link = event.link
        refusal = self._refusal(link)
        if refusal is not None:
            link.open()  # without a terminus, which says that the link does not come to be
            link.condition = refusal
            link.close()
            self._host.on_refused(self, f"{refusal.name}: {refusal.description}")
            return
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.snd_settle_mode = link.remote_snd_settle_mode
        link.rcv_settle_mode = ProtonLink.RCV_FIRST
        if isinstance(link, ProtonReceiver):
            self._attach_receiver(link)
        else:
            self._attach_sender(link)

    def on_link_remote_close(self, event: Any) -> None:
        """Let go of a link."""
        for each in [each for each in self._links if each.link == event.link]:
            self._forget(each, remote_error("link", event.link.remote_condition))
        event.link.close()

    def on_link_remote_detach(self, event: Any) -> None:
        """Let go of a link; we don't wait for it to come back."""
        self.on_link_remote_close(event)

    def on_link_flow(self, event: Any) -> None:
        """Hand on what was said of credit."""
        if (ours := getattr(event.link, "peer", None)) is not None:
            ours.on_flow()

    def on_delivery(self, event: Any) -> None:
        """Hand on a message, or an outcome."""
        if (ours := getattr(event.link, "peer", None)) is not None:
            ours.on_delivery(event.delivery)

    def on_ended(self, reason: Exception) -> None:
        """Let go of everything."""
        self._deadline.cancel()
        for each in list(self._links):
            self._forget(each, reason)
        self._host.on_ended(self, reason)

    def _refusal(self, link: ProtonLink) -> Condition | None:
        ours = link.remote_target if link.is_receiver else link.remote_source
        if len(self._links) >= _MOST_LINKS:
            return Condition("amqp:resource-limit-exceeded", f"more than {_MOST_LINKS} links")
        if ours.dynamic or link.remote_target.type == Terminus.COORDINATOR:
            return Condition("amqp:not-implemented", "neither dynamic addresses nor transactions")
        # who wants answers may leave open from where: they are told apart by the reply address
        if self._host.admits(ours.address) or (link.is_sender and not ours.address):
            return None
        return Condition(NOT_FOUND, f'there is no "{ours.address or ""}" here')

    def _attach_receiver(self, link: ProtonReceiver) -> None:
        address = link.remote_target.address or ""
        ours = Receiver(
            self.engine,
            link,
            address,
            on_transfer=lambda transfer: self._host.on_transfer(self, transfer, address),
            max_bytes=self._host.max_bytes,
            on_too_large=lambda size: self._host.on_too_large(self, size),
        )
        link.max_message_size = self._host.max_bytes
        self._attach(_Attached(link, ours))
        window = self._host.window()
        if window:
            ours.open_window(window)
        else:
            ours.allow(_FEW)

    def _attach_sender(self, link: ProtonSender) -> None:
        reply_to = link.remote_target.address
        self._attach(_Attached(link, Sender(self.engine, link, reply_to), answers_to=reply_to))

    def _attach(self, attached: _Attached) -> None:
        attached.link.peer = attached.ours
        self._host.on_attached(self, attached.ours, attached.link.name)
        attached.link.open()
        self._links.append(attached)
        attached.ours.on_opened()

    def _forget(self, attached: _Attached, reason: Exception) -> None:
        attached.ours.on_ended(reason)
        self._links.remove(attached)
