"""States of machines: of production, of sleep, whether they take part, and what they count of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pywats_cfx.mapping.faults import fault
from pywats_cfx.mapping.origin import Origin
from pywats_cfx.mapping.values import seconds, stage, text
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.payloads import (
    AssetOfflineEvent,
    AssetOnlineEvent,
    AssetSleepChangedEvent,
    AssetStateChangedEvent,
)

if TYPE_CHECKING:
    from pywats_cfx.messages import (
        SleepStateChanged,
        StageStateChanged,
        StationOffline,
        StationOnline,
        StationStateChanged,
    )


def station_state_changed(message: StationStateChanged, origin: Origin) -> Iterator[Event]:
    """One ASSET_STATE_CHANGED, of the station as a whole."""
    yield origin.event(EventType.ASSET_STATE_CHANGED, AssetStateChangedEvent(**_change(message, origin)))


def stage_state_changed(message: StageStateChanged, origin: Origin) -> Iterator[Event]:
    """One ASSET_STATE_CHANGED that names the stage; the station's own state is another."""
    payload = AssetStateChangedEvent(
        **_change(message, origin), stage=stage(message.stage) or stage(cfx.Stage()), lane=message.lane
    )
    yield origin.event(EventType.ASSET_STATE_CHANGED, payload)


def _change(message: StationStateChanged | StageStateChanged, origin: Origin) -> dict[str, Any]:
    old, old_said = _state(message.old_state)
    new, new_said = _state(message.new_state)
    return {
        "asset_id": origin.source,
        "old_state": old,
        "new_state": new,
        "old_state_said": old_said,
        "new_state_said": new_said,
        "old_state_seconds": seconds(message.old_state_duration),
        "fault": None if message.related_fault is None else fault(message.related_fault, origin.source),
    }


def _state(state: str | None) -> tuple[int | None, str | None]:
    """Give the code of a state; the sender's word where there is no code in it."""
    if state is None:
        return None, None
    value = state.value if isinstance(state, cfx.ResourceState) else state
    return (int(value), None) if value.isdecimal() and value.isascii() else (None, value)


def sleep_state_changed(message: SleepStateChanged, origin: Origin) -> Iterator[Event]:
    """One ASSET_SLEEP_CHANGED."""
    payload = AssetSleepChangedEvent(
        asset_id=origin.source,
        old_state=text(message.old_sleep_state),
        new_state=text(message.new_sleep_state),
        stage=stage(message.stage),
        lane=message.lane,
        seconds_remaining=seconds(message.transition_time_remaining),
    )
    yield origin.event(EventType.ASSET_SLEEP_CHANGED, payload)


def station_online(message: StationOnline, origin: Origin) -> Iterator[Event]:
    """One ASSET_ONLINE."""
    payload = AssetOnlineEvent(asset_id=origin.source, offline_seconds=seconds(message.offline_duration))
    yield origin.event(EventType.ASSET_ONLINE, payload)


def station_offline(_message: StationOffline, origin: Origin) -> Iterator[Event]:
    """One ASSET_OFFLINE."""
    yield origin.event(EventType.ASSET_OFFLINE, AssetOfflineEvent(asset_id=origin.source))
