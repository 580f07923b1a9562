"""The bus: the way in, the way out, and the two faces of it."""

from pywats_events.bus.async_bus import AsyncEventBus
from pywats_events.bus.subscription import Filter, Middleware, Subscription
from pywats_events.bus.sync_bus import EventBus

__all__ = ["AsyncEventBus", "EventBus", "Filter", "Middleware", "Subscription"]
