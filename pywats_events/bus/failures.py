"""What the bus says of failures: to handlers of system events, to the dead letters' window, to the log."""

from __future__ import annotations

from typing import Any

import structlog

from pywats_events.bus.dispatcher import Settled
from pywats_events.bus.telling import Telling
from pywats_events.journal import Bury, Receipt
from pywats_events.message import Unreadable
from pywats_events.policies import DeadLetter

log = structlog.get_logger(__name__)


def log_unreadable(broken: Unreadable, receipt: Receipt, telling: Telling) -> None:
    """Log that no event could be made of a message, or of a part of it."""
    telling.tell(
        log.error,
        log.debug,
        "message could not be read; it is a dead letter",
        event_id=broken.id,
        transport=receipt.raw.transport if receipt.raw else "",
        source=broken.source,
        message_name=broken.message_name,
        reason=broken.reason,
    )


def not_read(broken: Unreadable, receipt: Receipt) -> dict[str, Any]:
    """Give the payload of the system event about an unreadable message."""
    return {
        "event_id": broken.id,
        "transport": receipt.raw.transport if receipt.raw else "",
        "source": broken.source,
        "message_name": broken.message_name,
        "handler": "",
        "error": broken.error,
        "reason": broken.reason,
    }


def failure(one: Settled) -> dict[str, Any]:
    """Give the payload of the system event about a try that failed."""
    return {
        "event_id": one.delivery.event.id,
        "event_type": one.delivery.event.event_type.value,
        "unit_id": one.delivery.event.key,
        "handler": one.delivery.handler,
        "error": type(one.error).__name__,
        "reason": str(one.error),
        "outcome": type(one.verdict).__name__,
    }


def dead_letter(one: Settled, verdict: Bury) -> DeadLetter:
    """Give the entry of the dead letters' window."""
    return DeadLetter(
        id=one.delivery.id,
        event=one.delivery.event,
        handler=one.delivery.handler,
        error=verdict.reason,
        error_type=verdict.error,
        attempts=one.delivery.attempts + 1,
    )
