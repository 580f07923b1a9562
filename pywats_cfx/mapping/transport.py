"""Transport orders: how material gets through the factory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pywats_cfx.mapping.origin import Origin
from pywats_cfx.mapping.stock import package
from pywats_cfx.mapping.values import person, said, text
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.payloads import MaterialTransportedEvent

if TYPE_CHECKING:
    from pywats_cfx.messages import (
        CheckpointReached,
        TransportOrderCompleted,
        TransportOrderStarted,
        TransportOrderStatusChanged,
    )

_UNSET = cfx.TransportOrderStatus.Unspecified


def started(message: TransportOrderStarted, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_TRANSPORTED, with the packages."""
    payload = MaterialTransportedEvent(
        order_id=text(message.transport_order_id),
        step="started",
        status=said(message.status, unset=_UNSET),
        work_order_id=text(message.related_work_order_id),
        origin=text(message.source),
        destination=text(message.final_destination),
        next_checkpoint=text(message.next_checkpoint),
        person=person(message.started_by),
        comments=text(message.comments),
        packages=[package(each) for each in message.materials],
    )
    yield _event(payload, origin)


def checkpoint(message: CheckpointReached, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_TRANSPORTED."""
    payload = MaterialTransportedEvent(
        order_id=text(message.transport_order_id),
        step="checkpoint",
        status=said(message.status, unset=_UNSET),
        work_order_id=text(message.related_work_order_id),
        checkpoint=text(message.checkpoint),
        destination=text(message.final_destination),
        next_checkpoint=text(message.next_checkpoint),
        person=person(message.tracked_by),
        comments=text(message.comments),
    )
    yield _event(payload, origin)


def status_changed(message: TransportOrderStatusChanged, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_TRANSPORTED."""
    payload = MaterialTransportedEvent(
        order_id=text(message.transport_order_id),
        step="status",
        status=said(message.status, unset=_UNSET),
        work_order_id=text(message.related_work_order_id),
        origin=text(message.source),
        destination=text(message.final_destination),
        next_checkpoint=text(message.next_checkpoint),
        person=person(message.updated_by),
        comments=text(message.comments),
    )
    yield _event(payload, origin)


def completed(message: TransportOrderCompleted, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_TRANSPORTED."""
    payload = MaterialTransportedEvent(
        order_id=text(message.transport_order_id),
        step="completed",
        work_order_id=text(message.related_work_order_id),
        destination=text(message.final_destination),
        person=person(message.accepted_by),
        comments=text(message.comments),
    )
    yield _event(payload, origin)


def _event(payload: MaterialTransportedEvent, origin: Origin) -> Event:
    return origin.event(EventType.MATERIAL_TRANSPORTED, payload, key=payload.order_id or "")
