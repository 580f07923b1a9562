"""What machines note of themselves: counts, energy, log lines, settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from pywats_cfx.mapping.origin import Origin
from pywats_cfx.mapping.values import details, finite, kind_of, said, stage, text
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.payloads import (
    AssetCountersEvent,
    AssetEnergyEvent,
    AssetLogEvent,
    AssetParametersChangedEvent,
)

if TYPE_CHECKING:
    from pywats_cfx.messages import (
        ComponentsInserted,
        ComponentsPlaced,
        ComponentsPressed,
        ConsumptionDetail,
        EnergyConsumed,
        LogEntryRecorded,
        StationParametersModified,
    )


def components_placed(message: ComponentsPlaced, origin: Origin) -> Iterator[Event]:
    """One ASSET_COUNTERS."""
    done, not_done = message.total_components_placed, message.total_components_not_placed
    yield _counted(origin, message, "components placed", done, not_done)


def components_inserted(message: ComponentsInserted, origin: Origin) -> Iterator[Event]:
    """One ASSET_COUNTERS."""
    done, not_done = message.total_components_inserted, message.total_components_not_inserted
    yield _counted(origin, message, "components inserted", done, not_done)


def components_pressed(message: ComponentsPressed, origin: Origin) -> Iterator[Event]:
    """One ASSET_COUNTERS."""
    done, not_done = message.total_components_pressed, message.total_components_not_pressed
    yield _counted(origin, message, "components pressed", done, not_done)


def _counted(
    origin: Origin,
    message: ComponentsPlaced | ComponentsInserted | ComponentsPressed,
    counted: str,
    done: int | None,
    not_done: int | None,
) -> Event:
    payload = AssetCountersEvent(
        asset_id=origin.source,
        started_at=message.start_time,
        ended_at=message.end_time,
        counted=counted,
        done=done,
        not_done=not_done,
    )
    return origin.event(EventType.ASSET_COUNTERS, payload)


def energy_consumed(message: EnergyConsumed, origin: Origin) -> Iterator[Event]:
    """One ASSET_ENERGY, with those of the station's parts in it."""
    yield origin.event(EventType.ASSET_ENERGY, _energy(message, origin.source))


_NOT_FIGURES: Final = frozenset(
    {"type_name", "start_time", "end_time", "energy_used", "consumption_details", "subsystem_name"}
)


def _energy(given: EnergyConsumed | ConsumptionDetail, asset_id: str) -> AssetEnergyEvent:
    figures: dict[str, Any] = {}
    for name in type(given).model_fields.keys() - _NOT_FIGURES:
        value = getattr(given, name)
        if isinstance(value, list):
            if value:
                figures[name] = [finite(each) for each in value]
        elif (number := finite(value)) is not None:
            figures[name] = number
    return AssetEnergyEvent(
        asset_id=asset_id,
        subsystem=text(getattr(given, "subsystem_name", None)),
        started_at=given.start_time,
        ended_at=given.end_time,
        energy_kwh=finite(given.energy_used),
        figures=dict(sorted(figures.items())),
        parts=[_energy(each, asset_id) for each in given.consumption_details],
    )


def log_entry_recorded(message: LogEntryRecorded, origin: Origin) -> Iterator[Event]:
    """One ASSET_LOG."""
    more = message.additional_data
    payload = AssetLogEvent(
        asset_id=origin.source,
        code=text(message.information_id),
        text=text(message.message),
        importance=said(message.importance),
        lane=message.lane,
        stage=stage(message.stage),
        details=details(more, cfx.LogEntryAdditionalData) if more is not None else {},
    )
    yield origin.event(EventType.ASSET_LOG, payload)


def parameters_modified(message: StationParametersModified, origin: Origin) -> Iterator[Event]:
    """One ASSET_PARAMETERS_CHANGED; none where no parameter is named."""
    if message.modified_parameters:
        payload = AssetParametersChangedEvent(
            asset_id=origin.source, parameters=[_parameter(each) for each in message.modified_parameters]
        )
        yield origin.event(EventType.ASSET_PARAMETERS_CHANGED, payload)


def _parameter(given: cfx.Parameter) -> dict[str, Any]:
    if isinstance(given, cfx.GenericParameter):
        named = {"kind": "GenericParameter", "name": text(given.name), "value": given.value}
        return {name: value for name, value in named.items() if value is not None}
    members: dict[str, Any] = {"kind": kind_of(given, cfx.Parameter) or "Parameter"}
    return members | details(given, cfx.Parameter)
