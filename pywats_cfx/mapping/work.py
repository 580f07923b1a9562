"""The steps of a work: stages of the station, and what it did in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pywats_cfx.mapping.origin import Origin, known_guid
from pywats_cfx.mapping.values import details, kind_of, said, stage, text
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.payloads import Activity, WorkActivitiesEvent, WorkStageEvent

if TYPE_CHECKING:
    from pywats_cfx.messages import (
        ActivitiesExecuted,
        WorkStageCompleted,
        WorkStagePaused,
        WorkStageResumed,
        WorkStageStarted,
    )

_NO_REASON = cfx.WorkStagePauseReason.Unknown


def stage_started(message: WorkStageStarted, origin: Origin) -> Iterator[Event]:
    """One WORK_STAGE_STARTED."""
    yield _stage_event(EventType.WORK_STAGE_STARTED, message, origin)


def stage_completed(message: WorkStageCompleted, origin: Origin) -> Iterator[Event]:
    """One WORK_STAGE_COMPLETED."""
    impacts = [cause for each in message.performance_impacts if (cause := said(each.cause))]
    yield _stage_event(
        EventType.WORK_STAGE_COMPLETED, message, origin, result=said(message.result), impacts=impacts
    )


def stage_paused(message: WorkStagePaused, origin: Origin) -> Iterator[Event]:
    """One WORK_STAGE_PAUSED."""
    reason = said(message.pause_reason, unset=_NO_REASON)
    yield _stage_event(EventType.WORK_STAGE_PAUSED, message, origin, reason=reason)


def stage_resumed(message: WorkStageResumed, origin: Origin) -> Iterator[Event]:
    """One WORK_STAGE_RESUMED."""
    yield _stage_event(EventType.WORK_STAGE_RESUMED, message, origin)


def _stage_event(
    event_type: EventType,
    message: WorkStageStarted | WorkStageCompleted | WorkStagePaused | WorkStageResumed,
    origin: Origin,
    **members: Any,
) -> Event:
    transaction = known_guid(message.transaction_id)
    payload = WorkStageEvent(transaction_id=transaction, stage=stage(message.stage), **members)
    return origin.event(event_type, payload, correlation_id=transaction)


def activities(message: ActivitiesExecuted, origin: Origin) -> Iterator[Event]:
    """One WORK_ACTIVITIES; none where no activity is named."""
    if not message.activities:
        return
    transaction = known_guid(message.transaction_id)
    payload = WorkActivitiesEvent(
        transaction_id=transaction,
        stage=stage(message.stage),
        activities=[_activity(each) for each in message.activities],
    )
    yield origin.event(EventType.WORK_ACTIVITIES, payload, correlation_id=transaction)


def _activity(given: cfx.Activity) -> Activity:
    return Activity(
        id=known_guid(given.activity_instance_id),
        name=text(given.activity_name),
        state=said(given.activity_state),
        kind=kind_of(given, cfx.Activity),
        performed_at=given.time_stamp,
        comments=text(given.comments),
        value_add=said(given.value_add_type),
        details=details(given, cfx.Activity),
    )
