"""The bus: the way in, the way out, and the two faces of it."""

from pywats_events.bus.async_bus import AsyncEventBus
from pywats_events.bus.dead_letters import DeadLetters, Letter
from pywats_events.bus.replay_jobs import JobState, ReplayJob, ReplayJobs
from pywats_events.bus.subscription import Filter, Middleware, Subscription
from pywats_events.bus.sync_bus import EventBus

__all__ = [
    "AsyncEventBus",
    "DeadLetters",
    "EventBus",
    "Filter",
    "JobState",
    "Letter",
    "Middleware",
    "ReplayJob",
    "ReplayJobs",
    "Subscription",
]
