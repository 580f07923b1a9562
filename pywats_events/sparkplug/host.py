"""The side of Sparkplug that listens: it knows who was born, and sees what was missed."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import structlog

from pywats_events.message import RawMessage
from pywats_events.sparkplug.adapter import PROPERTY, SparkplugAdapter
from pywats_events.sparkplug.births import Births, Node
from pywats_events.sparkplug.errors import SparkplugError
from pywats_events.sparkplug.payload import Payload, read_payload
from pywats_events.sparkplug.settings import SparkplugSettings
from pywats_events.sparkplug.topics import MessageKind, SparkplugTopic
from pywats_events.sparkplug.writing import rebirth_request

log = structlog.get_logger(__name__)

#: Messages that wait for births at a time; what comes beyond is not held back. A transport stops reading when
#: some hundreds are not taken in, and would not see the birth.
MAX_WAITING: Final = 200
_SEQ: Final = 256
_UNBORN: Final[dict[str, Any]] = {"unborn": True}

#: Sends a command: topic and payload. It must return at once.
Send: TypeAlias = Callable[[str, bytes], None]
_Said: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    payload: Payload
    received_at: datetime
    said: asyncio.Future[_Said]


@dataclass(slots=True, eq=False)
class _Door:
    """Messages of one node or device that wait for its birth.

    Attributes:
        waiting: oldest first.
        passing: those that wait no more and are not through yet. Others go behind them.
    """

    waiting: list[_Waiter] = field(default_factory=list)
    passing: int = 0

    def open(self, words_of: Callable[[_Waiter], _Said | None] | None = None) -> None:
        """Let go on who waits, in order, with what is known of them now or with nothing.

        It is settled here and now: the next death or birth may come before they run.
        """
        for waiter in self.waiting:
            if not waiter.said.done():
                waiter.said.set_result((words_of and words_of(waiter)) or _UNBORN)
                self.passing += 1
        self.waiting.clear()

    @property
    def is_idle(self) -> bool:
        return not self.waiting and not self.passing


class SparkplugHost:
    """Follows the births, deaths and numbers of edge nodes, and writes onto each message what it leaves out.

    A message that speaks by alias can only be read with the birth that came before. So each message is given
    these names and types as its property ``sparkplug`` when it arrives. They are kept with it, and reading
    it again needs nothing else.

    A message whose birth was missed waits while its node is asked to be born again. Where the node does not
    answer, the message goes on without: it becomes a dead letter, which can be replayed once a birth came.

    A gap in the numbers means that values were missed; what comes after them is read as ever, and the node is
    asked to be born again, which tells the present values.

    Args:
        settings: how messages are read.
        clock: seconds that only grow.
        wall: seconds since 1970.

    Attributes:
        adapter: reads the messages.
        send: sends commands to nodes; None where nothing can be published.
    """

    def __init__(
        self,
        settings: SparkplugSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._wall = wall
        self._births = Births()
        self._doors: defaultdict[tuple[str, str | None], _Door] = defaultdict(_Door)
        self._waiting = 0
        self._was_away = False
        self.adapter = SparkplugAdapter(settings, self._births.words_for)
        self.send: Send | None = None

    async def prepare(self, message: RawMessage) -> None:
        """Note what a message says of births, and write onto it what its node said before.

        Called for the messages in the order of their arrival, for many at a time. Returns at once unless a
        birth has to be waited for; messages of one node or device return in order. A message that was
        prepared before, because the journal refused it or it comes from a recording, is left as it is.
        """
        if PROPERTY in message.properties:
            return
        try:
            topic = SparkplugTopic.parse(message.address)
            if not topic.kind.is_told:
                return
            payload = read_payload(message.body, max_bytes=self._settings.max_bytes)
            said = self._note(topic, payload, message)
        except SparkplugError:
            return  # the adapter finds the same, and says it
        key = (topic.of_node, topic.device)
        if said is None:
            said = await self._wait(self._doors[key], payload, message.received_at)
        elif key in self._doors:
            await self._go_behind(self._doors[key])
        if key in self._doors and self._doors[key].is_idle:
            del self._doors[key]
        message.properties = {**message.properties, PROPERTY: said}

    def disconnected(self) -> None:
        """Trust no birth any more: from now on others may be missed.

        Where nodes may not be asked, their births hold on: no others will come soon.
        """
        if self._can_ask:
            self._was_away = True
            for node in self._births.all().values():
                node.await_births(self._now())

    def connected(self) -> None:
        """Ask the nodes for the births that may have been missed while the transport was away."""
        if not self._was_away:
            return
        self._was_away = False
        for name, node in self._births.all().items():
            group, _, node_id = name.partition("/")
            self._ask(SparkplugTopic(MessageKind.NDATA, group, node_id), node, "the connection was away")

    def give_up(self) -> None:
        """Let all that wait for births go on without: it is time to stop."""
        for door in self._doors.values():
            door.open()

    # --- what messages say -------------------------------------------------------------------------------

    def _note(self, topic: SparkplugTopic, payload: Payload, message: RawMessage) -> _Said | None:
        """Give what is known for a message; None if it has to wait for a birth."""
        node = self._births.node(topic)
        repeated = bool(message.properties.get("dup"))
        if topic.kind is MessageKind.NDEATH:
            return self._node_died(topic, node, payload)
        if topic.kind is MessageKind.NBIRTH:
            return self._node_born(topic, node, payload, message, repeated=repeated)
        self._follow(topic, node, payload, repeated=repeated)
        if topic.kind is MessageKind.DDEATH:
            cost = node.cost
            node.births.pop(topic.device, None)
            self._births.changed(node, cost)
            self._open(topic)
            return {"session": node.bdseq}
        if topic.kind is MessageKind.DBIRTH:
            return self._device_born(topic, node, payload, message)
        return self._told(topic, node, payload, message)

    def _node_born(
        self, topic: SparkplugTopic, node: Node, payload: Payload, message: RawMessage, *, repeated: bool
    ) -> _Said:
        if repeated and node.is_alive and node.born is not None and (payload.timestamp or 0) <= node.born:
            return {"again": True}  # the broker sends it a second time; others have followed it
        bdseq = payload.bdseq
        is_again = node.is_alive and bdseq == node.bdseq
        cost = node.cost
        if not is_again and node.is_alive:  # its death was missed
            node.births.clear()
        for birth in node.births.values():
            birth.is_present = False
        node.bdseq, node.born = bdseq, payload.timestamp
        node.next_seq = None if payload.seq is None else (payload.seq + 1) % _SEQ
        own = node.birth_of(None, message.received_at)
        if own is not None:
            own.learn(payload, message.received_at)
        self._births.changed(node, cost)
        self._open(topic)
        return {"again": is_again}

    def _device_born(self, topic: SparkplugTopic, node: Node, payload: Payload, message: RawMessage) -> _Said:
        if not node.is_alive:
            self._ask(topic, node, "a device was born, and the birth of its node is not known")
        cost = node.cost
        birth = node.birth_of(topic.device, message.received_at)
        is_again = birth is not None and birth.is_alive
        if birth is not None:
            birth.learn(payload, message.received_at)
        self._births.changed(node, cost)
        self._open(topic)
        return {"session": node.bdseq, "again": is_again}

    def _node_died(self, topic: SparkplugTopic, node: Node, payload: Payload) -> _Said:
        bdseq = payload.bdseq
        if None not in (bdseq, node.bdseq) and bdseq != node.bdseq:
            log.info("death of an earlier session ignored", node=topic.of_node, died=bdseq, lives=node.bdseq)
            return {"late": True}
        devices = [name for name, birth in node.births.items() if name is not None and birth.is_alive]
        said = {"born": node.born, "devices": devices}
        cost = node.cost
        node.births.clear()
        node.bdseq = node.born = node.next_seq = None
        self._births.changed(node, cost)
        for (of_node, _), door in self._doors.items():
            if of_node == topic.of_node:
                door.open()
        return said

    def _told(self, topic: SparkplugTopic, node: Node, payload: Payload, message: RawMessage) -> _Said | None:
        cost = node.cost if topic.device not in node.births else None
        birth = node.birth_of(topic.device, message.received_at)
        if cost is not None:
            self._births.changed(node, cost)
        if birth is not None and birth.is_present:
            words = birth.words_for(payload)
            missing = [each for each in payload.metrics if each.anchor is not None]
            if any(str(each.anchor) not in words["aliases"] for each in missing):
                self._ask(topic, node, "it speaks of metrics that its birth did not name")
            return {"session": node.bdseq, **words}
        self._ask(topic, node, f"the birth of {topic.descriptor} is not known")
        asked = node.asked_at
        is_answer_due = asked is not None and self._clock() - asked < self._settings.rebirth_patience
        if self._can_ask and is_answer_due and self._waiting < MAX_WAITING:
            return None
        return _UNBORN

    def _follow(self, topic: SparkplugTopic, node: Node, payload: Payload, *, repeated: bool) -> None:
        """See whether messages are missing before this one."""
        if payload.seq is None or node.next_seq is None:
            return
        if payload.seq != node.next_seq:
            if repeated:
                return
            gap = f"message {node.next_seq} was expected and {payload.seq} came"
            log.warning("messages of a Sparkplug node were missed", node=topic.of_node, reason=gap)
            self._ask(topic, node, gap)
        node.next_seq = (payload.seq + 1) % _SEQ

    # --- asking and waiting ------------------------------------------------------------------------------

    @property
    def _can_ask(self) -> bool:
        return self._settings.rebirth and self.send is not None

    def _ask(self, topic: SparkplugTopic, node: Node, reason: str) -> None:
        """Ask a node to be born again, unless it was asked a short while ago."""
        now = self._clock()
        if self.send is None or not self._settings.rebirth:
            return
        if node.asked_at is not None and now - node.asked_at < self._settings.rebirth_interval:
            return
        node.asked_at = now
        log.info("asking a Sparkplug node for its birth", node=topic.of_node, reason=reason)
        self.send(*rebirth_request(topic.group, topic.node, timestamp=int(self._wall() * 1000)))

    def _open(self, topic: SparkplugTopic) -> None:
        door = self._doors.get((topic.of_node, topic.device))
        if door is not None:
            door.open(lambda one: self._births.words_for(topic, one.payload, one.received_at))

    async def _wait(self, door: _Door, payload: Payload, received_at: datetime) -> _Said:
        waiter = _Waiter(payload, received_at, asyncio.get_running_loop().create_future())
        door.waiting.append(waiter)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._settings.rebirth_patience):
                return await waiter.said
        except TimeoutError:
            return _UNBORN  # the adapter says what it lacks
        finally:
            self._waiting -= 1
            if waiter in door.waiting:
                door.waiting.remove(waiter)
            if not waiter.said.cancelled():
                door.passing -= 1

    async def _go_behind(self, door: _Door) -> None:
        """Let those pass first that waited. They are ready to run, so one turn of the loop is enough."""
        if not door.passing:
            return
        door.passing += 1
        try:
            await asyncio.sleep(0)
        finally:
            door.passing -= 1

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall(), UTC)
