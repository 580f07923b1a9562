"""The normalised domain event, and its CloudEvents 1.0 JSON form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Self
from urllib.parse import quote, unquote
from uuid import uuid4

import msgspec


class EventType(StrEnum):
    """What happened. The value is the CloudEvents ``type``."""

    TEST_STARTED = "test.started"
    TEST_RESULT = "test.result"
    INSPECTION_RESULT = "inspection.result"
    UNIT_REPAIRED = "unit.repaired"
    UNIT_PROCESSED = "unit.processed"
    READINGS_RECORDED = "readings.recorded"

    ASSET_FAULT = "asset.fault"
    ASSET_FAULT_ACKNOWLEDGED = "asset.fault_acknowledged"
    ASSET_FAULT_CLEARED = "asset.fault_cleared"
    ASSET_STATE_CHANGED = "asset.state_changed"
    ASSET_SLEEP_CHANGED = "asset.sleep_changed"
    ASSET_MAINTENANCE = "asset.maintenance"
    ASSET_CALIBRATION = "asset.calibration"
    ASSET_CONNECTED = "asset.connected"
    ASSET_DISCONNECTED = "asset.disconnected"
    ASSET_HEARTBEAT = "asset.heartbeat"
    ASSET_ONLINE = "asset.online"
    ASSET_OFFLINE = "asset.offline"
    ASSET_LOG = "asset.log"
    ASSET_COUNTERS = "asset.counters"
    ASSET_ENERGY = "asset.energy"
    ASSET_PARAMETERS_CHANGED = "asset.parameters_changed"

    TOOL_CHANGED = "tool.changed"
    TOOL_USED = "tool.used"
    TOOL_CLEANED = "tool.cleaned"

    MATERIAL_INSTALLED = "material.installed"
    MATERIAL_REMOVED = "material.removed"
    MATERIAL_CONSUMED = "material.consumed"
    MATERIAL_LOADED = "material.loaded"
    MATERIAL_UNLOADED = "material.unloaded"
    MATERIAL_CHANGED = "material.changed"
    MATERIAL_TRANSPORTED = "material.transported"

    WORK_STARTED = "work.started"
    WORK_COMPLETED = "work.completed"
    WORK_STAGE_STARTED = "work.stage_started"
    WORK_STAGE_COMPLETED = "work.stage_completed"
    WORK_STAGE_PAUSED = "work.stage_paused"
    WORK_STAGE_RESUMED = "work.stage_resumed"
    WORK_ACTIVITIES = "work.activities"
    WORK_ORDER_CREATED = "work_order.created"
    WORK_ORDER_UPDATED = "work_order.updated"
    WORK_ORDER_DELETED = "work_order.deleted"
    WORK_ORDER_SCHEDULED = "work_order.scheduled"
    WORK_ORDER_UNSCHEDULED = "work_order.unscheduled"
    WORK_ORDER_ACTION = "work_order.action"

    UNIT_ARRIVED = "unit.arrived"
    UNIT_DEPARTED = "unit.departed"
    UNIT_INITIALIZED = "unit.initialized"
    UNIT_PERSONALIZED = "unit.personalized"
    UNIT_DISQUALIFIED = "unit.disqualified"
    UNIT_IDENTIFIED = "unit.identified"
    UNIT_NOT_IDENTIFIED = "unit.not_identified"
    UNIT_LOADED = "unit.loaded"
    UNIT_UNLOADED = "unit.unloaded"
    MAGAZINE_ARRIVED = "magazine.arrived"
    MAGAZINE_DEPARTED = "magazine.departed"

    RECIPE_ACTIVATED = "recipe.activated"
    RECIPE_DEACTIVATED = "recipe.deactivated"
    RECIPE_MODIFIED = "recipe.modified"
    RECIPE_CHANGED_LOCALLY = "recipe.changed_locally"
    OPERATOR_ACTIVATED = "operator.activated"
    OPERATOR_DEACTIVATED = "operator.deactivated"

    TRANSPORT_CONNECTED = "transport.connected"
    TRANSPORT_DISCONNECTED = "transport.disconnected"
    HANDLER_ERROR = "handler.error"
    EVENT_DEAD_LETTER = "event.dead_letter"

    CUSTOM = "custom"

    @property
    def is_system(self) -> bool:
        """True for what the bus says of itself; such events never cause further ones of their kind."""
        return self in _SYSTEM


_SYSTEM: Final = frozenset(
    {
        EventType.TRANSPORT_CONNECTED,
        EventType.TRANSPORT_DISCONNECTED,
        EventType.HANDLER_ERROR,
        EventType.EVENT_DEAD_LETTER,
    }
)


class EventFormatError(ValueError):
    """A document is not a CloudEvent that this system can read; the text names the attribute."""


@dataclass(slots=True)
class EventMetadata:
    """Where an event comes from and what it belongs to.

    Attributes:
        correlation_id: joins the events of one piece of work (a CFX transaction, for instance).
        causation_id: the message or event that this one was made from.
        message_name: the name that the message had in its own standard.
        transport: name of the transport that received the message.
        received_at: when that transport received it, with time zone.
        traceparent: W3C trace context, passed through unchanged.
        tracestate: W3C trace state, passed through unchanged.
    """

    correlation_id: str | None = None
    causation_id: str | None = None
    message_name: str | None = None
    transport: str | None = None
    received_at: datetime | None = None
    traceparent: str | None = None
    tracestate: str | None = None


_TYPES: Final = {kind.value: kind for kind in EventType}

# CloudEvents allows only lower-case letters and digits in attribute names.
_EXTENSIONS: Final = {
    "correlationid": "correlation_id",
    "causationid": "causation_id",
    "messagename": "message_name",
    "transport": "transport",
    "traceparent": "traceparent",
    "tracestate": "tracestate",
}


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Event:
    """One thing that happened in the factory, whatever protocol told of it.

    Attributes:
        event_type: what happened.
        payload: plain JSON data; ``pywats_events.payloads.parse`` gives the typed model.
        source: who says so: a station's CFX handle, an MQTT client, a webhook's name.
        id: identity; two events with one id are the same event. Random when not given.
        time: when it happened, with time zone. A naive time is taken as UTC.
        key: deliveries of one handler and one key run in order, one at a time. Default: the payload's
            ``unit_id``, else the source.
        metadata: correlation, causation, trace context, receiving transport.
    """

    event_type: EventType
    payload: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    id: str = field(default_factory=lambda: str(uuid4()))
    time: datetime = field(default_factory=_now)
    key: str = ""
    metadata: EventMetadata = field(default_factory=EventMetadata)

    def __post_init__(self) -> None:
        if type(self.event_type) is not EventType:
            self.event_type = EventType(self.event_type)
        if self.time.tzinfo is None:
            self.time = self.time.replace(tzinfo=UTC)
        if not self.key:
            unit = self.payload.get("unit_id")
            self.key = unit if isinstance(unit, str) and unit else self.source

    def to_cloudevent(self) -> dict[str, Any]:
        """Give the CloudEvents 1.0 JSON document (structured mode) of this event."""
        document = self._document()
        named = ((name, getattr(document, name)) for name in document.__struct_fields__)
        return {name: value for name, value in named if value is not None and value is not msgspec.UNSET}

    def _document(self) -> _Document:
        metadata = self.metadata
        return _Document(
            "1.0",
            self.id,
            _to_uri(self.source),
            self.event_type._value_,
            self.time.isoformat(),
            "application/json",
            self.payload,
            self.key or None,
            metadata.correlation_id,
            metadata.causation_id,
            metadata.message_name,
            metadata.transport,
            metadata.traceparent,
            metadata.tracestate,
            None if metadata.received_at is None else metadata.received_at.isoformat(),
        )

    def to_json(self) -> str:
        """Give the CloudEvents document as JSON text; see ``to_json_bytes``."""
        return self.to_json_bytes().decode(errors="surrogatepass")

    def to_json_bytes(self) -> bytes:
        """Give the CloudEvents document as JSON in UTF-8.

        Raises:
            TypeError: the payload holds what is no JSON data.
            ValueError: it holds a number that JSON does not have (NaN, infinity).
            RecursionError: it is nested too deep.
        """
        try:
            encoded = _encode(self._document())
        except (TypeError, ValueError, RecursionError):
            encoded = b"null"
        # null also stands for NaN, which is not equal to it
        if b"null" not in encoded or _is_same(encoded, self.payload):
            return encoded
        text = json.dumps(self.to_cloudevent(), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode(errors="surrogatepass")

    @classmethod
    def from_cloudevent(cls, document: Mapping[str, Any]) -> Self:
        """Read a CloudEvents 1.0 document.

        A type that is not one of ours gives a CUSTOM event whose ``metadata.message_name`` is that type.

        Raises:
            EventFormatError: a required attribute is missing or has the wrong form.
        """
        for attribute in ("specversion", "id", "source", "type"):
            if not isinstance(document.get(attribute), str) or not document[attribute]:
                raise EventFormatError(f'CloudEvent: attribute "{attribute}" is missing or not a text')
        if not document["specversion"].startswith("1."):
            raise EventFormatError(f'CloudEvent: specversion "{document["specversion"]}" is not 1.x')
        if "data_base64" in document:
            raise EventFormatError('CloudEvent: "data_base64" is not supported; send JSON data in "data"')
        data = document.get("data")
        if data is None:
            data = {}
        if not isinstance(data, dict):
            raise EventFormatError('CloudEvent: "data" is not a JSON object')
        metadata = EventMetadata(received_at=_time(document, "receivedat"))
        for attribute, name in _EXTENSIONS.items():
            value = document.get(attribute)
            if value is not None:
                setattr(metadata, name, str(value))
        event_type = _TYPES.get(document["type"])
        if event_type is None:
            event_type = EventType.CUSTOM
            metadata.message_name = metadata.message_name or document["type"]
        return cls(
            event_type=event_type,
            payload=data,
            source=_from_uri(document["source"]),
            id=document["id"],
            time=_time(document, "time") or _now(),
            key=str(document.get("subject") or ""),
            metadata=metadata,
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a CloudEvents 1.0 document from JSON text.

        Raises:
            EventFormatError: not JSON, or not a CloudEvent.
        """
        try:
            document = _decode_document(text)
        except (ValueError, RecursionError):
            document = None
        event_type = None if document is None else _TYPES.get(document.type)
        if document is None or event_type is None or not document.is_ours:
            return cls._from_other_json(text)
        return cls(
            event_type,
            document.data,
            _from_uri(document.source),
            document.id,
            _moment(document.time, "time"),
            document.subject or "",
            EventMetadata(
                document.correlationid,
                document.causationid,
                document.messagename,
                document.transport,
                None if document.receivedat is None else _moment(document.receivedat, "receivedat"),
                document.traceparent,
                document.tracestate,
            ),
        )

    @classmethod
    def _from_other_json(cls, text: str | bytes) -> Self:
        """Read a document that others may have written, or tell what is wrong with it."""
        try:
            document = loads(text)
        except EventFormatError as error:
            raise EventFormatError(f"CloudEvent: {error}") from error
        if not isinstance(document, dict):
            raise EventFormatError("CloudEvent: not a JSON object")
        return cls.from_cloudevent(document)


