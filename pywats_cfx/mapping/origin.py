"""What all events of one message have in common: their sender, their time, and how their ids are made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from pywats_cfx.codec import encode
from pywats_cfx.envelope import ZERO_GUID, CFXEnvelope
from pywats_cfx.errors import CFXDecodeError
from pywats_events.event import Event, EventMetadata, EventType
from pywats_events.message import RawMessage, Unreadable
from pywats_events.payloads.common import DomainModel

#: All ids made here are UUIDv5 in this namespace. It never changes: repeats are known by it.
NAMESPACE: Final = UUID("6d0c8a52-3a0e-5b3c-9f0e-2f6f0f1b7c41")


def made_id(*parts: object) -> str:
    """Give the id that these parts always have."""
    return str(uuid5(NAMESPACE, "/".join(str(part) for part in parts)))


def known_guid(value: str | None) -> str | None:
    """Give an identifier, or None where it is unset (null, empty, all zeros)."""
    value = value.strip() if value else None
    return None if not value or value == ZERO_GUID else value


@dataclass(frozen=True, slots=True)
class Origin:
    """The message that events are made of.

    Attributes:
        identity: what tells this message from all others: its ``UniqueID``, else a hash of its content.
        source: who sent it.
        time: when it happened.
        message_name: its full name.
        causation_id: its ``UniqueID`` where it has one.
        transport: name of the transport that received it.
        received_at: when it was received.
        trace: trace context that came with it.
        is_named: False when the envelope did not say its sender and ``source`` is only where it came in.
    """

    identity: str
    source: str
    time: datetime
    message_name: str
    causation_id: str | None
    transport: str | None
    received_at: datetime
    trace: Mapping[str, str]
    is_named: bool = True

    @classmethod
    def of(cls, envelope: CFXEnvelope, raw: RawMessage) -> Origin:
        """Take what an envelope says, and what its transport says where the envelope is silent."""
        return cls(
            identity=(envelope.unique_id or f"sha256:{_content_hash(envelope)}").lower(),
            source=envelope.source or raw.address or raw.transport,
            time=envelope.time_stamp or raw.received_at,
            message_name=envelope.message_name,
            causation_id=envelope.unique_id,
            transport=raw.transport or None,
            received_at=raw.received_at,
            trace=_trace(raw.properties),
            is_named=envelope.source is not None,
        )

    def event(
        self,
        event_type: EventType,
        payload: DomainModel | dict[str, Any],
        *,
        part: object = 0,
        key: str = "",
        correlation_id: str | None = None,
    ) -> Event:
        """Make an event of this message.

        Args:
            event_type: what happened.
            payload: the domain payload.
            part: which of the message's events of this type it is.
            key: what it must stay in order with; the sender when not given.
            correlation_id: the transaction that it belongs to.
        """
        return Event(
            event_type=event_type,
            payload=payload.to_payload() if isinstance(payload, DomainModel) else payload,
            source=self.source,
            id=made_id(self.identity, event_type.value, part),
            time=self.time,
            key=key or self.source,
            metadata=EventMetadata(
                correlation_id=correlation_id,
                causation_id=self.causation_id,
                message_name=self.message_name,
                transport=self.transport,
                received_at=self.received_at,
                traceparent=self.trace.get("traceparent"),
                tracestate=self.trace.get("tracestate"),
            ),
        )

    def unreadable(self, field: str, reason: str) -> Unreadable:
        """Say that one part of this message can't become an event, and name the field at fault."""
        return Unreadable(
            id=made_id(self.identity, "unreadable", field),
            reason=f"{self.message_name} from {self.source}: MessageBody.{field} {reason}",
            error=CFXDecodeError.__name__,
            source=self.source,
            message_name=self.message_name,
        )


def _content_hash(envelope: CFXEnvelope) -> str:
    canonical = json.dumps(json.loads(encode(envelope)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


_NESTS: Final = ("headers", "application_properties", "application-properties")


def _trace(properties: Mapping[str, Any]) -> Mapping[str, str]:
    nests = [properties, *(properties[name] for name in _NESTS if isinstance(properties.get(name), Mapping))]
    return {
        name: nest[name]
        for nest in nests
        for name in ("traceparent", "tracestate")
        if isinstance(nest.get(name), str)
    }
