"""MQTT topics that events are published to, as CloudEvents."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from handlers.outgoing_rules import OutgoingRule
from pywats_events.errors import DestinationUnavailable, PermanentError
from pywats_events.event import Event
from pywats_events.returned import SENT_BY
from pywats_events.transports.mqtt.config import MQTTBroker
from pywats_events.transports.mqtt.line import Line
from pywats_events.transports.mqtt.troubles import (
    BrokerEnds,
    BrokerGone,
    BrokerRefuses,
    ReadingFailed,
    explain,
)

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
        except (OSError, BrokerGone, BrokerEnds, ReadingFailed) as error:
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
                except (OSError, BrokerGone, BrokerEnds, BrokerRefuses, ReadingFailed):
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


class Link:
    """One connection to a broker, to publish over.

    Args:
        config: the broker.

    Attributes:
        ended: done, with the reason, when it has ended.
    """

    def __init__(self, config: MQTTBroker) -> None:
        self._loop = asyncio.get_running_loop()
        self._config = config
        self._is_5 = config.protocol == "5"
        self._line = Line(config, limit=_MOST_PACKET)
        self._client = self._line.client
        self._client.on_publish = self._on_publish
        self._largest: int | None = None
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)
        self.ended = self._line.ended

    async def open(self) -> None:
        """Connect and log in. Raises what keeps us from it."""
        _, said = await self._line.log_in(self._ask)
        self._largest = getattr(said, "MaximumPacketSize", None)
        # the library does not ask
        self._room = asyncio.Semaphore(min(_MOST_AT_ONCE, getattr(said, "ReceiveMaximum", _MOST_AT_ONCE)))

    async def publish(self, topic: str, payload: bytes, rule: OutgoingRule) -> None:
        """Publish a message as a rule says, and wait until the broker has it.

        Raises:
            PublishRefused: the broker does not take it.
            BrokerGone, BrokerEnds, ReadingFailed, OSError: the connection ended first.
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
        self._line.write()
        if rule.qos:
            await self._taken(sent.mid)

    async def _taken(self, packet_id: int) -> None:
        taken = self._waiting[packet_id] = self._loop.create_future()
        try:
            await self._line.first(taken)
        finally:
            self._waiting.pop(packet_id, None)

    async def close(self) -> None:
        """Leave."""
        await self._line.close()

    def _ask(self) -> None:
        config = self._config
        if self._is_5:
            self._client.connect(config.host, config.port, config.keepalive, clean_start=True)
        else:
            self._client.connect(config.host, config.port, config.keepalive)

    def _properties(self, rule: OutgoingRule) -> Properties | None:
        if not self._is_5:
            return None
        said = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        said.ContentType = _TYPE
        said.PayloadFormatIndicator = 1
        said.UserProperty = (SENT_BY, rule.mark)
        return said

    def _on_publish(self, _: Client, __: Any, mid: int, reason: ReasonCode, ___: Properties | None) -> None:
        taken = self._waiting.get(mid)
        if taken is None or taken.done():
            return
        if reason.is_failure:
            taken.set_exception(PublishRefused(str(reason), reason.value))
        else:
            taken.set_result(None)
