"""Messages for the CFX tests, and what the adapter makes of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pywats_cfx import cfx_adapter
from pywats_events.event import Event
from pywats_events.message import RawMessage, Unreadable

#: The standard's own examples and recorded traffic, where they lie beside the checkout.
REFERENCE = Path(__file__).parents[3].parent / "shared" / "cfx"
UNIQUE_ID = "097508d3-08b3-4781-817a-2c491e39ab7a"
#: The sender of all of them.
HANDLE = "//Acme/Line1/ICT01"
RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

_SHORT = {
    "UnitsTested": "CFX.Production.TestAndInspection.UnitsTested",
    "UnitsInspected": "CFX.Production.TestAndInspection.UnitsInspected",
    "MaterialsInstalled": "CFX.Production.Assembly.MaterialsInstalled",
    "UnitsPersonalized": "CFX.Production.Assembly.UnitsPersonalized",
    "FaultOccurred": "CFX.ResourcePerformance.FaultOccurred",
    "FaultCleared": "CFX.ResourcePerformance.FaultCleared",
    "StationStateChanged": "CFX.ResourcePerformance.StationStateChanged",
    "Heartbeat": "CFX.Heartbeat",
    "EndpointConnected": "CFX.EndpointConnected",
    "EndpointShuttingDown": "CFX.EndpointShuttingDown",
}


def full_name(name: str) -> str:
    """Give the full name of a message."""
    return name if name.startswith("CFX.") else _SHORT.get(name, f"CFX.Production.{name}")


def envelope(name: str, body: Any, **fields: Any) -> dict[str, Any]:
    """Give an envelope as JSON data, complete unless told otherwise."""
    return {
        "MessageName": full_name(name),
        "Version": "2.1",
        "TimeStamp": "2026-03-01T10:00:00+01:00",
        "UniqueID": UNIQUE_ID,
        "Source": HANDLE,
        "Target": None,
        "RequestID": None,
        "MessageBody": body,
    } | fields


def wire(content: Any) -> bytes:
    """Give JSON data as bytes."""
    return json.dumps(content).encode()


def mapped(name: str, body: Any, **fields: Any) -> list[Event | Unreadable]:
    """Give what the adapter makes of one message; each event must be storable."""
    raw = RawMessage(wire(envelope(name, body, **fields)), transport="amqp", received_at=RECEIVED)
    made = list(cfx_adapter(raw))
    for each in made:
        if isinstance(each, Event):
            assert Event.from_json(each.to_json()).payload == each.payload
    return made


def events(name: str, body: Any, **fields: Any) -> list[Event]:
    """Give the events of one message, all of which must be readable."""
    made = mapped(name, body, **fields)
    assert not [each for each in made if isinstance(each, Unreadable)]
    return [each for each in made if isinstance(each, Event)]
