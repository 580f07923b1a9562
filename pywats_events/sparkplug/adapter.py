"""Sparkplug B messages, read into events."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, TypeAlias

from pywats_events.event import Event
from pywats_events.message import RawMessage, Unreadable
from pywats_events.sparkplug.errors import NoBirth, SparkplugError
from pywats_events.sparkplug.events import Named, Teller
from pywats_events.sparkplug.payload import Payload, read_payload
from pywats_events.sparkplug.rules import handle_of, rule_finder
from pywats_events.sparkplug.settings import SparkplugSettings
from pywats_events.sparkplug.topics import MessageKind, SparkplugTopic

#: The property of a message that holds what its node had said before.
PROPERTY: Final = "sparkplug"
#: Metrics of one message that become something: others wait while they are read.
MAX_TOLD: Final = 5_000
#: Gives what the births of today say of a message; None where they can't be of its time.
Words: TypeAlias = Callable[[SparkplugTopic, Payload, datetime], Mapping[str, Any] | None]


class SparkplugAdapter:
    """Reads a message by its bytes and its property ``sparkplug``, which a ``SparkplugHost`` wrote onto it.

    A message that came before the birth that it needs is read by that birth, if it is replayed after it, in
    the same run of the bridge, and nothing that came between speaks against it.

    Args:
        settings: what metrics become.
        words: gives what the births of today say.
    """

    def __init__(self, settings: SparkplugSettings, words: Words | None = None) -> None:
        self._settings = settings
        self._words = words
        self._find = rule_finder(settings)

    def __call__(self, message: RawMessage) -> Sequence[Event | Unreadable]:
        """Read a message. Commands and the states of hosts give nothing."""
        identity = sha256(f"{message.address}\0".encode(errors="replace") + message.body).hexdigest()[:32]
        source, kind = "", None
        try:
            topic = SparkplugTopic.parse(message.address)
            if not topic.kind.is_told:
                return []
            source, kind = handle_of(topic, self._settings), topic.kind.value
            payload = read_payload(message.body, max_bytes=self._settings.max_bytes)
            known = self._known(topic, payload, message)
            identity = _identity(topic, payload, known, message)
            teller = Teller(topic, payload, message, source=source, identity=identity)
            return list(self._read(teller, known))
        except SparkplugError as error:
            return [Unreadable(identity, str(error), type(error).__name__, source, kind)]

    def _known(self, topic: SparkplugTopic, payload: Payload, message: RawMessage) -> Mapping[str, Any]:
        known: Mapping[str, Any] = message.properties.get(PROPERTY) or {}
        if topic.kind in _TELLING and "aliases" not in known and self._words is not None:
            return self._words(topic, payload, message.received_at) or known
        return known

    def _read(self, teller: Teller, known: Mapping[str, Any]) -> Iterator[Event | Unreadable]:
        kind = teller.topic.kind
        if kind.is_death:
            if not known.get("late"):
                yield teller.died()
                for device in known.get("devices", ()):
                    topic = SparkplugTopic(MessageKind.DDEATH, teller.topic.group, teller.topic.node, device)
                    yield teller.died(handle_of(topic, self._settings), f"died/{device}")
            return
        if kind.is_birth and not known.get("again"):
            yield teller.born()
        named, nameless = _named(teller.payload, known)
        if nameless and known.get("unborn", not known):
            raise NoBirth(
                f"{kind} of {teller.topic.descriptor}: its birth is not known, so nobody can tell what "
                f"{_aliases(nameless)} mean; replay it after the next birth"
            )
        yield from self._tell(teller, named)
        if nameless:
            yield Unreadable(
                f"{teller.identity}/nameless",
                f"{kind} of {teller.topic.descriptor}: {_aliases(nameless)} were not named by its birth",
                NoBirth.__name__,
                teller.source,
                kind.value,
            )

    def _tell(self, teller: Teller, named: Sequence[Named]) -> Iterator[Event | Unreadable]:
        told = 0
        for each in named:
            rule = self._find(teller.topic.descriptor, each.name)
            if rule is None or not each.metric.is_good:
                continue
            told += 1
            if told > MAX_TOLD:
                continue
            try:
                event = teller.tell(each, rule)
            except SparkplugError as error:
                reason = f'{teller.topic.kind} of {teller.topic.descriptor}: metric "{each.name}": {error}'
                part = f"{teller.identity}/{each.metric.index}"
                kind = teller.topic.kind.value
                yield Unreadable(part, reason, type(error).__name__, teller.source, kind)
            else:
                if event is not None:
                    yield event
        yield from teller.readings()
        if told > MAX_TOLD:
            yield Unreadable(
                f"{teller.identity}/beyond",
                f"{teller.topic.kind} of {teller.topic.descriptor}: rules fit {told} metrics, and {MAX_TOLD} "
                "of one message are the most; the others were left out: let rules fit what WATS shall know",
                "TooManyMetrics",
                teller.source,
                teller.topic.kind.value,
            )


_TELLING: Final = frozenset({MessageKind.NDATA, MessageKind.DDATA})


def _named(payload: Payload, known: Mapping[str, Any]) -> tuple[list[Named], list[int]]:
    """Give the metrics by their names, and the aliases that stand for none."""
    aliases, types = known.get("aliases", {}), known.get("types", {})
    named: list[Named] = []
    nameless: list[int] = []
    for metric in payload.metrics:
        name = metric.name
        if metric.anchor is not None:
            base = aliases.get(str(metric.anchor))
            if base is None:
                nameless.append(metric.anchor)
                continue
            name = f"{base}/{name}" if name else base
        if name:
            kind, unit = types.get(name, (None, None))
            named.append(Named(metric, name, kind, metric.unit or unit))
    return named, nameless


def _aliases(nameless: Sequence[int]) -> str:
    shown = ", ".join(str(alias) for alias in nameless[:5])
    return f"aliases {shown}" + (f" and {len(nameless) - 5} others" if len(nameless) > 5 else "")  # noqa: PLR2004


def _identity(topic: SparkplugTopic, payload: Payload, known: Mapping[str, Any], message: RawMessage) -> str:
    """Give what makes a message itself, so that a second delivery of it is known.

    Its session tells equal messages of two sessions apart, for nodes without a clock. The time of the birth
    is left out: after a crash of ours the node is asked to be born again, and the message must stay itself.
    """
    session: object = known.get("session")
    sent: object = payload.timestamp
    if topic.kind is MessageKind.NBIRTH:
        session = payload.bdseq
    elif topic.kind is MessageKind.NDEATH:
        # its bytes were written when the session began, and some nodes never change them
        session = payload.bdseq, known.get("born")
    if sent is None and (topic.kind is not MessageKind.NDEATH or known.get("born") is None):
        sent = message.properties.get("identity") or message.received_at.isoformat()
    head = f"{topic.kind}\0{topic.descriptor}\0{session}\0{payload.seq}\0{sent}\0"
    return sha256(head.encode(errors="replace") + message.body).hexdigest()[:32]
