"""Faults: that they occurred, were seen, are over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pywats_cfx.mapping.origin import Origin, known_guid
from pywats_cfx.mapping.values import details, person, said, stage, text
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.payloads import AssetFaultAcknowledgedEvent, AssetFaultClearedEvent, AssetFaultEvent

if TYPE_CHECKING:
    from pywats_cfx.messages import FaultAcknowledged, FaultCleared, FaultOccurred


def fault_occurred(message: FaultOccurred, origin: Origin) -> Iterator[Event]:
    """One ASSET_FAULT."""
    if message.fault is not None:
        payload = fault(message.fault, origin.source)
        yield origin.event(EventType.ASSET_FAULT, payload, correlation_id=payload.transaction_id)


def fault_acknowledged(message: FaultAcknowledged, origin: Origin) -> Iterator[Event]:
    """One ASSET_FAULT_ACKNOWLEDGED."""
    payload = AssetFaultAcknowledgedEvent(
        asset_id=origin.source,
        occurrence_id=known_guid(message.fault_occurrence_id),
        operator=person(message.operator),
    )
    yield origin.event(EventType.ASSET_FAULT_ACKNOWLEDGED, payload)


def fault_cleared(message: FaultCleared, origin: Origin) -> Iterator[Event]:
    """One ASSET_FAULT_CLEARED."""
    payload = AssetFaultClearedEvent(
        asset_id=origin.source,
        occurrence_id=known_guid(message.fault_occurrence_id),
        operator=person(message.operator),
    )
    yield origin.event(EventType.ASSET_FAULT_CLEARED, payload)


_ACCESS_UNSET: Final = cfx.AccessType.Unknown
_SIDE_UNSET: Final = cfx.SideLocation.Unknown


def fault(given: cfx.Fault, asset_id: str) -> AssetFaultEvent:
    """Give the domain's form of a fault at a station."""
    own = details(given, cfx.Fault)
    if access := said(given.access_type, unset=_ACCESS_UNSET):
        own["access_type"] = access
    return AssetFaultEvent(
        asset_id=asset_id,
        fault_code=text(given.fault_code),
        severity=said(given.severity),
        cause=said(given.cause),
        occurrence_id=known_guid(given.fault_occurrence_id),
        description=text(given.description),
        translations={
            language: words for language, words in (given.description_translations or {}).items() if words
        },
        transaction_id=known_guid(given.transaction_id),
        lane=given.lane,
        stage=stage(given.stage),
        side=said(given.side_location, unset=_SIDE_UNSET),
        occurred_at=given.occurred_at,
        due_at=given.due_date_time,
        details=own,
    )
