"""What machines say of themselves: faults, states, presence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from pywats_cfx.mapping.origin import Origin, known_guid
from pywats_cfx.mapping.values import person, plain, said, stage, text
from pywats_cfx.messages import (
    EndpointConnected,
    FaultCleared,
    FaultOccurred,
    Heartbeat,
    StationStateChanged,
)
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.payloads import AssetFaultClearedEvent, AssetFaultEvent, AssetStateChangedEvent


def fault_occurred(message: FaultOccurred, origin: Origin) -> Iterator[Event]:
    """One ASSET_FAULT."""
    if message.fault is not None:
        payload = _fault(message.fault, origin.source)
        yield origin.event(EventType.ASSET_FAULT, payload, correlation_id=payload.transaction_id)


def fault_cleared(message: FaultCleared, origin: Origin) -> Iterator[Event]:
    """One ASSET_FAULT_CLEARED."""
    payload = AssetFaultClearedEvent(
        asset_id=origin.source,
        occurrence_id=known_guid(message.fault_occurrence_id),
        operator=person(message.operator),
    )
    yield origin.event(EventType.ASSET_FAULT_CLEARED, payload)


def station_state_changed(message: StationStateChanged, origin: Origin) -> Iterator[Event]:
    """One ASSET_STATE_CHANGED."""
    old, old_said = _state(message.old_state)
    new, new_said = _state(message.new_state)
    payload = AssetStateChangedEvent(
        asset_id=origin.source,
        old_state=old,
        new_state=new,
        old_state_said=old_said,
        new_state_said=new_said,
        old_state_seconds=_seconds(message.old_state_duration),
        fault=None if message.related_fault is None else _fault(message.related_fault, origin.source),
    )
    yield origin.event(EventType.ASSET_STATE_CHANGED, payload)


def heartbeat(message: Heartbeat, origin: Origin) -> Iterator[Event]:
    """One ASSET_HEARTBEAT."""
    origin = _named(origin, message.cfx_handle)
    payload: dict[str, Any] = {
        "asset_id": text(message.cfx_handle) or origin.source,
        "interval_seconds": _seconds(message.heartbeat_frequency),
        "active_faults": [_fault(each, origin.source).to_payload() for each in message.active_faults],
        "active_recipes": [
            _without_none(
                {"recipe": recipe.recipe_name, "recipe_revision": recipe.revision, "lane": each.lane}
            )
            for each in message.active_recipes
            if (recipe := each.recipe_identifier) is not None
        ],
    }
    yield origin.event(EventType.ASSET_HEARTBEAT, _without_none(payload))


_CREDENTIALS: Final = re.compile(r"//[^/@\s]*@")


def endpoint_connected(message: EndpointConnected, origin: Origin) -> Iterator[Event]:
    """One ASSET_CONNECTED; user and password are taken out of the address."""
    origin = _named(origin, message.cfx_handle)
    payload = {
        "asset_id": text(message.cfx_handle) or origin.source,
        "request_uri": _CREDENTIALS.sub("//", message.request_network_uri or "") or None,
        "request_address": text(message.request_target_address),
    }
    yield origin.event(EventType.ASSET_CONNECTED, _without_none(payload))


def _named(origin: Origin, handle: str | None) -> Origin:
    """Let an endpoint that names itself only in the message be the sender."""
    named = text(handle)
    return origin if origin.is_named or named is None else replace(origin, source=named)


def _without_none(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if value is not None}


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _state(state: str | None) -> tuple[int | None, str | None]:
    """Give the code of a state; the sender's word where there is no code in it."""
    if state is None:
        return None, None
    value = state.value if isinstance(state, cfx.ResourceState) else state
    return (int(value), None) if value.isdecimal() and value.isascii() else (None, value)


_BASE_FIELDS: Final = frozenset(cfx.Fault.model_fields)
_ACCESS_UNSET: Final = cfx.AccessType.Unknown
_SIDE_UNSET: Final = cfx.SideLocation.Unknown


def _fault(given: cfx.Fault, asset_id: str) -> AssetFaultEvent:
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
        details=_details(given),
    )


def _details(given: cfx.Fault) -> dict[str, Any]:
    """Give what only this kind of fault says, by the names of our models; unknown fields as they came."""
    own = given.model_dump(mode="json", exclude=set(_BASE_FIELDS), exclude_none=True)
    own["access_type"] = said(given.access_type, unset=_ACCESS_UNSET)
    return _said_only(plain(own)) or {}


def _said_only(value: Any) -> Any:
    """Take out of nested data what is empty; None where nothing is left."""
    if isinstance(value, dict):
        return {
            name: kept for name, member in value.items() if (kept := _said_only(member)) is not None
        } or None
    return value
