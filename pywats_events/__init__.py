"""Domain events, their journal and the bus that brings each one to its handlers."""

from pywats_events.bus import AsyncEventBus, EventBus
from pywats_events.errors import DestinationUnavailable, NotReady, PermanentError, TransientError
from pywats_events.event import Event, EventFormatError, EventMetadata, EventType
from pywats_events.handler import BaseHandler, Done, Dropped
from pywats_events.message import Adapter, RawMessage, Unreadable

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
