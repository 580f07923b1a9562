"""MQTT topics that events are published to, as CloudEvents."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from handlers.outgoing_rules import OutgoingRule
from pywats_events.errors import DestinationUnavailable, PermanentError
from pywats_events.event import Event
from pywats_events.returned import SENT_BY
from pywats_events.transports.brokers import tls_context
from pywats_events.transports.mqtt.config import MQTTBroker
from pywats_events.transports.mqtt.troubles import BrokerEnds, BrokerGone, BrokerRefuses, explain
from pywats_events.transports.mqtt.wire import Wire

_TYPE: Final = "application/cloudevents+json"
_PART: Final = re.compile(r"\{(\w+)\}")
#: What may not stand in a topic, or would look like something else there.
_UNFIT: Final = re.compile(r"[+#%\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_LONGEST_TOPIC: Final = 65_535
#: Bytes of a packet beside topic and payload: its head and our properties.
_PACKET_HEAD: Final = 128
_MOST_PACKET: Final = 1024 * 1024
#: Messages that are with the broker and not confirmed, unless it takes fewer.
_MOST_AT_ONCE: Final = 20
_LEAVING_SECONDS: Final = 2.0
#: Reason codes of MQTT 5 (2.4) that refuse us, and those that refuse a message.
_REFUSES_US: Final = frozenset({0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x9D})
_REFUSES_MESSAGE: Final = frozenset({0x90, 0x95, 0x99})


class Topics:
    """The topics of one rule.

    | what happens | becomes |
    |---|---|
    | the broker has it (QoS 0: it is sent) | done |
    | no connection, none in time, the broker is out of quota | DestinationUnavailable |
    | the broker refuses us, or the right to publish there; its certificate is not trusted | \
