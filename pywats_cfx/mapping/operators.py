"""Who works at a station."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pywats_cfx.mapping.origin import Origin
from pywats_cfx.mapping.values import person
from pywats_events.event import Event, EventType
from pywats_events.payloads import OperatorEvent

if TYPE_CHECKING:
    from pywats_cfx.messages import OperatorActivated, OperatorDeactivated


def activated(message: OperatorActivated, origin: Origin) -> Iterator[Event]:
    """One OPERATOR_ACTIVATED; none where nobody is named."""
    if (operator := person(message.operator)) is not None:
        payload = OperatorEvent(asset_id=origin.source, operator=operator)
        yield origin.event(EventType.OPERATOR_ACTIVATED, payload)


def deactivated(message: OperatorDeactivated, origin: Origin) -> Iterator[Event]:
    """One OPERATOR_DEACTIVATED; none where nobody is named."""
    if (operator := person(message.operator)) is not None:
        payload = OperatorEvent(asset_id=origin.source, operator=operator)
        yield origin.event(EventType.OPERATOR_DEACTIVATED, payload)
