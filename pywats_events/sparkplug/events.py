"""What Sparkplug metrics, births and deaths mean as domain events."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pywats_events.event import Event, EventMetadata, EventType
from pywats_events.message import RawMessage
from pywats_events.payloads import (
    AssetCountersEvent,
    AssetDisconnectedEvent,
    AssetStateChangedEvent,
    DomainModel,
    ReadingsRecordedEvent,
    UnitIdentifiedEvent,
    UnitPlace,
)
from pywats_events.sparkplug.datatypes import Value, datatype, time_of
from pywats_events.sparkplug.errors import SparkplugError
from pywats_events.sparkplug.payload import Metric, Payload
from pywats_events.sparkplug.settings import MetricRule
from pywats_events.sparkplug.topics import MessageKind, SparkplugTopic

#: The codes of SEMI E10/E58, as far as they go.
_STATE_CODES: Final = range(1000, 7000)
#: The largest count that a payload can tell.
_MOST: Final = (1 << 64) - 1
_NOT_FINITE: Final = {math.inf: "Infinity", -math.inf: "-Infinity"}


@dataclass(frozen=True, slots=True)
class Named:
    """A metric with what its birth said of it.

    Attributes:
        name: its whole name.
        born_as: number of the datatype that its birth gave it.
        unit: its engineering unit.
    """

    metric: Metric
    name: str
    born_as: int | None
    unit: str | None

    def value(self) -> Value | None:
        """Read the value; None where it is null.

        Raises:
            SparkplugError: its type is not known or not that of its birth, or it does not fit its type.
        """
        told = self.metric.datatype
        if None not in (told, self.born_as) and told != self.born_as and self.metric.anchor is not None:
            raise SparkplugError(
                f"born as {datatype(self.born_as or 0).name} and told as {datatype(told or 0).name}: "
                "its alias may stand for another metric now"
            )
        return self.metric.value(told or self.born_as)


class Teller:
    """Makes the events of one message.

    Args:
        topic: who tells it.
        payload: what was told.
        message: the message.
        source: handle of whom it is about.
        identity: what makes the message itself.
    """

    def __init__(
        self, topic: SparkplugTopic, payload: Payload, message: RawMessage, *, source: str, identity: str
    ) -> None:
        self.topic = topic
        self.payload = payload
        self.source = source
        self.identity = identity
        self._message = message
        self._readings: defaultdict[tuple[int | None, bool], list[tuple[Named, dict[str, Any]]]]
        self._readings = defaultdict(list)
        self._units: defaultdict[int | None, set[str]] = defaultdict(set)

    # --- births and deaths -------------------------------------------------------------------------------

    def born(self) -> Event:
        """One ASSET_CONNECTED."""
        return self._event(EventType.ASSET_CONNECTED, {"asset_id": self.source}, "born", self._sent_at())

    def died(self, handle: str | None = None, part: str = "died") -> Event:
        """One ASSET_DISCONNECTED, of the sender or of another."""
        handle = handle or self.source
        # the bytes of a node's death were written when it connected, and so was their time
        is_of_now = self.topic.kind is MessageKind.DDEATH
        at = self._sent_at() if is_of_now else self._message.received_at
        payload = AssetDisconnectedEvent(asset_id=handle)
        return self._event(EventType.ASSET_DISCONNECTED, payload, part, at, source=handle)

    # --- metrics -----------------------------------------------------------------------------------------

    def tell(self, named: Named, rule: MetricRule) -> Event | None:
        """Give the event of a metric; None where there is none, or ``readings`` will give it.

        Raises:
            SparkplugError: the metric can't become what the rule says.
        """
        value = named.value()
        if value is None:
            return None
        if rule.becomes == "state":
            return self._state(named, rule, value)
        if rule.becomes == "counter":
            return self._counter(named, rule, value)
        if rule.becomes == "unit":
            return self._unit(named, value)
        if rule.becomes == "reading":
            measured = _measured(value) | {"name": rule.label or named.name}
            if measured["kind"] == "numeric" and (rule.unit or named.unit):
                measured["unit"] = rule.unit or named.unit
            measured["recorded_at"] = self._time(named.metric).isoformat()
            self._readings[_own_time(named), rule.of_unit].append((named, measured))
        return None

    def readings(self) -> Iterator[Event]:
        """One READINGS_RECORDED of all present readings, and one for each time of historical ones.

        Those of a unit are apart from those of the machine.
        """
        for (own_time, of_unit), taken in self._readings.items():
            units = self._units[own_time] if of_unit else ()
            payload = ReadingsRecordedEvent(
                asset_id=self.source, unit_id=next(iter(units)) if len(units) == 1 else None
            ).to_payload()
            payload["tests"] = [{"name": "Readings", "measurements": [measured for _, measured in taken]}]
            first = taken[0][0].metric
            at = self._sent_at() if own_time is None else self._time(first)
            yield self._event(EventType.READINGS_RECORDED, payload, f"{first.index}/readings", at)

    def _state(self, named: Named, rule: MetricRule, value: Value) -> Event:
        word = _word(value)
        code = rule.values.get(word)
        if code is None and not rule.values and isinstance(value, int) and value in _STATE_CODES:
            code = value
        payload = AssetStateChangedEvent(
            asset_id=self.source, new_state=code, new_state_said=word if code is None else None
        )
        return self._of_metric(EventType.ASSET_STATE_CHANGED, payload, named)

    def _counter(self, named: Named, rule: MetricRule, value: Value) -> Event:
        count = int(value) if isinstance(value, float) and value.is_integer() else value
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= _MOST:
            raise SparkplugError(f"{_word(value)} is no count")
        payload = AssetCountersEvent(
            asset_id=self.source,
            counted=rule.label or named.name,
            done=count,
            ended_at=self._time(named.metric),
        )
        return self._of_metric(EventType.ASSET_COUNTERS, payload, named)

    def _unit(self, named: Named, value: Value) -> Event | None:
        unit = _word(value).strip()
        if self.topic.kind.is_birth or not unit:
            return None  # a birth tells what was scanned last, and that was told when it was scanned
        self._units[_own_time(named)].add(unit)
        payload = UnitIdentifiedEvent(units=[UnitPlace(unit_id=unit)])
        return self._of_metric(EventType.UNIT_IDENTIFIED, payload, named)

    # --- events ------------------------------------------------------------------------------------------

    def _of_metric(self, event_type: EventType, payload: DomainModel, named: Named) -> Event:
        return self._event(event_type, payload, str(named.metric.index), self._time(named.metric))

    def _event(
        self,
        event_type: EventType,
        payload: DomainModel | dict[str, Any],
        part: str,
        time: datetime,
        source: str | None = None,
    ) -> Event:
        return Event(
            event_type=event_type,
            payload=payload.to_payload() if isinstance(payload, DomainModel) else payload,
            source=source or self.source,
            id=f"{self.identity}/{part}",
            time=time,
            metadata=EventMetadata(
                causation_id=self.identity,
                message_name=self.topic.kind.value,
                transport=self._message.transport,
                received_at=self._message.received_at,
            ),
        )

    def _time(self, metric: Metric) -> datetime:
        return self._sent_at() if metric.timestamp is None else time_of(metric.timestamp)

    def _sent_at(self) -> datetime:
        sent = self.payload.timestamp
        return self._message.received_at if sent is None else time_of(sent)


def _own_time(named: Named) -> int | None:
    """Give the time that a value was kept back from; None for a present one."""
    return named.metric.timestamp if named.metric.is_historical else None


def _measured(value: Value) -> dict[str, Any]:
    """Give a value as a measurement.

    Raises:
        SparkplugError: it is no measurement.
    """
    if isinstance(value, bytes):
        raise SparkplugError("bytes and files are no readings")
    if isinstance(value, bool):
        return {"kind": "boolean", "value": value}
    if isinstance(value, list):
        return {"kind": "other", "type_name": "list", "fields": {"values": _plain(value)}}
    if isinstance(value, float) and not math.isfinite(value):
        return {"kind": "numeric", "value_text": _plain(value)}
    return {"kind": "numeric" if isinstance(value, int | float) else "text", "value": _plain(value)}


def _plain(value: Any) -> Any:
    """Give arrays and data sets as JSON data."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return _NOT_FINITE.get(value, "NaN")
    return value


def _word(value: Value) -> str:
    """Give a value as a word of a table: ``true``, ``3``, ``Running``.

    Raises:
        SparkplugError: it is neither text nor number.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, str | int):
        return str(value)
    raise SparkplugError("its value is neither a text nor a number")