class _Document(msgspec.Struct, omit_defaults=True):
    """A CloudEvents document as events are written, which is the fast way to write and read one."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    datacontenttype: str
    data: dict[str, Any]
    subject: str | None = None
    correlationid: str | None = None
    causationid: str | None = None
    messagename: str | None = None
    transport: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    receivedat: str | None = None
    data_base64: Any = msgspec.UNSET

    @property
    def is_ours(self) -> bool:
        """Tell whether it is a document as ours are."""
        is_whole = self.specversion == "1.0" and self.id and self.source
        return bool(is_whole and self.data_base64 is msgspec.UNSET)


def _is_same(encoded: bytes, payload: object) -> bool:
    """Tell whether a document gives this payload back."""
    try:
        return bool(_decode_document(encoded).data == payload)
    except (ValueError, RecursionError):
        return False


_decode_document: Final = msgspec.json.Decoder(_Document).decode
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


def loads(text: str | bytes) -> Any:
    """Read JSON.

    Raises:
        EventFormatError: it is not JSON.
    """
    try:
        return _decode(text)
    except RecursionError as error:
        raise EventFormatError(f"not JSON: {error}") from error
    except ValueError:  # also halves of surrogate pairs and other encodings, which the slower reader knows
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise EventFormatError(f"not JSON: {error}") from error


#: A CloudEvents source must not be empty.
_NO_SOURCE: Final = "/"


# The sources of a factory are few, and each comes again and again.
@lru_cache(maxsize=1024)
def _to_uri(source: str) -> str:
    if source == _NO_SOURCE:
        return quote(source, safe="", errors="surrogatepass")
    return quote(source, safe="/:.@-_~!$&'()*+,;=", errors="surrogatepass") or _NO_SOURCE


@lru_cache(maxsize=1024)
def _from_uri(source: str) -> str:
    return "" if source == _NO_SOURCE else unquote(source, errors="surrogatepass")


def _time(document: Mapping[str, Any], attribute: str) -> datetime | None:
    value = document.get(attribute)
    return None if value is None else _moment(value, attribute)


def _moment(value: Any, attribute: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise EventFormatError(f'CloudEvent: attribute "{attribute}" is not an RFC 3339 time') from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
