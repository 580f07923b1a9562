"""The library on the network: what every connection to a broker does, whichever way the messages go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pywats_events.transports.brokers import tls_context
from pywats_events.transports.mqtt.config import MQTTBroker
from pywats_events.transports.mqtt.troubles import BrokerEnds, BrokerGone, BrokerRefuses, ReadingFailed
from pywats_events.transports.mqtt.wire import NotMQTT, Wire

if TYPE_CHECKING:  # the library has it for type checkers only
    from paho.mqtt.client import SocketLike

_VERSIONS: Final = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
_KEEPALIVE_TIMEOUT: Final = 0x8D
_LEAVING_SECONDS: Final = 2.0


class _Client(Client):
    """The library's client on a connection that stands already."""

    def __init__(self, wire: Wire, config: MQTTBroker, *, keeps_session: bool, acknowledges: bool) -> None:
        is_5 = config.protocol == "5"
        super().__init__(
            CallbackAPIVersion.VERSION2,
            config.client_id,
            clean_session=None if is_5 else not keeps_session,
            protocol=_VERSIONS[config.protocol],
            reconnect_on_failure=False,
            manual_ack=not acknowledges,
        )
        self._wire = wire

    def _create_socket(self) -> SocketLike:
        return self._wire


class Line:
    """The library's client on a wire of asyncio's, from the login until something ends it.

    Args:
        config: the broker, and who we are to it.
        limit: largest packet that is read, in bytes.
        keeps_session: take up the session that the broker has of us, and leave it there at the end.
        acknowledges: let the library acknowledge what comes.

    Attributes:
        wire: what the client reads from and writes to.
        client: the library's client.
        ended: done, with the reason, when the connection has ended.
    """

    def __init__(
        self, config: MQTTBroker, *, limit: int, keeps_session: bool = False, acknowledges: bool = True
    ) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self.wire = Wire(limit=limit, has_properties=config.protocol == "5")
        self.wire.on_packet = self._read
        self.wire.on_lost = self._on_lost
        client = self.client = _Client(
            self.wire, config, keeps_session=keeps_session, acknowledges=acknowledges
        )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_socket_register_write = lambda *_: self.write_soon()
        if config.username:
            client.username_pw_set(config.username, config.password.get_secret_value() or None)
        self._answer: asyncio.Future[tuple[ReasonCode, bool, Properties | None]] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._will_write = False
        self.ended: asyncio.Future[Exception] = self._loop.create_future()

    @property
    def is_let_in(self) -> bool:
        """True once the broker has let us in."""
        return self._answer.done() and not self._answer.result()[0].is_failure

    async def log_in(self, ask: Callable[[], object]) -> tuple[bool, Properties | None]:
        """Connect and log in; nothing here bounds how long that takes.

        Args:
            ask: has the client ask to be let in.

        Returns:
            Whether the broker had kept our session, and what it says of itself.

        Raises:
            OSError: no connection, or no trust (``ssl.SSLError``).
            BrokerRefuses: the broker does not let us in.
            BrokerGone, BrokerEnds: it ended the connection.
            NotMQTT: it is no broker.
        """
        config = self._config
        context = await tls_context(config)
        await self._loop.create_connection(
            lambda: self.wire,
            config.host,
            config.port,
            ssl=context,
            server_hostname=config.host if context is not None else None,
        )
        ask()
        self._start_timer()
        reason, has_session, said = await self.first(self._answer)
        if reason.is_failure:
            raise BrokerRefuses(reason)
        return has_session, said

    async def first(self, answer: asyncio.Future[Any]) -> Any:
        """Wait for an answer, or raise why there will be none."""
        await asyncio.wait([answer, self.ended], return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise self.ended.result()

    def write_soon(self) -> None:
        """Send what the client has to say, once it has said all of it."""
        if not self._will_write:
            self._will_write = True
            self._loop.call_soon(self.write)

    def write(self) -> None:
        """Send what the client has to say."""
        self._will_write = False
        self._guarded(self.client.loop_write)
        self.wire.flush()

    def hold(self, is_held: bool) -> None:
        """Read no further for now, or go on."""
        if is_held != self.wire.is_held and not self.ended.done():
            self.wire.hold(is_held)
            if not is_held and self._timer is not None:  # what waits is to be read before silence is judged
                self._start_timer()

    async def close(self) -> None:
        """Send what is to be sent, and leave."""
        self._stop_timer()
        is_on = self._answer.done() and not self.ended.done()
        self._end(BrokerGone("it was closed"))  # first: the library calls our leaving an end like any other
        if is_on:
            self.client.disconnect()
            self.write()
        self.wire.close()
        if self.wire.was_connected:
            await asyncio.wait([self.wire.gone], timeout=_LEAVING_SECONDS)
            self.wire.abort()

    def _read(self) -> None:
        self._guarded(self.client.loop_read)

    def _guarded(self, step: Callable[[], object]) -> None:
        """Run the library, and whatever of ours it calls; what that raises ends the connection."""
        try:
            step()
        except Exception as error:  # noqa: BLE001  # the supervisor says so
            failure = ReadingFailed(f"reading failed: {type(error).__name__}: {error}")
            failure.__cause__ = error
            self._end(failure)
            self.wire.abort()

    def _on_connect(
        self, _: Client, __: Any, flags: ConnectFlags, reason: ReasonCode, said: Properties | None
    ) -> None:
        if not self._answer.done():
            self._answer.set_result((reason, flags.session_present, said))

    def _on_disconnect(
        self, _: Client, __: Any, flags: DisconnectFlags, reason: ReasonCode | None, ___: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._end(BrokerEnds(reason))
        elif reason is not None and reason.value == _KEEPALIVE_TIMEOUT:
            self._end(BrokerGone(f"nothing was heard of it for {self._config.keepalive} s"))
        else:
            self._end(NotMQTT(f"a packet that it sent can't be read: {reason}"))

    def _on_lost(self, error: Exception | None) -> None:
        is_login = not self._answer.done()
        if error is None or isinstance(
            error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError
        ):
            said = str(error or "the other side closed it")
            error = BrokerGone(said, was_login=is_login, was_silent=True)
        self._end(error)

    def _end(self, reason: Exception) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(self._config.keepalive / 4, self._on_tick)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_tick(self) -> None:
        if self.ended.done():
            return
        if self.wire.is_held:
            self.wire.ping()  # nothing is read, so the library would take the broker for dead
        else:
            self._guarded(self.client.loop_misc)
        self._start_timer()
