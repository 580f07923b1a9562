"""What events teach of units, works and stations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, cast

from pydantic import ValidationError

from handlers import fact_keys as keys
from handlers import line_facts
from handlers.line_facts import Taught, part_name, said
from handlers.result_facts import results_taught
from pywats_events.event import Event, EventType
from pywats_events.journal import Fact
from pywats_events.payloads import (
    AssetFaultEvent,
    AssetStateChangedEvent,
    RecipeActivatedEvent,
    UnitPlace,
    UnitsMoved,
    WorkOrder,
    WorkStartedEvent,
    parse,
)

#: Names of characteristics that hold a serial number, in lower case, letters and digits only.
SERIAL_NAMES: Final = frozenset({"serial", "serialnumber", "serialno", "sn", "unitserialnumber"})


def facts_of(event: Event) -> Sequence[Fact]:
    """Give what an event teaches. Pure, and never in the way: a payload nobody can read teaches nothing.

    | event | fact | says |
    |---|---|---|
    | WORK_STARTED | work (by transaction, else by unit) | recipe, order, lane, panel, start, places |
    | WORK_STARTED, UNIT_INITIALIZED, UNIT_ARRIVED | serial, unit | which unit is where on a panel |
    | UNIT_IDENTIFIED, UNIT_LOADED | serial, unit | the same, on a panel or carrier |
    | all these | panel | an identifier stands for several units |
    | all these | order | work order and batch of a unit or panel |
    | UNIT_IDENTIFIED | hermes | what was read of a board that board handling knows |
    | UNIT_INITIALIZED, UNIT_ARRIVED | place (by transaction) | serial and status at a position |
    | UNIT_PERSONALIZED | serial, unit, place, personal | serial number and other values given to a unit |
    | RECIPE_ACTIVATED | recipe (by station, and lane) | the active recipe and its work order |
    | TEST_RESULT, INSPECTION_RESULT | failed, finding | see ``result_facts`` |
    | ASSET_FAULT | fault | what a later "cleared" is about |
    | ASSET_STATE_CHANGED | asset_state_said | the last state of a station or of a part of it |
    | all others | | see ``line_facts`` |

    Facts of a station are not taken back when something ends there (a recipe, somebody's shift): events from
    before the end are often handled after it, and still need them. Nor does a heartbeat repeat them: a fact
    that is told anew looks as if it had only just become true.
    """
    if event.event_type in _RESULTS:
        return _facts(event, results_taught(event))
    teach = _TEACHERS.get(event.event_type)
    if teach is None:
        return ()
    try:
        payload = parse(event)
    except ValidationError:
        return ()
    return _facts(event, teach(event, payload))


def _facts(event: Event, taught: Taught) -> Sequence[Fact]:
    at = event.time.isoformat()
    return tuple(
        Fact(key=key, value={**value, "at": at}, time=event.time) for key, value in dict(taught).items()
    )


def _work_started(event: Event, payload: Any) -> Taught:
    work = cast("WorkStartedEvent", payload)
    order = work.work_order or WorkOrder()
    units = _units(work, otherwise=keys.clean_id(work.panel_id))
    real = _real_serials(work)
    value = said(
        recipe=keys.clean_id(work.recipe),
        recipe_revision=keys.clean_id(work.recipe_revision),
        work_order=keys.clean_id(order.id),
        batch=keys.clean_id(order.batch),
        lane=work.lane,
        panel=keys.clean_id(work.panel_id),
        surface=keys.clean_id(work.surface),
        started_at=event.time.isoformat(),
        units=[
            said(unit=identifier, position=unit.position, status=unit.status, real=identifier in real)
            for identifier, unit in units
        ],
    )
    transaction = keys.transaction_of(work.transaction_id)
    if transaction:
        yield keys.work(event.source, transaction), value
    else:
        for identifier in _identifiers(work):
            yield keys.work_on(event.source, identifier), value
    yield from _moved(work, real)


def _placed(event: Event, payload: Any) -> Taught:
    moved = cast("UnitsMoved", payload)
    real = _real_serials(moved)
    transaction = keys.transaction_of(moved.transaction_id)
    if transaction:
        for identifier, unit in _units(moved):
            serial = identifier if identifier in real else None
            if serial or unit.status:
                value = said(serial=serial, status=unit.status, panel=keys.clean_id(moved.panel_id))
                yield keys.place(event.source, transaction, unit.position), value
    yield from _moved(moved, real)


def _personalized(event: Event, payload: Any) -> Taught:
    moved = cast("UnitsMoved", payload)
    panel = keys.clean_id(moved.panel_id)
    transaction = keys.transaction_of(moved.transaction_id)
    for identifier, unit in _units(moved, otherwise=panel):
        serial, others = _split(unit.characteristics)
        if others:
            yield keys.personal(identifier, unit.position), {"values": others}
            if serial and serial != identifier:
                yield keys.personal(serial, None), {"values": others}
        if serial is None:
            continue
        for known_as in {identifier, panel} - {serial, None}:
            yield keys.serial(cast("str", known_as), unit.position), {"serial": serial}
        if transaction:
            yield keys.place(event.source, transaction, unit.position), {"serial": serial}
        on = panel or (identifier if identifier != serial else None)
        yield keys.unit(serial), said(panel=on, position=unit.position)


def _recipe_activated(event: Event, payload: Any) -> Taught:
    active = cast("RecipeActivatedEvent", payload)
    order = active.work_order or WorkOrder()
    value = said(
        recipe=keys.clean_id(active.recipe),
        recipe_revision=keys.clean_id(active.recipe_revision),
        work_order=keys.clean_id(order.id),
        batch=keys.clean_id(order.batch),
        lane=active.lane,
        surface=keys.clean_id(active.surface),
    )
    handle = event.source or active.asset_id
    yield keys.recipe(handle), value
    if active.lane is not None:
        yield keys.recipe(handle, active.lane), value


def _fault(event: Event, payload: Any) -> Taught:
    fault = cast("AssetFaultEvent", payload)
    if fault.occurrence_id:
        yield (
            keys.fault(event.source or fault.asset_id, fault.occurrence_id),
            said(
                code=fault.fault_code,
                severity=fault.severity,
                cause=fault.cause,
                description=fault.description,
                occurred_at=fault.occurred_at.isoformat() if fault.occurred_at else None,
            ),
        )


def _state(event: Event, payload: Any) -> Taught:
    state = cast("AssetStateChangedEvent", payload)
    part = part_name(state.stage, state.lane)
    yield keys.asset_state_said(event.source or state.asset_id, part), said(state=state.new_state)


def _identified(event: Event, payload: Any) -> Taught:
    moved = cast("UnitsMoved", payload)
    board, panel = keys.clean_id(moved.hermes_id), keys.clean_id(moved.panel_id)
    if board and panel:
        yield keys.hermes(board), {"identifier": panel}
    yield from _placed(event, payload)


_RESULTS: Final = frozenset({EventType.TEST_RESULT, EventType.INSPECTION_RESULT})
_TEACHERS: Final[dict[EventType, Callable[[Event, Any], Taught]]] = {
    **line_facts.TEACHERS,
    EventType.WORK_STARTED: _work_started,
    EventType.UNIT_INITIALIZED: _placed,
    EventType.UNIT_ARRIVED: _placed,
    EventType.UNIT_IDENTIFIED: _identified,
    EventType.UNIT_LOADED: _placed,
    EventType.UNIT_PERSONALIZED: _personalized,
    EventType.RECIPE_ACTIVATED: _recipe_activated,
    EventType.ASSET_FAULT: _fault,
    EventType.ASSET_STATE_CHANGED: _state,
}


def _moved(moved: UnitsMoved, real: frozenset[str]) -> Taught:
    panel = keys.clean_id(moved.panel_id)
    units = _units(moved)
    for identifier, unit in units:
        if identifier in real:
            yield keys.unit(identifier), said(panel=panel, position=unit.position)
            if panel and (panel != identifier or unit.position is not None):
                yield keys.serial(panel, unit.position), {"serial": identifier}
    for identifier, count in Counter(identifier for identifier, _ in units).items():
        if count > 1:
            yield keys.panel(identifier), {"units": count}
    if panel and len(units) > 1:
        yield keys.panel(panel), {"units": len(units)}
    if moved.work_order and (moved.work_order.id or moved.work_order.batch):
        value = said(
            work_order=keys.clean_id(moved.work_order.id), batch=keys.clean_id(moved.work_order.batch)
        )
        for identifier in _identifiers(moved):
            yield keys.order(identifier), value


def _real_serials(moved: UnitsMoved) -> frozenset[str]:
    """Give the identifiers that are surely the units' own.

    One that stands at several positions is the carrier's. A lone one that no panel stands beside, or that
    is the panel's too, may be either.
    """
    panel = keys.clean_id(moved.panel_id)
    counts = Counter(identifier for identifier, _ in _units(moved))
    if len(counts) == 1 and panel in {None, *counts}:
        return frozenset()
    return frozenset(identifier for identifier, count in counts.items() if count == 1)


def _units(moved: UnitsMoved, *, otherwise: str | None = None) -> list[tuple[str, UnitPlace]]:
    named = ((keys.clean_id(unit.unit_id) or otherwise, unit) for unit in moved.units)
    return [(identifier, unit) for identifier, unit in named if identifier]


def _identifiers(moved: UnitsMoved) -> Iterable[str]:
    named = (keys.clean_id(moved.panel_id), *(identifier for identifier, _ in _units(moved)))
    return dict.fromkeys(identifier for identifier in named if identifier)


def _split(characteristics: dict[str, str]) -> tuple[str | None, dict[str, str]]:
    serial = None
    others = {}
    for name, value in characteristics.items():
        if not value.strip():
            continue
        if serial is None and "".join(filter(str.isalnum, name)).lower() in SERIAL_NAMES:
            serial = value.strip()
        else:
            others[name] = value.strip()
    return serial, others
