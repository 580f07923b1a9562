"""What the births of edge nodes said, by which their later messages are read."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pywats_events.sparkplug.payload import Payload
from pywats_events.sparkplug.topics import SparkplugTopic

#: Metrics that are known at a time, of all nodes; the nodes that were silent longest are forgotten first.
MAX_KNOWN: Final = 1_000_000
#: Devices of one node.
MAX_DEVICES: Final = 5_000
#: Who is born costs as much to know as so many metrics.
_OWN_COST: Final = 10


@dataclass(slots=True)
class Birth:
    """What the birth of a node or device said of its metrics.

    Attributes:
        since: messages that came at that time or later speak its language. It begins before the birth
            itself where nothing but the birth was missed.
        is_present: False while the birth that holds now is waited for.
        is_alive: it was born and did not die; True also while it is to be born again.
        aliases: the names that aliases stand for.
        types: datatype and engineering unit of each name.
    """

    since: datetime
    is_present: bool = False
    is_alive: bool = False
    aliases: dict[int, str] = field(default_factory=dict)
    types: dict[str, tuple[int, str | None]] = field(default_factory=dict)

    @property
    def cost(self) -> int:
        """How much there is to remember."""
        return _OWN_COST + len(self.types) + len(self.aliases)

    def learn(self, payload: Payload, at: datetime) -> None:
        """Take what a birth says in place of what was known."""
        types = {
            metric.name: (metric.datatype, metric.unit)
            for metric in payload.metrics
            if metric.anchor is None and metric.name and metric.datatype is not None
        }
        if any(self._contradicts(alias, name, types) for alias, name in payload.aliases.items()):
            self.since = at
        self.aliases, self.types = dict(payload.aliases), types
        self.is_present = self.is_alive = True

    def _contradicts(self, alias: int, name: str, types: dict[str, tuple[int, str | None]]) -> bool:
        known = self.aliases.get(alias)
        if known is None:
            return False
        return known != name or self.types.get(name, (0,))[0] != types.get(name, (0,))[0]

    def words_for(self, payload: Payload) -> dict[str, Any]:
        """Give the names and types that a message leaves to the birth, as JSON data."""
        aliases: dict[str, str] = {}
        types: dict[str, list[Any]] = {}
        for metric in payload.metrics:
            name: str | None = metric.name
            if metric.anchor is not None:
                known = self.aliases.get(metric.anchor)
                if known is None:
                    continue
                aliases[str(metric.anchor)] = known
                name = f"{known}/{name}" if name else known
            if name in self.types:
                types[name] = list(self.types[name])
        return {"aliases": aliases, "types": types}


@dataclass(slots=True)
class Node:
    """What is known of an edge node.

    Attributes:
        births: of the node itself (None) and of its devices.
        bdseq: number of its session, which its death will bear.
        born: milliseconds since 1970 of its last birth, by its own clock.
        next_seq: the number that its next message has.
        asked_at: when it was asked for its births last, in seconds of a steady clock.
    """

    births: dict[str | None, Birth] = field(default_factory=dict)
    bdseq: int | None = None
    born: int | None = None
    next_seq: int | None = None
    asked_at: float | None = None

    @property
    def is_alive(self) -> bool:
        """True if it was born and did not die."""
        own = self.births.get(None)
        return own is not None and own.is_alive

    @property
    def cost(self) -> int:
        """How much there is to remember."""
        return _OWN_COST + sum(birth.cost for birth in self.births.values())

    def birth_of(self, device: str | None, at: datetime) -> Birth | None:
        """Give the birth of the node or of a device, begun now if none is known; None for one too many."""
        known = self.births.get(device)
        if known is None and len(self.births) <= MAX_DEVICES:
            known = self.births[device] = Birth(since=at)
        return known

    def await_births(self, at: datetime) -> None:
        """Trust no birth until it is told again: messages may have been missed, births among them."""
        self.next_seq = None
        for birth in self.births.values():
            birth.since, birth.is_present = at, False
            birth.aliases, birth.types = {}, {}


class Births:
    """The nodes that were heard of."""

    def __init__(self) -> None:
        self._nodes: OrderedDict[str, Node] = OrderedDict()
        self._cost = 0

    def node(self, topic: SparkplugTopic) -> Node:
        """Give the node that a message is about; a new one if it was never heard of."""
        node = self._nodes.get(topic.of_node)
        if node is None:
            node = self._nodes[topic.of_node] = Node()
            self.changed(node, 0)
        else:
            self._nodes.move_to_end(topic.of_node)
        return node

    def words_for(
        self, topic: SparkplugTopic, payload: Payload, received_at: datetime
    ) -> dict[str, Any] | None:
        """Give what the birth says of a message that came before it, if it was told in the same language."""
        node = self._nodes.get(topic.of_node)
        birth = None if node is None else node.births.get(topic.device)
        if node is None or birth is None or not birth.is_present or received_at < birth.since:
            return None
        return {"session": node.bdseq, **birth.words_for(payload)}

    def all(self) -> dict[str, Node]:
        """Give the nodes by ``GROUP/NODE``."""
        return dict(self._nodes)

    def changed(self, node: Node, cost_before: int) -> None:
        """Note that a node takes another amount of memory now, and forget others if it is too much."""
        self._cost += node.cost - cost_before
        while self._cost > MAX_KNOWN and len(self._nodes) > 1:
            _, oldest = self._nodes.popitem(last=False)
            self._cost -= oldest.cost
