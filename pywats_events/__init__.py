"""Domain events, their journal and the bus that brings each one to its handlers.

Everything is loaded when first asked for: who only makes events needs no bus and no journal.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pywats_events.bus import AsyncEventBus, EventBus
    from pywats_events.errors import DestinationUnavailable, NotReady, PermanentError, TransientError
    from pywats_events.event import Event, EventFormatError, EventMetadata, EventType
    from pywats_events.handler import BaseHandler, Done, Dropped
    from pywats_events.message import Adapter, RawMessage, Unreadable

_HOME: Final = {
    "Adapter": "message",
    "AsyncEventBus": "bus",
    "BaseHandler": "handler",
    "DestinationUnavailable": "errors",
    "Done": "handler",
    "Dropped": "handler",
    "Event": "event",
    "EventBus": "bus",
    "EventFormatError": "event",
    "EventMetadata": "event",
    "EventType": "event",
    "NotReady": "errors",
    "PermanentError": "errors",
    "RawMessage": "message",
    "TransientError": "errors",
    "Unreadable": "message",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    member = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = member
    return member


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "Adapter",
    "AsyncEventBus",
    "BaseHandler",
    "DestinationUnavailable",
    "Done",
    "Dropped",
    "Event",
    "EventBus",
    "EventFormatError",
    "EventMetadata",
    "EventType",
    "NotReady",
    "PermanentError",
    "RawMessage",
    "TransientError",
    "Unreadable",
]
