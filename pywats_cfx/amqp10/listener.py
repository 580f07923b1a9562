"""CFX without a broker: machines connect to us, publish to us and ask us over AMQP 1.0."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, Final, cast

import structlog
from proton import Condition

from pywats_cfx.amqp.backoff import Backoff
from pywats_cfx.amqp.tally import Tally
from pywats_cfx.amqp10.answering import Answering
from pywats_cfx.amqp10.delivery import read_transfer
from pywats_cfx.amqp10.errors import Amqp10Error, LoginRefused, NotAmqp10, RemoteError
from pywats_cfx.amqp10.links import Link, Receiver, Transfer
from pywats_cfx.amqp10.peer import Patience, Peer
from pywats_cfx.amqp10.sasl import ServerLogin, same_secret
from pywats_cfx.amqp10.taking import Taking
from pywats_cfx.config import CFXConfig
from pywats_cfx.endpoint.config import Place, place_of
from pywats_cfx.endpoint.endpoint import Endpoint
from pywats_events.message import Adapter, RawMessage
from pywats_events.transports.base import BaseTransport, Intake

log = structlog.get_logger(__name__)

#: Unsettled messages of one link, as the SDK's own listeners have it.
WINDOW: Final = 100
#: Largest message that is taken; pictures of an inspection travel in messages.
MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024

_ANY: Final = "*"
#: Seconds for the intake to finish what it has begun, and for others to say goodbye.
_GRACE: Final = 0.5
_GOODBYE: Final = 2.0
#: Refused links that are remembered; above that the oldest may be told again.
_MOST_REFUSALS: Final = 1000
#: Seconds that a journal which refuses messages is left alone first.
_REST: Final = 0.5


class CFXListener(BaseTransport):
    """Receives CFX messages and requests from machines that connect to us.

    A message is accepted when the journal has its events, and released when the journal refuses it or the
    listener stops; the sender keeps it in both cases. Requests are not journalled: they are answered.

    Args:
        config: where to listen (``endpoint.listen``), and who may send what.
        name: identity among the transports of a bus.
        adapter: reads the messages. Default: ``pywats_cfx.adapter.cfx_adapter``.
        endpoint: answers requests. Default: one that introduces itself and supports nothing else.
        window: most unsettled messages of one link.
        max_bytes: size of the largest message that is taken.
        patience: how long to wait for others.

    Attributes:
        endpoint: what answers requests.
        connected: True while machines can connect.
        last_error: why they could not the last time, and what to do; None when there never was a reason.
        tally: what was received and acknowledged so far.
        uri: where it listens, once it does.

    Raises:
        ValueError: ``endpoint.listen`` is empty.
    """

    def __init__(
        self,
        config: CFXConfig,
        *,
        name: str = "cfx-listener",
        adapter: Adapter | None = None,
        endpoint: Endpoint | None = None,
        window: int = WINDOW,
        max_bytes: int = MAX_MESSAGE_BYTES,
        patience: Patience = Patience(),  # noqa: B008  # it is frozen
    ) -> None:
        if not config.endpoint.listen:
            raise ValueError(
                "cfx.endpoint.listen is empty: say where to listen, amqp://0.0.0.0:5690 for instance"
            )
        self.name = name
        self.adapter = adapter or _default_adapter()
        self.endpoint = endpoint or Endpoint(config.endpoint)
        self.handle = config.endpoint.cfx_handle
        self.max_bytes = max_bytes
        self.connected = False
        self.last_error: str | None = None
        self.tally = Tally()
        self.uri: str | None = None
        self._config = config.endpoint
        self._place = place_of(config.endpoint.listen)
        self._addresses = frozenset(config.endpoint.accepted)
        self._window = window
        self._patience = patience
        self._tls: ssl.SSLContext | None = None
        self._server: asyncio.Server | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._taking: Taking | None = None
        self._answering = Answering(self.endpoint, name=name, patience=patience.write)
        self._peers: set[Peer] = set()
        self._owners: dict[tuple[str, str, bool], tuple[Peer, Link]] = {}
        self._up = asyncio.Event()
        self._refused = asyncio.Event()
        self._full = False
        self._refusals: dict[tuple[str, str, str], None] = {}

    # --- life --------------------------------------------------------------------------------------------

    async def start(self, intake: Intake) -> None:
        """Begin to listen. A port that is taken is tried again until it is free."""
        self._taking = Taking(intake, name=self.name, tally=self.tally, on_refusal=self._rest)
        self._supervisor = asyncio.create_task(
            self._supervise(intake, self._taking), name=f"transport {self.name}"
        )

    async def listening(self) -> str:
        """Wait until machines can connect; give where."""
        await self._up.wait()
        return self.uri or ""

    async def stop(self) -> None:
        """Let nobody in, take nothing more, and give back what the intake does not have."""
        self.connected = False
        if self._server is not None:
            self._server.close()
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.cancel()
            await asyncio.wait([supervisor])
        self._open_windows(0)
        if self._taking is not None:
            await self._taking.stop(_GRACE)

    async def close(self) -> None:
        """Say goodbye to everybody; what was settled is on its way before that."""
        await self.stop()
        await self._answering.stop(_GRACE)
        condition = Condition("amqp:connection:forced", f"{self.handle} ends")
        peers = [asyncio.ensure_future(peer.close(condition, _GOODBYE)) for peer in self._peers]
        if peers:
            await asyncio.wait(peers)

    async def _supervise(self, intake: Intake, taking: Taking) -> None:
        """Listen, and let the journal rest when it refuses messages."""
        await self._listen(intake)
        backoff = Backoff(initial=_REST, maximum=30.0)
        while True:
            acknowledged = self.tally.acknowledged
            await self._refused.wait()
            if self.tally.acknowledged > acknowledged:
                backoff.reset()
            await asyncio.sleep(backoff.next())
            self._refused.clear()
            taking.is_open = True
            self._open_windows(self._window)

    def _rest(self, reason: str) -> None:
        """Leave the messages with their senders while the journal takes none."""
        self._refused.set()
        self.last_error = f"reading pauses, the journal refuses messages: {reason}"
        log.warning("reading pauses: the journal refuses messages", transport=self.name, reason=reason)
        self._open_windows(0)

    def _open_windows(self, window: int) -> None:
        for peer in self._peers:
            for receiver in peer.receivers:
                receiver.open_window(window)

    async def _listen(self, intake: Intake) -> None:
        backoff = Backoff(initial=1.0, maximum=30.0)
        place = self._place
        while True:
            try:
                self._tls = await asyncio.to_thread(self._context) if place.tls else None
                self._server = await asyncio.get_running_loop().create_server(
                    lambda: _Door(self),
                    place.host,
                    place.port,
                    ssl=self._tls,
                    ssl_handshake_timeout=self._patience.login if place.tls else None,
                )
            except OSError as error:
                reason = f"{place}: {error.strerror or error}; free it, or change cfx.endpoint.listen"
                if reason != self.last_error:
                    self.last_error = reason
                    await intake.disconnected(self.name, reason)
                await asyncio.sleep(backoff.next())
            else:
                break
        port = self._server.sockets[0].getsockname()[1]
        self.uri = str(Place(place.host, port, place.tls))
        if self.endpoint.introduction.network_uri is None:
            self.endpoint.introduction.network_uri = str(Place(_public_name(place.host), port, place.tls))
        self.connected = True
        self._up.set()
        await intake.connected(self.name, f"listens at {self.uri} to {', '.join(sorted(self._addresses))}")

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(cast("Any", self._config.cert_file), self._config.key_file)
        if self._config.ca_file is not None:
            context.load_verify_locations(self._config.ca_file)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    # --- who comes in ------------------------------------------------------------------------------------

    def peer_for(self, transport: asyncio.Transport) -> Peer | None:
        """Give what deals with a new connection; None when there are too many."""
        address = _address(transport.get_extra_info("peername"))
        if len(self._peers) >= self._config.max_connections:
            if not self._full:
                log.warning(
                    "machines are turned away: too many connections",
                    transport=self.name,
                    peer=address,
                    limit=self._config.max_connections,
                )
            self._full = True
            return None
        self._full = False
        tls = transport.get_extra_info("ssl_object")
        certified = bool(tls is not None and tls.getpeercert())
        login = ServerLogin(self._check_login if self._config.username else None, certified=certified)
        peer = Peer(self, login=login, address=address, patience=self._patience)
        self._peers.add(peer)
        return peer

    def _check_login(self, user: str, password: str) -> bool:
        right = self._config.password.get_secret_value() if self._config.password else ""
        # both are compared in any case: how long it takes tells nothing
        return same_secret(user, self._config.username or "") & same_secret(password, right)

    def admits(self, address: str | None) -> bool:
        """Say whether there is such an address here."""
        return _ANY in self._addresses or address in self._addresses

    def window(self) -> int:
        """Give the number of unsettled messages that a new link may have."""
        return self._window if self._taking is not None and self._taking.is_open else 0

    def on_opened(self, peer: Peer) -> None:
        """Take note that a connection is open."""
        self.tally.connections += 1
        log.debug("machine connected", transport=self.name, peer=peer.name)

    def on_attached(self, peer: Peer, link: Link, name: str) -> None:
        """Let the newer of two links that the standard takes for the same have the name."""
        if not peer.container:
            return
        key = (peer.container, name, isinstance(link, Receiver))
        before = self._owners.get(key)
        if before is not None and not before[1].ended.done():
            log.warning(
                "two links of one name from one container: the newer one has it now",
                transport=self.name,
                peer=peer.name,
                before=before[0].name,
                link=name,
            )
            before[0].detach(before[1], Condition("amqp:link:stolen", f"attached again from {peer.address}"))
        self._owners[key] = (peer, link)
        link.ended.add_done_callback(lambda _: self._forget_owner(key, link))

    def on_refused(self, peer: Peer, reason: str) -> None:
        """Say that a link was refused, once: a machine with a wrong address comes again and again."""
        key = (peer.container, peer.host, reason)
        tell = log.debug if key in self._refusals else log.warning
        self._refusals[key] = None
        if len(self._refusals) > _MOST_REFUSALS:
            del self._refusals[next(iter(self._refusals))]
        tell("link refused", transport=self.name, peer=peer.name, reason=reason)

    def on_too_large(self, peer: Peer, size: int) -> None:
        """Take note of a message that was rejected for its size."""
        log.warning(
            "message rejected: too large",
            transport=self.name,
            peer=peer.name,
            bytes=size,
            limit=self.max_bytes,
        )

    def on_ended(self, peer: Peer, reason: Exception) -> None:
        """Say why a connection ended, where that is not the usual way."""
        self._peers.discard(peer)
        silent = (
            isinstance(reason, NotAmqp10) and not reason.answer
        )  # somebody looks whether the port is open
        if silent or (isinstance(reason, RemoteError) and not reason.condition):
            log.debug("machine left", transport=self.name, peer=peer.name)
        elif self._server is not None and not self._server.is_serving():
            log.debug("connection ended", transport=self.name, peer=peer.name, reason=str(reason))
        elif isinstance(reason, Amqp10Error | OSError):
            what = "login refused" if isinstance(reason, LoginRefused) else "connection to a machine ended"
            log.warning(what, transport=self.name, peer=peer.name, reason=str(reason))
        else:
            log.error("connection to a machine failed", transport=self.name, peer=peer.name, exc_info=reason)

    def _forget_owner(self, key: tuple[str, str, bool], link: Link) -> None:
        if key in self._owners and self._owners[key][1] is link:
            del self._owners[key]

    def on_transfer(self, peer: Peer, transfer: Transfer, address: str) -> None:
        """Answer a request, or take a published message in."""
        content = read_transfer(transfer.encoded)
        if self._taking is None or self._answering.takes(peer, transfer, content):
            return
        message = RawMessage(
            body=content.body,
            content_type=content.content_type,
            content_encoding=content.content_encoding,
            transport=self.name,
            # the sender's name rather than ours: it is all that is known of one who sends garbage
            address=str(content.properties.get("subject") or peer.container),
            properties={**content.properties, "target": address, "container": peer.container},
        )
        self._taking.take(transfer, message)


class _Door(asyncio.Protocol):
    """A new connection, before anything is known of it."""

    def __init__(self, listener: CFXListener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or turn it away."""
        connection = cast("asyncio.Transport", transport)
        peer = self._listener.peer_for(connection)
        if peer is None:
            connection.abort()
            return
        connection.set_protocol(peer.engine)
        peer.engine.connection_made(connection)


def _address(peer: Any) -> str:
    if isinstance(peer, tuple) and len(peer) >= 2:  # noqa: PLR2004  # host and port; IPv6 has more
        return f"[{peer[0]}]:{peer[1]}" if ":" in str(peer[0]) else f"{peer[0]}:{peer[1]}"
    return str(peer)


def _public_name(host: str) -> str:
    return socket.gethostname() if host in ("0.0.0.0", "::") else host


def _default_adapter() -> Adapter:
    from pywats_cfx.adapter import cfx_adapter  # noqa: PLC0415  # the adapter knows the whole catalogue of CFX

    return cfx_adapter
