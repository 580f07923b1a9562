"""One connection to a broker over the library, from the login to the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from paho.mqtt.client import (
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from pywats_events.transports.brokers import tls_context
from pywats_events.transports.mqtt.acknowledgements import Acknowledgements
from pywats_events.transports.mqtt.config import LARGEST_PACKET, MQTTConfig
from pywats_events.transports.mqtt.troubles import (
    BrokerEnds,
    BrokerGone,
    BrokerRefuses,
    PublishRefused,
    ReadingFailed,
    SubscriptionsRefused,
)
from pywats_events.transports.mqtt.wire import NotMQTT, Oversized, Wire

if TYPE_CHECKING:  # the library has it for type checkers only
    from paho.mqtt.client import SocketLike

_VERSIONS: Final = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
_KEEPALIVE_TIMEOUT: Final = 0x8D
_LEAVING_SECONDS: Final = 2.0
#: Most bytes of a published packet beside topic and payload.
_PACKET_HEAD: Final = 16
#: How retained messages come with a subscription (MQTT 5.0, 3.8.3.1): with a new one, or never.
_IF_NEW, _NEVER = 1, 2


class _Client(Client):
    """The library's client on a connection that stands already."""

    def __init__(self, wire: Wire, config: MQTTConfig, *, keeps_session: bool) -> None:
        is_5 = config.protocol == "5"
        super().__init__(
            CallbackAPIVersion.VERSION2,
            config.client_id,
            clean_session=None if is_5 else not keeps_session,
            protocol=_VERSIONS[config.protocol],
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self._wire = wire

    def _create_socket(self) -> SocketLike:
        return self._wire


class Connection:
    """Logs in, subscribes and hands over what comes, until something ends it.

    Args:
        config: broker and subscriptions.
        on_message: a message came, with its payload and its QoS.
        on_oversized: a message came that is too large to be taken.
        keeps_session: take up the session that the broker has of us, and leave it there at the end.

    Attributes:
        ended: done, with the reason, when the connection has ended.
        acknowledgements: what the broker waits for.
        has_session: the broker had kept our session.
        hints: what people should know although it keeps nobody from reading, one line each.
    """

    def __init__(
        self,
        config: MQTTConfig,
        *,
        on_message: Callable[[MQTTMessage, bytes, int], None],
        on_oversized: Callable[[Oversized], None],
        keeps_session: bool = True,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._config = config
        self._on_message = on_message
        self._keeps_session = keeps_session
        self._loop = loop
        self._wire = Wire(limit=config.max_packet_bytes, has_properties=config.protocol == "5")
        self._wire.on_packet = self._read
        self._wire.on_oversized = on_oversized
        self._wire.on_lost = self._on_lost
        self._client = self._make_client()
        self._timer: asyncio.TimerHandle | None = None
        self._will_write = False
        self._let_in: asyncio.Future[tuple[ReasonCode, bool]] = loop.create_future()
        self._subscribed: asyncio.Future[list[ReasonCode]] = loop.create_future()
        self._published: dict[int, asyncio.Future[ReasonCode]] = {}
        self._most_bytes = LARGEST_PACKET
        self.ended: asyncio.Future[Exception] = loop.create_future()
        self.acknowledgements = Acknowledgements(self._acknowledge)
        self.has_session = False
        self.hints: list[str] = []

    async def open(self) -> None:
        """Connect and log in.

        Raises:
            OSError: no connection, or no trust (``ssl.SSLError``).
            TimeoutError: no answer within ``connect_timeout``.
            BrokerRefuses: the broker does not let us in.
            BrokerGone: it ended the connection.
            NotMQTT: it is no broker.
        """
        config = self._config
        async with asyncio.timeout(config.connect_timeout):
            context = await tls_context(config)
            await self._loop.create_connection(
                lambda: self._wire,
                config.host,
                config.port,
                ssl=context,
                server_hostname=config.host if context is not None else None,
            )
            self._send_connect()
            self._timer = self._loop.call_later(self._tick, self._on_tick)
            reason, self.has_session = await self._first(self._let_in)
        if reason.is_failure:
            raise BrokerRefuses(reason)

    async def subscribe(self) -> None:
        """Subscribe to everything, also what the session has: the configuration may be another one now.

        Raises:
            SubscriptionsRefused: the broker lets us have nothing.
            TimeoutError: no answer within ``connect_timeout``.
        """
        wanted = self._filters()
        topics: Any = list(wanted.items())
        async with asyncio.timeout(self._config.connect_timeout):
            self._client.subscribe(topics)
            codes = await self._first(self._subscribed)
        refused = [
            f'"{topic}" ({code})' for topic, code in zip(wanted, codes, strict=False) if code.is_failure
        ]
        if len(refused) == len(wanted):
            raise SubscriptionsRefused(f"nothing can be subscribed to: {', '.join(refused)}")
        self.hints += [f"the broker refuses a subscription, nothing comes of it: {one}" for one in refused]
        for (topic, asked), code in zip(wanted.items(), codes, strict=False):
            if code.value < (asked.QoS if isinstance(asked, SubscribeOptions) else asked):
                self.hints.append(f'the broker grants "{topic}" with QoS {code.value} only')

    def publish_status(self, status: str) -> None:
        """Say on the status topic how we are."""
        if self._config.status_topic and not self.ended.done():
            self._client.publish(self._config.status_topic, status, qos=1, retain=True)

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Publish a message; raises as ``MQTTTransport.publish``."""
        if self.ended.done() or not self._is_let_in:
            raise BrokerGone("there is no connection to the broker")
        size = len(payload) + len(topic.encode()) + _PACKET_HEAD
        if size > self._most_bytes:
            raise PublishRefused(
                f'"{topic}": {len(payload)} bytes; the broker takes packets of {self._most_bytes}'
            )
        sent = self._client.publish(topic, payload, qos, retain)
        self._write()
        if not qos:
            return
        answer = self._published[sent.mid] = self._loop.create_future()
        try:
            await asyncio.wait([answer, self.ended], return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._published[sent.mid]
        if not answer.done():
            raise BrokerGone(f"the connection ended before the broker had it: {self.ended.result()}")
        reason = answer.result()
        if reason.is_failure:
            raise PublishRefused(f'"{topic}": {reason}')

    def hold(self, is_held: bool) -> None:
        """Read no further for now, or go on."""
        if is_held != self._wire.is_held and not self.ended.done():
            self._wire.hold(is_held)
            if not is_held and self._timer is not None:  # what waits is to be read before silence is judged
                self._timer.cancel()
                self._timer = self._loop.call_later(self._tick, self._on_tick)

    async def close(self) -> None:
        """Send what is acknowledged, and leave; the broker keeps the session."""
        self._stop_timer()
        if not self.ended.done() and self._let_in.done():
            self._client.disconnect()
            self._write()
        self._end(BrokerGone("it was closed"))
        self._wire.close()
        if self._wire.was_connected:
            await asyncio.wait([self._wire.gone], timeout=_LEAVING_SECONDS)
            self._wire.abort()

    # --- to the broker -----------------------------------------------------------------------------------

    def _make_client(self) -> _Client:
        config = self._config
        client = _Client(self._wire, config, keeps_session=self._keeps_session)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message_read
        client.on_disconnect = self._on_disconnect
        client.on_socket_register_write = self._on_register_write
        client.max_inflight_messages = 1  # the library does not ask how many the broker takes
        if config.username:
            client.username_pw_set(config.username, config.password.get_secret_value() or None)
        if config.status_topic:
            client.will_set(config.status_topic, "offline", qos=1, retain=True)
        return client

    def _send_connect(self) -> None:
        config = self._config
        if config.protocol != "5":
            self._client.connect(config.host, config.port, config.keepalive)
            return
        wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wishes.SessionExpiryInterval = config.session_expiry if self._keeps_session else 0
        wishes.ReceiveMaximum = config.receive_maximum
        wishes.MaximumPacketSize = config.max_packet_bytes
        self._client.connect(
            config.host, config.port, config.keepalive, clean_start=not self._keeps_session, properties=wishes
        )

    def _filters(self) -> Mapping[str, SubscribeOptions | int]:
        """Give the topic filters with what is wanted of each."""
        config = self._config
        qos: dict[str, int] = {}
        uses_retained: dict[str, bool] = {}
        for one in config.subscriptions:
            topic = config.filter_of(one)
            qos[topic] = max(qos.get(topic, 0), one.qos)
            uses_retained[topic] = uses_retained.get(topic, False) or one.retained == "use"
        if config.protocol != "5":
            return qos
        return {
            topic: SubscribeOptions(qos=level, retainHandling=_IF_NEW if uses_retained[topic] else _NEVER)
            for topic, level in qos.items()
        }

    def _acknowledge(self, packet_id: int, qos: int) -> None:
        if qos == 1:
            self._client.ack(packet_id, qos)
        else:
            self._wire.send_receipt(packet_id)
            self._on_register_write()

    def _on_register_write(self, *_: object) -> None:
        if not self._will_write:
            self._will_write = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        self._will_write = False
        self._guarded(self._client.loop_write)
        self._wire.flush()

    # --- from the broker ---------------------------------------------------------------------------------

    def _read(self) -> None:
        self._guarded(self._client.loop_read)

    def _guarded(self, step: Callable[[], object]) -> None:
        """Run the library, and whatever of ours it calls; what that raises ends the connection."""
        try:
            step()
        except Exception as error:  # noqa: BLE001  # the supervisor says so
            failure = ReadingFailed(f"reading failed: {type(error).__name__}: {error}")
            failure.__cause__ = error
            self._end(failure)
            self._wire.abort()

    def _on_connect(
        self, _: Client, __: Any, flags: ConnectFlags, reason: ReasonCode, said: Properties | None
    ) -> None:
        self._most_bytes = getattr(said, "MaximumPacketSize", LARGEST_PACKET)
        if not self._let_in.done():
            self._let_in.set_result((reason, flags.session_present))

    def _on_subscribe(
        self, _: Client, __: Any, ___: int, codes: list[ReasonCode], ____: Properties | None
    ) -> None:
        if not self._subscribed.done():
            self._subscribed.set_result(codes)

    def _on_publish(
        self, _: Client, __: Any, packet_id: int, reason: ReasonCode, ___: Properties | None
    ) -> None:
        answer = self._published.get(packet_id)
        if answer is not None and not answer.done():
            answer.set_result(reason)

    def _on_message_read(self, _: Client, __: Any, message: MQTTMessage) -> None:
        self._on_message(message, self._wire.payload, self._wire.qos)

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
        is_login = not self._let_in.done()
        if error is None or isinstance(
            error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError
        ):
            said = str(error or "the other side closed it")
            error = BrokerGone(said, was_login=is_login, was_silent=True)
        self._end(error)

    def _end(self, reason: Exception) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)

    async def _first(self, answer: asyncio.Future[Any]) -> Any:
        """Wait for an answer, or raise why there will be none."""
        await asyncio.wait([answer, self.ended], return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise self.ended.result()

    # --- the passing of time -----------------------------------------------------------------------------

    @property
    def _is_let_in(self) -> bool:
        return self._let_in.done() and not self._let_in.result()[0].is_failure

    @property
    def _tick(self) -> float:
        return self._config.keepalive / 4

    def _on_tick(self) -> None:
        if self.ended.done():
            return
        if self._wire.is_held:
            self._wire.ping()  # nothing is read, so the library would take the broker for dead
        else:
            self._guarded(self._client.loop_misc)
        self._timer = self._loop.call_later(self._tick, self._on_tick)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def answers(config: MQTTConfig) -> bool:
    """Tell whether anybody listens where the broker is."""
    try:
        async with asyncio.timeout(config.connect_timeout):
            _, writer = await asyncio.open_connection(config.host, config.port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
