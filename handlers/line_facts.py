"""What events teach of work orders, people, tools and installed material."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias, cast

from handlers import fact_keys as keys
from pywats_events.event import Event, EventType
from pywats_events.payloads import (
    MagazineMovedEvent,
    MaterialConsumedEvent,
    MaterialInstalledEvent,
    MaterialRemovedEvent,
    OperatorEvent,
    Stage,
    ToolChangedEvent,
    ToolUsedEvent,
    WorkOrderChangedEvent,
)

#: Keys of facts with their values.
Taught: TypeAlias = Iterator[tuple[str, dict[str, Any]]]


def said(**members: Any) -> dict[str, Any]:
    """Give the members that say something."""
    return {name: value for name, value in members.items() if value is not None}


def part_name(stage: Stage | None, lane: int | None) -> str:
    """Give the name of a part of a station; empty for the station as a whole."""
    if stage is not None:
        return stage.name or (f"stage {stage.sequence}" if stage.sequence is not None else "stage")
    return "" if lane is None else f"lane {lane}"


def _work_order(_event: Event, payload: Any) -> Taught:
    changed = cast("WorkOrderChangedEvent", payload)
    order, part_number = keys.clean_id(changed.order.id), keys.clean_id(changed.part_number)
    if not order or not part_number:  # a new quantity or status must not blot out what is made
        return
    batch = keys.clean_id(changed.order.batch)
    value = said(
        part_number=part_number,
        revision=keys.clean_id(changed.part_revision),
        lot=keys.clean_id(changed.lot),
        quantity=changed.quantity,
    )
    yield keys.work_order(order), value
    if batch:
        yield keys.work_order(order, batch), value


def _magazine(_event: Event, payload: Any) -> Taught:
    for board in cast("MagazineMovedEvent", payload).boards:
        top, bottom = keys.clean_id(board.top_barcode), keys.clean_id(board.bottom_barcode)
        known_as, identity = top or bottom, keys.clean_id(board.hermes_id)
        if identity and known_as:
            yield keys.hermes(identity), {"identifier": known_as}
        product = keys.clean_id(board.product)
        order = board.work_order
        for identifier in dict.fromkeys(each for each in (top, bottom, identity) if each):
            if product:
                yield keys.product(identifier), {"product": product}
            if order is not None and (order.id or order.batch):
                yield (
                    keys.order(identifier),
                    said(work_order=keys.clean_id(order.id), batch=keys.clean_id(order.batch)),
                )


def _operator_came(event: Event, payload: Any) -> Taught:
    came = cast("OperatorEvent", payload)
    yield keys.operator(event.source or came.asset_id), came.operator.model_dump(exclude_none=True)


def _operator_went(event: Event, payload: Any) -> Taught:
    gone = cast("OperatorEvent", payload)
    person = keys.clean_id(gone.operator.id) or keys.clean_id(gone.operator.login)
    if person:
        yield keys.operator_gone(event.source or gone.asset_id, person), {}


def _tools_changed(event: Event, payload: Any) -> Taught:
    changed = cast("ToolChangedEvent", payload)
    handle = event.source or changed.asset_id
    if changed.loaded:
        tools = [said(id=each.id, name=each.name, kind=each.kind) for each in changed.loaded]
        yield keys.tools(handle), said(tools=tools, transaction=changed.transaction_id)
    for is_in, tools_moved in ((False, changed.unloaded), (True, changed.loaded)):
        for each in tools_moved:
            if identifier := keys.clean_id(each.id):
                yield (
                    keys.tool(identifier),
                    said(station=handle, loaded=is_in, name=each.name, kind=each.kind),
                )


def _tools_used(event: Event, payload: Any) -> Taught:
    used = cast("ToolUsedEvent", payload)
    if identifier := keys.clean_id(used.unit_id):
        transaction = keys.transaction_of(used.transaction_id)
        handle = event.source or used.asset_id
        yield (
            keys.tools_used(handle, transaction, identifier, used.position),
            {"uses": uses_of(used), "event": event.id},
        )


def uses_of(used: ToolUsedEvent) -> list[dict[str, Any]]:
    """Give the tools that were used, each with its cycles."""
    return [said(id=each.tool.id, name=each.tool.name, cycles=each.cycles) for each in used.uses]


def _installed(event: Event, payload: Any) -> Taught:
    """Tell packages and lots in short, because a panel holds thousands of parts; serial numbers in full."""
    installed = cast("MaterialInstalledEvent", payload)
    identifier = keys.clean_id(installed.unit_id)
    if not identifier:
        return
    transaction = keys.transaction_of(installed.transaction_id)
    materials = [
        said(
            package=keys.clean_id(each.package_id),
            part_number=keys.clean_id(each.part_number),
            batch=keys.clean_id(each.batch),
            quantity=each.quantity,
        )
        for each in installed.materials
    ]
    value = said(materials=materials, transaction=transaction)
    yield keys.installed(event.source, identifier, installed.position), value
    yield keys.material_told(identifier, installed.position), {"event": event.id}
    for material in installed.materials:
        for part in material.placements:
            if serial := keys.clean_id(part.unit_id):
                yield (
                    keys.child(serial),
                    said(
                        unit=identifier,
                        position=installed.position,
                        designator=part.designator,
                        part_number=keys.clean_id(material.part_number),
                        installed=True,
                    ),
                )


def _consumed(event: Event, payload: Any) -> Taught:
    used = cast("MaterialConsumedEvent", payload)
    if identifier := keys.clean_id(used.unit_id):
        yield keys.material_told(identifier, used.position), {"event": event.id}


def _removed(event: Event, payload: Any) -> Taught:
    removed = cast("MaterialRemovedEvent", payload)
    if identifier := keys.clean_id(removed.unit_id):
        yield keys.material_told(identifier, removed.position), {"event": event.id}
    for material in removed.materials:
        for part in material.placements:
            if serial := keys.clean_id(part.unit_id):
                yield (
                    keys.child(serial),
                    said(
                        unit=keys.clean_id(removed.unit_id),
                        position=removed.position,
                        designator=part.designator,
                        installed=False,
                    ),
                )


#: | event | fact | says |
#: |---|---|---|
#: | WORK_ORDER_CREATED, WORK_ORDER_UPDATED | work_order | part number and revision that it makes |
#: | MAGAZINE_ARRIVED, MAGAZINE_DEPARTED | order, product, hermes | work order, kind and codes of a board |
#: | OPERATOR_ACTIVATED | operator (by station) | who began work last |
#: | OPERATOR_DEACTIVATED | operator_gone (by station and person) | that this person ended it |
#: | TOOL_CHANGED | tools (by station), tool | the tools put in last; where a tool is |
#: | TOOL_USED | tools_used (by station, work and unit) | tools and cycles of the last message |
#: | MATERIAL_INSTALLED | installed (by station and unit), child | packages, lots; what a part is built into |
#: | all these, MATERIAL_CONSUMED | material_told | the last message about material of a unit |
#: | MATERIAL_REMOVED | child | that the part was taken out again |
TEACHERS: Final[Mapping[EventType, Callable[[Event, Any], Taught]]] = {
    EventType.WORK_ORDER_CREATED: _work_order,
    EventType.WORK_ORDER_UPDATED: _work_order,
    EventType.MAGAZINE_ARRIVED: _magazine,
    EventType.MAGAZINE_DEPARTED: _magazine,
    EventType.OPERATOR_ACTIVATED: _operator_came,
    EventType.OPERATOR_DEACTIVATED: _operator_went,
    EventType.TOOL_CHANGED: _tools_changed,
    EventType.TOOL_USED: _tools_used,
    EventType.MATERIAL_INSTALLED: _installed,
    EventType.MATERIAL_REMOVED: _removed,
    EventType.MATERIAL_CONSUMED: _consumed,
}
