"""The journal: events, what became of each one, and what was learnt from them."""

from pywats_events.journal.interface import Journal, JournalError
from pywats_events.journal.records import (
    Appended,
    Attempt,
    Bury,
    Completed,
    Delivery,
    DeliveryState,
    Entry,
    Fact,
    Park,
    Query,
    RawRecord,
    Receipt,
    Release,
    RetryAt,
    Routed,
    Stats,
    Verdict,
)

__all__ = [
    "Appended",
    "Attempt",
    "Bury",
    "Completed",
    "Delivery",
    "DeliveryState",
    "Entry",
    "Fact",
    "Journal",
    "JournalError",
    "Park",
    "Query",
    "RawRecord",
    "Receipt",
    "Release",
    "RetryAt",
    "Routed",
    "Stats",
    "Verdict",
]
