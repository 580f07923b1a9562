"""What machines say of themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from pywats_events.payloads.common import DomainModel, Person, Stage


class AssetFaultEvent(DomainModel):
    """A fault at a station.

    Attributes:
        asset_id: the station, as it names itself (CFX handle).
        fault_code: the machine's code.
        severity: ``Information``, ``Warning``, ``Error``, ``Alarm``, or the source's own word.
        cause: class of cause, such as ``MechanicalFailure``.
        occurrence_id: joins occurrence, acknowledgement and clearing of one fault.
        description: text for people.
        translations: the same text in other languages, by language tag.
        occurred_at: when it happened.
        due_at: until when somebody should act.
        details: what else the machine said of it.
    """

    asset_id: str
    fault_code: str | None = None
    severity: str | None = None
    cause: str | None = None
    occurrence_id: str | None = None
    description: str | None = None
    translations: dict[str, str] = Field(default_factory=dict)
    transaction_id: str | None = None
    lane: int | None = None
    stage: Stage | None = None
    side: str | None = None
    occurred_at: datetime | None = None
    due_at: datetime | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class AssetFaultClearedEvent(DomainModel):
    """A fault is over; ``occurrence_id`` says which one."""

    asset_id: str
    occurrence_id: str | None = None
    operator: Person | None = None


class AssetStateChangedEvent(DomainModel):
    """A station went from one SEMI E10/E58 state to another.

    Attributes:
        old_state: state code such as 2200; None when it could not be read.
        new_state: state code such as 1100; None when it could not be read.
        old_state_said: the source's word, where no code could be read from it.
        new_state_said: likewise.
        old_state_seconds: how long the old state lasted.
        fault: the fault that caused it, if one did.
    """

    asset_id: str
    old_state: int | None = None
    new_state: int | None = None
    old_state_said: str | None = None
    new_state_said: str | None = None
    old_state_seconds: float | None = None
    fault: AssetFaultEvent | None = None
