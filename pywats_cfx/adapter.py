"""One raw message to events: the pure function that transports of CFX hand their messages to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from pywats_cfx.codec import decode_each
from pywats_cfx.envelope import CFXEnvelope
from pywats_cfx.errors import CFXDecodeError
from pywats_cfx.limits import DEFAULT_LIMITS, Limits
from pywats_cfx.mapping import assets, flow, materials, results
from pywats_cfx.mapping.origin import Origin, made_id
from pywats_cfx.mapping.values import plain
from pywats_cfx.messages import (
    EndpointConnected,
    FaultCleared,
    FaultOccurred,
    Heartbeat,
    MaterialsInstalled,
    RecipeActivated,
    StationStateChanged,
    UnitsArrived,
    UnitsDeparted,
    UnitsDisqualified,
    UnitsInitialized,
    UnitsInspected,
    UnitsPersonalized,
    UnitsTested,
    UnknownMessage,
    WorkCompleted,
    WorkStarted,
)
from pywats_events.event import Event, EventType
from pywats_events.message import RawMessage, Unreadable

_MAPPINGS: Final[dict[type, Callable[[Any, Origin], Iterable[Event | Unreadable]]]] = {
    EndpointConnected: assets.endpoint_connected,
    FaultCleared: assets.fault_cleared,
    FaultOccurred: assets.fault_occurred,
    Heartbeat: assets.heartbeat,
    MaterialsInstalled: materials.materials_installed,
    RecipeActivated: flow.recipe_activated,
    StationStateChanged: assets.station_state_changed,
    UnitsArrived: flow.units_arrived,
    UnitsDeparted: flow.units_departed,
    UnitsDisqualified: flow.units_disqualified,
    UnitsInitialized: flow.units_initialized,
    UnitsInspected: results.units_inspected,
    UnitsPersonalized: flow.units_personalized,
    UnitsTested: results.units_tested,
    WorkCompleted: flow.work_completed,
    WorkStarted: flow.work_started,
}

#: What a message is about; without it there is nothing to tell.
_SUBJECTS: Final[dict[type, str]] = {
    FaultOccurred: "Fault",
    MaterialsInstalled: "InstalledMaterials",
    UnitsDisqualified: "Units",
    UnitsInspected: "InspectedUnits",
    UnitsPersonalized: "PersonalizedUnits",
    UnitsTested: "TestedUnits",
}


class CFXAdapter:
    """Makes events of CFX messages. Pure: no I/O, no clock, the same answer for the same message.

    A message that has no event type of its own becomes a CUSTOM event with its body as payload. One of ours
    that names nothing (its list of units is missing or empty) can't be told from one whose field is misspelt,
    so it is unreadable and names the field. An empty list of envelopes holds no message and gives no event.

    Args:
        limits: how much one message may ask of us.
    """

    def __init__(self, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits

    def __call__(self, raw: RawMessage) -> Sequence[Event | Unreadable]:
        """Give the events of a message, and what of it can't be read. Raises nothing."""
        try:
            outcomes = decode_each(raw.body, content_encoding=raw.content_encoding, limits=self._limits)
        except CFXDecodeError as error:
            return [_unreadable(error, raw)]
        made: list[Event | Unreadable] = []
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, CFXDecodeError):
                made.append(_unreadable(outcome, raw))
            else:
                made.extend(_events(outcome, raw, index))
        return made


#: The adapter with the default limits.
cfx_adapter: Final = CFXAdapter()


def _events(envelope: CFXEnvelope, raw: RawMessage, index: int) -> Sequence[Event | Unreadable]:
    origin = Origin.of(envelope, raw)
    try:
        return list(_mapped(envelope, origin))
    except CFXDecodeError as error:
        error.index = index
        reason, kind = str(error), type(error).__name__
    except Exception as error:  # noqa: BLE001  # one message that we can't map must not stop those behind it
        reason, kind = (
            f"{envelope.message_name} from {origin.source}: can't be mapped: {error!r}",
            "MappingError",
        )
    return [
        Unreadable(
            id=made_id(origin.identity, "unreadable"),
            reason=reason,
            error=kind,
            source=origin.source,
            message_name=envelope.message_name,
        )
    ]


def _mapped(envelope: CFXEnvelope, origin: Origin) -> Iterator[Event | Unreadable]:
    message = envelope.message
    mapping = None if isinstance(message, UnknownMessage) else _MAPPINGS.get(type(message))
    if mapping is None:
        yield _custom(envelope, origin)
        return
    nothing = True
    for made in mapping(message, origin):
        nothing = False
        yield made
    if nothing:
        field = _SUBJECTS.get(type(message), "")
        yield origin.unreadable(field, "is missing or empty, so the message says nothing")


def _custom(envelope: CFXEnvelope, origin: Origin) -> Event:
    return origin.event(EventType.CUSTOM, plain(envelope.body), key=origin.source)


def _unreadable(error: CFXDecodeError, raw: RawMessage) -> Unreadable:
    digest = hashlib.sha256(raw.body).hexdigest()
    return Unreadable(
        id=made_id("body", digest, "" if error.index is None else error.index),
        reason=str(error),
        error=type(error).__name__,
        source=error.source or raw.address or raw.transport,
        message_name=error.message_name,
    )
