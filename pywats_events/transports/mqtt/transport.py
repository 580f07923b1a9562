"""The MQTT transport: subscriptions at a broker, read through every outage."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from paho.mqtt.client import MQTTMessage

from pywats_events.event import Event
from pywats_events.journal.interface import Journal, JournalError
from pywats_events.mapping.topics import TopicPattern
from pywats_events.message import Adapter, RawMessage, Unreadable
from pywats_events.policies import RetryPolicy
from pywats_events.transports.base import BaseTransport, Intake
from pywats_events.transports.mqtt.acknowledgements import Unacknowledged
from pywats_events.transports.mqtt.config import MQTTConfig, Subscription
from pywats_events.transports.mqtt.connection import Connection, answers
from pywats_events.transports.mqtt.content import (
    content_type_of,
    properties_of,
    topic_of,
    user_properties_of,
)
from pywats_events.transports.mqtt.identity import CLIENT_ID, IDENTITY, PACKET_ID, Recognition
from pywats_events.transports.mqtt.taking import Taking
from pywats_events.transports.mqtt.tally import Tally
from pywats_events.transports.mqtt.troubles import (
    BrokerEnds,
    BrokerGone,
    IntakeFailed,
    ReadingFailed,
    ThrownOut,
    explain,
)
from pywats_events.transports.mqtt.wire import Oversized

log = structlog.get_logger(__name__)

#: Seconds to stay away when another client has our identity: coming back would throw that one out.
_TAKEOVER_DELAY: Final = 300.0
#: A connection that a broker in good health ends sooner than this, without a word, was taken from us.
_SHORT_SECONDS: Final = 60.0
#: So many of them in a row, and we stay away.
_THROWN_OUT: Final = 3
#: Brokers whose limit of unacknowledged messages we can't set have one of tens, rarely of hundreds.
_LEAST_REACH: Final = 1000
#: Topics whose subscription is remembered.
_KNOWN_TOPICS: Final = 4096


class MQTTTransport(BaseTransport):
    """Receives the messages of its subscriptions.

    A supervisor task connects, reads until the connection ends, says why, waits, and connects again, to the
    next broker where there are several. A message of QoS 1 or 2 is acknowledged only through
    ``RawMessage.ack``, in the order in which messages came; what is not acknowledged when a connection ends
    is sent again by the broker over the next one. So ``RawMessage.release`` has nothing to do but to leave it
    at that: MQTT has no way to give a single message back.

    Args:
        config: broker and subscriptions.
        adapter: reads the messages.
        name: identity among the transports of a bus.
        journal: the one that the bus writes to. What was taken in last is read from it at the start, so that
            a message that comes again after a crash is known again, however late that is.
        keeps_session: let the broker keep our session while we are away, with what is published then. Off:
            each connection begins with nothing and leaves nothing behind, for who only listens for a while.

    Attributes:
        connected: True while messages can come.
        last_error: why they could not the last time, and what to do; None when there never was a reason.
        tally: what was received and acknowledged so far.
    """

    def __init__(
        self,
        config: MQTTConfig,
        *,
        adapter: Adapter,
        name: str = "mqtt",
        journal: Journal | None = None,
        keeps_session: bool = True,
    ) -> None:
        self.config = config
        self.name = name
        self.adapter = adapter
        self.connected = False
        self.last_error: str | None = None
        self.tally = Tally()
        self._journal = journal
        self._keeps_session = keeps_session
        self._reach = max(_LEAST_REACH, 2 * config.receive_maximum)
        self._recognition = Recognition(window=config.duplicate_window, reach=self._reach)
        self._patterns: list[tuple[TopicPattern, Subscription]] = [
            (one.pattern, one) for one in config.subscriptions
        ]
        self._known_topics: dict[str, Subscription | None] = {}
        self._delays = RetryPolicy(
            initial_delay=config.reconnect_initial_delay, max_delay=config.reconnect_max_delay
        )
        self._supervisor: asyncio.Task[None] | None = None
        self._taking: Taking | None = None
        self._connection: Connection | None = None
        self._announced: bool | None = None
        self._brokers = config.brokers
        self._turn = 0
        self._failures = 0
        self._thrown_out = 0
        self._let_in_at: float | None = None
        self._reached = False
        self._reasons: dict[int, str] = {}
        self._hints: set[str] = set()
        self._had_session: set[int] = set()
        self._has_recalled = journal is None

    @property
    def broker(self) -> MQTTConfig:
        """The broker in use, or to be tried next."""
        return self._brokers[self._turn]

    async def start(self, intake: Intake) -> None:
        """Begin to connect and to read."""

        async def receive(message: RawMessage, adapter: Adapter | None) -> None:
            await intake.receive(message, adapter=adapter)

        self._taking = Taking(
            receive,
            name=self.name,
            most=self.config.receive_maximum,
            delays=self._delays,
            tally=self.tally,
            on_change=self._steer,
            on_refusal=self._on_refusal,
            on_fault=self._on_fault,
        )
        self._supervisor = asyncio.create_task(self._supervise(intake), name=f"transport {self.name}")

    async def stop(self) -> None:
        """Read no more and give up what the intake does not have. What it has can still be acknowledged."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            supervisor.cancel()
            await asyncio.wait([supervisor])
        if self._connection is not None:
            self._connection.hold(is_held=True)
        if self._taking is not None:
            await self._taking.stop()
        self.connected = False

    async def close(self) -> None:
        """Send the last acknowledgements and leave the broker."""
        await self.stop()
        if self._connection is not None:
            self._connection.publish_status("offline")
        await self._end_connection()

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Publish a message over the connection that there is.

        Returns when it is sent (QoS 0), or when the broker says that it has it; that is not heard while
        reading pauses because the journal is behind. One at a time is under way.

        Args:
            topic: where.
            payload: what.
            qos: 0, 1 or 2.
            retain: the broker is to keep it for who subscribes later.

        Raises:
            BrokerGone: there is no connection, or it ended before the broker had the message.
            PublishRefused: the broker does not take it.
            ValueError: the topic is none, or a pattern.
        """
        connection = self._connection
        if connection is None:
            raise BrokerGone("there is no connection to the broker")
        await connection.publish(topic, payload, qos=qos, retain=retain)

    # --- connections -------------------------------------------------------------------------------------

    async def _supervise(self, intake: Intake) -> None:
        trouble: Exception | None = None
        while True:
            try:
                if trouble is not None:
                    reason, trouble = await self._judged(trouble), None
                    await self._lost(reason, intake)
                    await self._before_the_next(reason)
                await self._read(intake)
            except Exception as error:  # noqa: BLE001  # the one place: whatever ends a connection, another follows
                trouble = error

    async def _read(self, intake: Intake) -> None:
        """Read over one connection. Raises what ended it."""
        self._let_in_at, self._reached = None, False
        await self._recall()
        connection: Connection
        connection = self._connection = Connection(
            self.broker,
            on_message=lambda message, payload, qos: self._arrived(connection, message, payload, qos),
            on_oversized=lambda oversized: self._refuse(connection, oversized),
            keeps_session=self._keeps_session,
        )
        await connection.open()
        self._let_in_at = asyncio.get_running_loop().time()
        self.tally.connections += 1
        self._note_session(connection)
        await connection.subscribe()
        self._tell(connection.hints)
        connection.publish_status("online")
        self._steer()
        await self._announce_connected(connection, intake)
        await asyncio.wait([connection.ended])
        raise connection.ended.result()

    async def _recall(self) -> None:
        """Remember what an earlier run of the program took in last."""
        if self._journal is not None and not self._has_recalled:
            ours = {CLIENT_ID: self.config.client_id}  # others may share the journal
            last = await self._journal.recent_messages(self.name, limit=self._reach, having=ours)
            self._recognition.recall(reversed(last))
            self._has_recalled = True

    def _note_session(self, connection: Connection) -> None:
        if not connection.has_session:
            self._recognition.begin_session()
        is_kept = self._keeps_session and self.config.session_expiry
        if is_kept and not connection.has_session and self._turn in self._had_session:
            log.warning(
                "the broker has lost our session: what was published while we were away is lost; see whether "
                "it keeps sessions on disk, and for how long",
                transport=self.name,
                broker=self.broker.broker,
            )
        self._had_session.add(self._turn)

    async def _announce_connected(self, connection: Connection, intake: Intake) -> None:
        self.connected = self._reached = True
        self._reasons.clear()
        if not self._announced:
            self._announced = True
            session = "session resumed" if connection.has_session else "new session"
            count = len(self.config.subscriptions)
            what = f"{count} subscriptions" if count > 1 else f'"{self.config.subscriptions[0].topic}"'
            await intake.connected(self.name, f"{what} at {self.broker.broker}, {session}")

    async def _judged(self, error: Exception) -> Exception:
        """Find out whether a connection that ended without a word was taken from us by another client.

        MQTT 5 has a word for that, which not every broker says, and MQTT 3.1.1 has none. But a broker that
        listens is one that has not died.
        """
        lasted = asyncio.get_running_loop().time() - (self._let_in_at or 0)
        was_silent = self._let_in_at is not None and isinstance(error, BrokerGone) and error.was_silent
        if was_silent and await answers(self.broker):
            self._thrown_out = self._thrown_out + 1 if lasted < _SHORT_SECONDS else 1
            return ThrownOut(for_good=self._thrown_out >= _THROWN_OUT)
        self._thrown_out = 0
        return error

    async def _lost(self, error: Exception, intake: Intake) -> None:
        """Say why the connection ended, in one line for each reason, and let it go."""
        self.connected = False
        reason = explain(error, self.broker)
        if isinstance(error, IntakeFailed | ReadingFailed):
            log.error("reading a message failed", transport=self.name, exc_info=error)
        is_news = self._announced is not False
        if not is_news and reason != self._reasons.get(self._turn):
            # The first reason is told by the intake; this is another one, found while trying again.
            log.warning("still not connected", transport=self.name, reason=reason)
        self.last_error = self._reasons[self._turn] = reason
        await self._end_connection()
        if is_news:
            self._announced = False
            await intake.disconnected(self.name, reason)

    async def _before_the_next(self, error: Exception) -> None:
        """Choose the broker to try next, and wait before a round begins.

        A connection has to last longer than the longest wait to be followed by a short one: two clients that
        throw each other out, or a broker that ends each connection, are not to be answered quickly for ever.
        """
        if (isinstance(error, BrokerEnds) and error.is_takeover) or (
            isinstance(error, ThrownOut) and error.for_good
        ):
            self._turn = self._thrown_out = 0
            await asyncio.sleep(_TAKEOVER_DELAY)
            return
        if self._reached:
            self._turn = 0
            lasted = asyncio.get_running_loop().time() - (self._let_in_at or 0)
            if lasted > self.config.reconnect_max_delay:
                self._failures = 0
        else:
            self._turn = (self._turn + 1) % len(self._brokers)
            if self._turn > 0:
                return
        self._failures += 1
        await asyncio.sleep(self._delays.delay(self._failures))

    async def _end_connection(self) -> None:
        connection, self._connection = self._connection, None
        if self._taking is not None:
            self._taking.connection_ended()
        if connection is not None:
            await connection.close()

    def _tell(self, hints: Sequence[str]) -> None:
        """Tell each hint once, however often we connect."""
        for hint in hints:
            if hint not in self._hints:
                self._hints.add(hint)
                log.warning(hint, transport=self.name, broker=self.broker.broker)

    # --- messages ----------------------------------------------------------------------------------------

    def _arrived(self, connection: Connection, message: MQTTMessage, payload: bytes, qos: int) -> None:
        """Hand a message to the intake. Called by the library, in the order of arrival."""
        self.tally.received += 1
        expected = connection.acknowledgements.received(message.mid, qos) if qos else None
        topic = topic_of(message)
        subscription = self._subscription_of(topic)
        if message.retain and (subscription is None or subscription.retained == "ignore"):
            self.tally.ignored += 1
            self._settle(connection, expected)
            return
        properties = {**properties_of(message, qos=qos), CLIENT_ID: self.config.client_id}
        received_at = datetime.now(UTC)
        properties[IDENTITY] = self._recognition.identify(
            topic,
            payload,
            at=received_at,
            packet_id=message.mid,
            dup=bool(message.dup),
            retained=bool(message.retain),
            given=self._given_identity(message),
        )
        if subscription is not None:
            properties["subscription"] = subscription.topic
        self._offer(
            connection,
            expected,
            RawMessage(
                body=payload,
                content_type=content_type_of(message.properties),
                transport=self.name,
                address=topic,
                properties=properties,
                received_at=received_at,
                ack=partial(self._acknowledge, connection, expected),
                release=self._release,
            ),
        )

    def _refuse(self, connection: Connection, oversized: Oversized) -> None:
        """Keep of a message that is too large what lets people see what it is, as a dead letter."""
        self.tally.received += 1
        self.tally.oversized += 1
        log.warning("message not taken", transport=self.name, topic=oversized.topic, reason=oversized.reason)
        expected = None
        if oversized.qos:
            expected = connection.acknowledgements.received(oversized.packet_id, oversized.qos)
        received_at = datetime.now(UTC)
        identity = self._recognition.identify(
            oversized.topic,
            oversized.beginning + b"%d" % oversized.size,
            at=received_at,
            packet_id=oversized.packet_id,
            dup=oversized.dup,
            retained=oversized.retain,
        )
        message = RawMessage(
            body=oversized.beginning,
            transport=self.name,
            address=oversized.topic,
            properties={
                "qos": oversized.qos,
                "retain": oversized.retain,
                "dup": oversized.dup,
                PACKET_ID: oversized.packet_id,
                CLIENT_ID: self.config.client_id,
                IDENTITY: identity,
                "packet_bytes": oversized.size,
            },
            received_at=received_at,
            ack=partial(self._acknowledge, connection, expected),
            release=self._release,
        )
        reason = (
            f'the message on "{oversized.topic}" {oversized.reason}, so it was not taken; its beginning is '
            "kept. Send less in one message, or raise max_packet_bytes"
        )
        self._offer(connection, expected, message, adapter=partial(_too_large, identity, reason))

    def _offer(
        self,
        connection: Connection,
        expected: Unacknowledged | None,
        message: RawMessage,
        *,
        adapter: Adapter | None = None,
    ) -> None:
        if self._taking is not None and connection is self._connection:
            self._taking.offer(message, comes_again=expected is not None, adapter=adapter)

    def _subscription_of(self, topic: str) -> Subscription | None:
        """Give the first subscription that matches."""
        if topic in self._known_topics:
            return self._known_topics[topic]
        found = next((one for pattern, one in self._patterns if pattern.match(topic) is not None), None)
        if len(self._known_topics) >= _KNOWN_TOPICS:
            self._known_topics.clear()
        self._known_topics[topic] = found
        return found

    def _given_identity(self, message: MQTTMessage) -> str | None:
        name = self.config.identity_property
        given = user_properties_of(message.properties).get(name) if name else None
        return given if isinstance(given, str) and given else None

    async def _acknowledge(self, connection: Connection, expected: Unacknowledged | None) -> None:
        self._settle(connection, expected)

    def _settle(self, connection: Connection, expected: Unacknowledged | None) -> None:
        if expected is None:
            return
        if connection.ended.done():
            self.tally.late += 1
        else:
            self.tally.acknowledged += connection.acknowledgements.acknowledge(expected)

    async def _release(self) -> None:
        """Leave a message unacknowledged: the broker sends it again over the next connection."""
        self.tally.released += 1

    def _steer(self) -> None:
        """Read on, or leave more with the broker, by how much waits for the journal."""
        if self._connection is not None and self._taking is not None and self._supervisor is not None:
            self._connection.hold(self._taking.is_full)

    def _on_refusal(self, error: JournalError) -> None:
        self.last_error = f"reading pauses, the journal refuses messages: {error}"

    def _on_fault(self, error: Exception) -> None:
        if self._connection is not None and not self._connection.ended.done():
            failure = IntakeFailed(f"a message could not be taken in: {type(error).__name__}: {error}")
            failure.__cause__ = error
            self._connection.ended.set_result(failure)


def _too_large(identity: str, reason: str, _: RawMessage) -> Sequence[Event | Unreadable]:
    return [Unreadable(id=identity, reason=reason, error="MessageTooLarge")]