DestinationUnavailable that needs somebody's attention |
    | a topic or packet that the broker can't take | PermanentError |

    Args:
        rule: where to, and how.
        broker: the way to the broker, which several rules share.
    """

    def __init__(self, rule: OutgoingRule, broker: Broker) -> None:
        if rule.topic is None:
            raise ValueError(f'outgoing "{rule.name}" has no topic')
        self._rule = rule
        self._topic = rule.topic
        self._broker = broker

    async def send(self, event: Event) -> Mapping[str, Any]:
        """Publish an event."""
        topic, payload = topic_of(self._topic, event), event.to_json_bytes()
        try:
            async with asyncio.timeout(self._rule.timeout):
                link = await self._broker.link()
                await link.publish(topic, payload, self._rule)
        except TimeoutError:
            await self._broker.drop()  # what it may still have in hand is published again
            raise self._away(f"{self._broker.name} took nothing within {self._rule.timeout:g} s") from None
        except PublishRefused as error:
            raise self._refused(error, topic) from None
        except BrokerRefuses as error:
            raise self._away(self._broker.why(error), needs_attention=error.code in _REFUSES_US) from error
        except ssl.SSLCertVerificationError as error:
            raise self._away(self._broker.why(error), needs_attention=True) from error
        except (OSError, BrokerGone, BrokerEnds) as error:
            raise self._away(self._broker.why(error)) from error
        return {"topic": topic}

    async def aclose(self) -> None:
        """Let the connection go."""
        await self._broker.drop()

    def _refused(self, error: PublishRefused, topic: str) -> Exception:
        reason = f'{self._broker.name} refuses topic "{topic}": {error}'
        if error.code in _REFUSES_MESSAGE:
            return PermanentError(reason)
        return self._away(reason, needs_attention=error.code in _REFUSES_US)

    def _away(self, reason: str, *, needs_attention: bool = False) -> DestinationUnavailable:
        return DestinationUnavailable(self._rule.handler, reason, needs_attention=needs_attention)


def topic_of(template: str, event: Event) -> str:
    """Give the topic of an event. What can't stand in one is written as %XX.

    Raises:
        PermanentError: it would be too long.
    """
    parts = {
        "key": _level(event.key),
        "id": _level(event.id),
        "type": event.event_type.value,
        "source": "/".join(_level(level) for level in event.source.split("/") if level) or "_",
    }
    topic = _PART.sub(lambda found: parts[found[1]], template)
    if topic.startswith("$"):  # such topics are the broker's own
        topic = "%24" + topic[1:]
    if len(topic.encode()) > _LONGEST_TOPIC:
        raise PermanentError(f"the topic would have more than {_LONGEST_TOPIC} bytes: {topic[:100]}...")
    return topic


def _level(text: str) -> str:
    return _escaped(text).replace("/", "%2F") or "_"


def _escaped(text: str) -> str:
    return _UNFIT.sub(lambda found: quote(found[0], safe="", errors="surrogatepass"), text)


class Broker:
    """The way to the broker: a connection that is made when it is first needed, and again when it was lost.

    Args:
        config: the broker, and who we are to it.
    """

    def __init__(self, config: MQTTBroker) -> None:
        # a name of its own each time: nothing is kept for it, and no other program is thrown out by it
        named = {"client_id": f"{config.client_id}-out-{uuid4().hex[:8]}"}
        self._brokers = tuple(each.model_copy(update=named) for each in config.brokers)
        self._current = self._brokers[0]
        self._link: Link | None = None
        self._connecting = asyncio.Lock()

    @property
    def name(self) -> str:
        """The broker in one line without the password."""
        return self._current.broker

    def why(self, error: BaseException) -> str:
        """Say in one line why there is no connection, and what to do."""
        return explain(error, self._current)

    async def link(self) -> Link:
        """Give the connection; the first broker that lets us in has it. Raises why none does."""
        async with self._connecting:
            if self._link is not None and not self._link.ended.done():
                return self._link
            await self._end_link()
            for number, config in enumerate(self._brokers, 1):
                self._current = config
                link = Link(config)
                try:
                    async with asyncio.timeout(config.connect_timeout):
                        await link.open()
                except (OSError, BrokerGone, BrokerEnds, BrokerRefuses):
                    await link.close()
                    if number == len(self._brokers):
                        raise
                except BaseException:
                    await link.close()
                    raise
                else:
                    self._link = link
                    return link
            raise BrokerGone("no broker is configured")

    async def drop(self) -> None:
        """Let the connection go, if there is one."""
        async with self._connecting:
            await self._end_link()

    async def _end_link(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()


class PublishRefused(Exception):  # noqa: N818  # says what happened
    """The broker did not take a message, or would not.

    Attributes:
        code: reason code of MQTT 5.
    """

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class _Client(Client):
    """The library's client on a connection that stands already."""

    def __init__(self, wire: Wire, config: MQTTBroker) -> None:
        is_5 = config.protocol == "5"
        super().__init__(
            CallbackAPIVersion.VERSION2,
            config.client_id,
            clean_session=None if is_5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if is_5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        self._wire = wire

    def _create_socket(self) -> Any:
        return self._wire


class Link:
    """One connection to a broker, to publish over.

    Args:
        config: the broker.

    Attributes:
        ended: done, with the reason, when it has ended.
    """

    def __init__(self, config: MQTTBroker) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._config = config
        self._is_5 = config.protocol == "5"
        self._wire = Wire(limit=_MOST_PACKET, has_properties=self._is_5)
        self._wire.on_packet = self._read
        self._wire.on_lost = self._on_lost
        client = self._client = _Client(self._wire, config)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        client.on_socket_register_write = lambda *_: self._write_soon()
        if config.username:
            client.username_pw_set(config.username, config.password.get_secret_value() or None)
        self._is_connected = False
        self._will_write = False
        self._largest: int | None = None
        self._let_in: asyncio.Future[None] = loop.create_future()
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)
        self._timer: asyncio.TimerHandle | None = None
        self.ended: asyncio.Future[Any] = loop.create_future()

    async def open(self) -> None:
        """Connect and log in. Raises what keeps us from it."""
        config = self._config
        context = await tls_context(config)
        await self._loop.create_connection(
            lambda: self._wire,
            config.host,
            config.port,
            ssl=context,
            server_hostname=config.host if context is not None else None,
        )
        self._is_connected = True
        if self._is_5:
            self._client.connect(config.host, config.port, config.keepalive, clean_start=True)
        else:
            self._client.connect(config.host, config.port, config.keepalive)
        self._timer = self._loop.call_later(self._tick, self._on_tick)
        await self._unless_ended(self._let_in)

    async def publish(self, topic: str, payload: bytes, rule: OutgoingRule) -> None:
        """Publish a message as a rule says, and wait until the broker has it.

        Raises:
            PublishRefused: the broker does not take it.
            BrokerGone, BrokerEnds, OSError: the connection ended first.
        """
        size = len(topic.encode()) + len(payload) + _PACKET_HEAD
        if self._largest is not None and size > self._largest:
            reason = f"the message has {size:,} bytes, the broker takes packets of {self._largest:,}"
            raise PublishRefused(reason, 0x95)
        async with self._room if rule.qos else nullcontext():
            await self._published(topic, payload, rule)

    async def _published(self, topic: str, payload: bytes, rule: OutgoingRule) -> None:
        sent = self._client.publish(topic, payload, rule.qos, rule.retain, self._properties(rule))
        if sent.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise BrokerGone(f"nothing can be sent ({sent.rc.name})")
        self._write()
        if rule.qos:
            await self._taken(sent.mid)

    async def _taken(self, packet_id: int) -> None:
        taken = self._waiting[packet_id] = self._loop.create_future()
        try:
            await self._unless_ended(taken)
        finally:
            self._waiting.pop(packet_id, None)

    async def close(self) -> None:
        """Leave."""
        if self._timer is not None:
            self._timer.cancel()
        if not self.ended.done() and self._let_in.done():
            self._client.disconnect()
            self._write()
        self._end(BrokerGone("it was closed"))
        self._wire.close()
        if self._is_connected:
            await asyncio.wait([self._wire.gone], timeout=_LEAVING_SECONDS)
        self._wire.abort()

    def _properties(self, rule: OutgoingRule) -> Properties | None:
        if not self._is_5:
            return None
        said = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        said.ContentType = _TYPE
        said.PayloadFormatIndicator = 1
        said.UserProperty = (SENT_BY, rule.mark)
        return said

    async def _unless_ended(self, answer: asyncio.Future[Any]) -> None:
        await asyncio.wait([answer, self.ended], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise self.ended.result()
        answer.result()

    # --- what the library and the network say ------------------------------------------------------------

    def _on_connect(
        self, _: Client, __: Any, ___: ConnectFlags, reason: ReasonCode, said: Properties | None
    ) -> None:
        self._largest = getattr(said, "MaximumPacketSize", None)
        # the library does not ask
        self._room = asyncio.Semaphore(min(_MOST_AT_ONCE, getattr(said, "ReceiveMaximum", _MOST_AT_ONCE)))
        if self._let_in.done():
            return
        if reason.is_failure:
            self._let_in.set_exception(BrokerRefuses(reason))
        else:
            self._let_in.set_result(None)

    def _on_publish(self, _: Client, __: Any, mid: int, reason: ReasonCode, ___: Properties | None) -> None:
        taken = self._waiting.get(mid)
        if taken is None or taken.done():
            return
        if reason.is_failure:
            taken.set_exception(PublishRefused(str(reason), reason.value))
        else:
            taken.set_result(None)

    def _on_disconnect(
        self, _: Client, __: Any, flags: DisconnectFlags, reason: ReasonCode, ___: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._end(BrokerEnds(reason))
        else:
            self._end(BrokerGone(str(reason)))

    def _on_lost(self, error: Exception | None) -> None:
        self._end(BrokerGone(str(error or "the other side closed it"), was_login=not self._let_in.done()))

    def _end(self, reason: Exception) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)

    def _write_soon(self) -> None:
        if not self._will_write:
            self._will_write = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        self._will_write = False
        self._guarded(self._client.loop_write)
        self._wire.flush()

    def _read(self) -> None:
        self._guarded(self._client.loop_read)

    def _guarded(self, step: Callable[[], object]) -> None:
        """Run the library; what that raises ends the connection."""
        try:
            step()
        except Exception as error:  # noqa: BLE001  # whatever it is, the next delivery connects anew
            self._end(BrokerGone(f"{type(error).__name__}: {error}"))
            self._wire.abort()

    @property
    def _tick(self) -> float:
        return self._config.keepalive / 4

    def _on_tick(self) -> None:
        if not self.ended.done():
            self._guarded(self._client.loop_misc)
            self._timer = self._loop.call_later(self._tick, self._on_tick)
