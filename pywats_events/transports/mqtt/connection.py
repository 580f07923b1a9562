"""One connection to a broker over the library, from the login to the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from pywats_events.transports.mqtt.acknowledgements import Acknowledgements
from pywats_events.transports.mqtt.config import LARGEST_PACKET, MQTTConfig
from pywats_events.transports.mqtt.line import Line
from pywats_events.transports.mqtt.troubles import BrokerGone, PublishRefused, SubscriptionsRefused
from pywats_events.transports.mqtt.wire import Oversized

#: Most bytes of a published packet beside topic and payload.
_PACKET_HEAD: Final = 16
#: How retained messages come with a subscription (MQTT 5.0, 3.8.3.1): with a new one, or never.
_IF_NEW, _NEVER = 1, 2


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
        self._line = Line(
            config, limit=config.max_packet_bytes, keeps_session=keeps_session, acknowledges=False
        )
        self._wire = self._line.wire
        self._wire.on_oversized = on_oversized
        self._client = self._prepared_client()
        self._subscribed: asyncio.Future[list[ReasonCode]] = loop.create_future()
        self._published: dict[int, asyncio.Future[ReasonCode]] = {}
        self._most_bytes = LARGEST_PACKET
        self.ended = self._line.ended
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
        async with asyncio.timeout(self._config.connect_timeout):
            self.has_session, said = await self._line.log_in(self._ask)
        self._most_bytes = getattr(said, "MaximumPacketSize", LARGEST_PACKET)

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
            codes = await self._line.first(self._subscribed)
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
        if self.ended.done() or not self._line.is_let_in:
            raise BrokerGone("there is no connection to the broker")
        size = len(payload) + len(topic.encode()) + _PACKET_HEAD
        if size > self._most_bytes:
            raise PublishRefused(
                f'"{topic}": {len(payload)} bytes; the broker takes packets of {self._most_bytes}'
            )
        sent = self._client.publish(topic, payload, qos, retain)
        self._line.write()
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
        self._line.hold(is_held)

    async def close(self) -> None:
        """Send what is acknowledged, and leave; the broker keeps the session."""
        await self._line.close()

    # --- to the broker -----------------------------------------------------------------------------------

    def _prepared_client(self) -> Client:
        client = self._line.client
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message_read
        client.max_inflight_messages = 1  # the library does not ask how many the broker takes
        if self._config.status_topic:
            client.will_set(self._config.status_topic, "offline", qos=1, retain=True)
        return client

    def _ask(self) -> None:
        """Ask to be let in."""
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
            self._line.write_soon()

    # --- from the broker ---------------------------------------------------------------------------------

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
