"""What scanners read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pywats_cfx.mapping.flow import places
from pywats_cfx.mapping.origin import Origin
from pywats_cfx.mapping.values import text
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.payloads import UnitIdentifiedEvent, UnitNotIdentifiedEvent

if TYPE_CHECKING:
    from pywats_cfx.messages import IdentifiersNotRead, IdentifiersRead, IdentifyUnitsResponse


def read(message: IdentifiersRead, origin: Origin) -> Iterator[Event]:
    """One UNIT_IDENTIFIED; none where nothing was read."""
    yield from _read(message, origin)


def asked_and_read(message: IdentifyUnitsResponse, origin: Origin) -> Iterator[Event]:
    """One UNIT_IDENTIFIED: the scanner read when it was asked, and this is the only word of it.

    None where it could not, or where nothing was read.
    """
    if message.result is not None and message.result.result == cfx.StatusResult.Success:
        yield from _read(message, origin)


def _read(message: IdentifiersRead | IdentifyUnitsResponse, origin: Origin) -> Iterator[Event]:
    payload = UnitIdentifiedEvent(
        panel_id=text(message.primary_identifier),
        hermes_id=text(message.hermes_identifier),
        units=places(message.units),
    )
    if payload.panel_id or payload.hermes_id or payload.units:
        yield origin.event(EventType.UNIT_IDENTIFIED, payload)


def not_read(message: IdentifiersNotRead, origin: Origin) -> Iterator[Event]:
    """One UNIT_NOT_IDENTIFIED."""
    payload = UnitNotIdentifiedEvent(asset_id=origin.source, positions=message.positions_not_read)
    yield origin.event(EventType.UNIT_NOT_IDENTIFIED, payload)
