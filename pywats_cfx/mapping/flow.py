"""How units and work move: one event for each message, with the units in a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pywats_cfx.mapping.origin import Origin, known_guid
from pywats_cfx.mapping.units import name_units, place_number
from pywats_cfx.mapping.values import said, text, work_order
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.message import Unreadable
from pywats_events.payloads import (
    UnitArrivedEvent,
    UnitDepartedEvent,
    UnitDisqualifiedEvent,
    UnitInitializedEvent,
    UnitLoadedEvent,
    UnitPersonalizedEvent,
    UnitPlace,
    UnitUnloadedEvent,
    WorkCompletedEvent,
    WorkStartedEvent,
)

if TYPE_CHECKING:
    from pywats_cfx.messages import (
        UnitsArrived,
        UnitsDeparted,
        UnitsDisqualified,
        UnitsInitialized,
        UnitsLoaded,
        UnitsPersonalized,
        UnitsUnloaded,
        WorkCompleted,
        WorkStarted,
    )

_NO_SURFACE = cfx.Surface.Unspecified


def work_started(message: WorkStarted, origin: Origin) -> Iterator[Event]:
    """One WORK_STARTED."""
    transaction = known_guid(message.transaction_id)
    payload = WorkStartedEvent(
        panel_id=text(message.primary_identifier),
        hermes_id=text(message.hermes_identifier),
        transaction_id=transaction,
        lane=message.lane,
        units=places(message.units),
        work_order=work_order(message.work_order_identifier),
        recipe=text(message.recipe_name),
        recipe_revision=text(message.revision),
        surface=said(message.relevant_surface, unset=_NO_SURFACE),
    )
    yield origin.event(EventType.WORK_STARTED, payload, correlation_id=transaction)


def work_completed(message: WorkCompleted, origin: Origin) -> Iterator[Event]:
    """One WORK_COMPLETED."""
    transaction = known_guid(message.transaction_id)
    payload = WorkCompletedEvent(
        panel_id=text(message.primary_identifier),
        hermes_id=text(message.hermes_identifier),
        transaction_id=transaction,
        units=places(message.units),
        result=said(message.result),
        impacts=[cause for each in message.performance_impacts if (cause := said(each.cause))],
    )
    yield origin.event(EventType.WORK_COMPLETED, payload, correlation_id=transaction)


def units_initialized(message: UnitsInitialized, origin: Origin) -> Iterator[Event]:
    """One UNIT_INITIALIZED."""
    transaction = known_guid(message.transaction_id)
    payload = UnitInitializedEvent(
        panel_id=text(message.primary_identifier),
        hermes_id=text(message.hermes_identifier),
        transaction_id=transaction,
        units=places(message.units),
        work_order=work_order(message.work_order_identifier),
    )
    yield origin.event(EventType.UNIT_INITIALIZED, payload, correlation_id=transaction)


def units_arrived(message: UnitsArrived, origin: Origin) -> Iterator[Event]:
    """One UNIT_ARRIVED."""
    payload = UnitArrivedEvent(**_moved(message))
    yield origin.event(EventType.UNIT_ARRIVED, payload)


def units_departed(message: UnitsDeparted, origin: Origin) -> Iterator[Event]:
    """One UNIT_DEPARTED."""
    payload = UnitDepartedEvent(**_moved(message))
    yield origin.event(EventType.UNIT_DEPARTED, payload)


def _moved(message: UnitsArrived | UnitsDeparted) -> dict[str, Any]:
    return {
        "panel_id": text(message.primary_identifier),
        "hermes_id": text(message.hermes_identifier),
        "lane": message.lane,
        "units": places(message.units),
    }


def units_personalized(message: UnitsPersonalized, origin: Origin) -> Iterator[Event]:
    """One UNIT_PERSONALIZED."""
    transaction = known_guid(message.transaction_id)
    units = [
        UnitPlace(
            unit_id=text(unit.unit_identifier),
            position=unit.unit_position_number,
            characteristics={
                name: each.value
                for each in unit.characteristics
                if (name := text(each.name)) and each.value is not None
            },
        )
        for unit in message.personalized_units
    ]
    if units:
        payload = UnitPersonalizedEvent(transaction_id=transaction, units=units)
        yield origin.event(EventType.UNIT_PERSONALIZED, payload, correlation_id=transaction)


def units_disqualified(message: UnitsDisqualified, origin: Origin) -> Iterator[Event | Unreadable]:
    """One UNIT_DISQUALIFIED for each unit."""
    panel_id = text(message.primary_identifier)
    positions = [place_number(each.position_number) for each in message.units]
    for named in name_units(origin, "Units", message.units, positions, panel_id):
        if isinstance(named, Unreadable):
            yield named
            continue
        payload = UnitDisqualifiedEvent(
            unit_id=named.unit_id,
            position=named.position,
            panel_id=panel_id,
            reason=said(message.reason),
            comments=text(message.comments),
            status=said(named.unit.status),
        )
        yield origin.event(EventType.UNIT_DISQUALIFIED, payload, part=named.index, key=named.key)


def units_loaded(message: UnitsLoaded, origin: Origin) -> Iterator[Event]:
    """One UNIT_LOADED."""
    payload = UnitLoadedEvent(panel_id=text(message.unique_identifier), units=places(message.units))
    yield origin.event(EventType.UNIT_LOADED, payload)


def units_unloaded(message: UnitsUnloaded, origin: Origin) -> Iterator[Event]:
    """One UNIT_UNLOADED."""
    payload = UnitUnloadedEvent(panel_id=text(message.unique_identifier), units=places(message.units))
    yield origin.event(EventType.UNIT_UNLOADED, payload)


def places(units: Iterable[cfx.UnitPosition]) -> list[UnitPlace]:
    """Give the table of units."""
    return [
        UnitPlace(
            unit_id=text(unit.unit_identifier),
            position=place_number(unit.position_number),
            name=text(unit.position_name),
            status=said(unit.status),
        )
        for unit in units
    ]
