"""Work orders: what is to be made, when and where, and what was done for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pywats_cfx.mapping.origin import Origin, known_guid
from pywats_cfx.mapping.values import finite, person, said, text, work_order
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.payloads import (
    WorkOrder,
    WorkOrderActionEvent,
    WorkOrderChangedEvent,
    WorkOrderScheduledEvent,
)

if TYPE_CHECKING:
    from pywats_cfx.messages import (
        WorkOrderActionExecuted,
        WorkOrderQuantityUpdated,
        WorkOrdersCreated,
        WorkOrdersDeleted,
        WorkOrdersScheduled,
        WorkOrderStatusUpdated,
        WorkOrdersUnscheduled,
        WorkOrdersUpdated,
    )

_NO_SURFACE = cfx.Surface.Unspecified


def work_orders_created(message: WorkOrdersCreated, origin: Origin) -> Iterator[Event]:
    """One WORK_ORDER_CREATED for each order."""
    yield from _orders(EventType.WORK_ORDER_CREATED, message.new_orders, origin)


def work_orders_updated(message: WorkOrdersUpdated, origin: Origin) -> Iterator[Event]:
    """One WORK_ORDER_UPDATED for each order, with all that is now true of it."""
    yield from _orders(EventType.WORK_ORDER_UPDATED, message.updated_orders, origin)


def _orders(event_type: EventType, orders: Iterable[cfx.WorkOrder], origin: Origin) -> Iterator[Event]:
    for index, each in enumerate(orders):
        payload = WorkOrderChangedEvent(
            order=_order(each.work_order_identifier),
            status=said(each.status),
            part_number=text(each.part_number),
            part_revision=text(each.part_revision),
            quantity=finite(each.quantity),
            quantity_unit=text(each.unit_of_measure),
            lot=text(each.lot_number),
            description=text(each.description),
            route=text(each.router),
            route_revision=text(each.router_revision),
            customer=text(each.customer),
            department=text(each.department),
            created_at=each.created_date,
            starts_at=each.start_date,
            required_at=each.date_required,
            depends_on=[order for other in each.depends_on if (order := work_order(other)) is not None],
        )
        yield _event(event_type, payload, origin, index)


def work_orders_deleted(message: WorkOrdersDeleted, origin: Origin) -> Iterator[Event]:
    """One WORK_ORDER_DELETED for each order."""
    for index, each in enumerate(message.work_order_identifiers):
        yield _event(EventType.WORK_ORDER_DELETED, WorkOrderChangedEvent(order=_order(each)), origin, index)


def quantity_updated(message: WorkOrderQuantityUpdated, origin: Origin) -> Iterator[Event]:
    """One WORK_ORDER_UPDATED."""
    payload = WorkOrderChangedEvent(
        order=_order(message.work_order_identifier),
        quantity=finite(message.new_quantity),
        previous_quantity=finite(message.previous_quantity),
    )
    yield _event(EventType.WORK_ORDER_UPDATED, payload, origin)


def status_updated(message: WorkOrderStatusUpdated, origin: Origin) -> Iterator[Event]:
    """One WORK_ORDER_UPDATED."""
    payload = WorkOrderChangedEvent(
        order=_order(message.work_order_identifier),
        status=said(message.new_status),
        previous_status=said(message.previous_status),
    )
    yield _event(EventType.WORK_ORDER_UPDATED, payload, origin)


def work_orders_scheduled(message: WorkOrdersScheduled, origin: Origin) -> Iterator[Event]:
    """One WORK_ORDER_SCHEDULED for each order."""
    for index, each in enumerate(message.scheduled_work_orders):
        payload = WorkOrderScheduledEvent(
            order=_order(each.work_order_identifier),
            area=text(each.work_area),
            scheduler=person(each.scheduler),
            starts_at=each.start_time,
            ends_at=each.end_time,
            resources=_known(each.reserved_resources),
            tools=_known(text(tool.unique_identifier) or tool.name for tool in each.reserved_tools),
            operators=[known for one in each.reserved_operators if (known := person(one)) is not None],
            packages=_known(package.unique_identifier for package in each.reserved_materials),
        )
        yield _event(EventType.WORK_ORDER_SCHEDULED, payload, origin, index)


def work_orders_unscheduled(message: WorkOrdersUnscheduled, origin: Origin) -> Iterator[Event]:
    """One WORK_ORDER_UNSCHEDULED for each order."""
    for index, each in enumerate(message.scheduled_work_order_identifiers):
        payload = WorkOrderScheduledEvent(order=_order(each.work_order_identifier), area=text(each.work_area))
        yield _event(EventType.WORK_ORDER_UNSCHEDULED, payload, origin, index)


def action_executed(message: WorkOrderActionExecuted, origin: Origin) -> Iterator[Event]:
    """One WORK_ORDER_ACTION."""
    payload = WorkOrderActionEvent(
        asset_id=origin.source,
        order=_order(message.work_order_identifier),
        id=known_guid(message.work_order_action_instance_id),
        action=said(message.type),
        state=said(message.state),
        performed_at=message.time_stamp,
        comments=text(message.comments),
        surface=said(message.relevant_surface, unset=_NO_SURFACE),
        recipe=text(message.recipe_name),
        recipe_revision=text(message.recipe_revision),
        units_per_board=finite(message.expected_units_per_board),
    )
    yield _event(EventType.WORK_ORDER_ACTION, payload, origin)


def _order(identifier: cfx.WorkOrderIdentifier | None) -> WorkOrder:
    return work_order(identifier) or WorkOrder()


def _known(identifiers: Iterable[Any]) -> list[str]:
    return [known for each in identifiers if (known := text(each))]


def _event(
    event_type: EventType,
    payload: WorkOrderChangedEvent | WorkOrderScheduledEvent | WorkOrderActionEvent,
    origin: Origin,
    index: int = 0,
) -> Event:
    return origin.event(event_type, payload, part=index, key=payload.order.id or payload.order.batch or "")
