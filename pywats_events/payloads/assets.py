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


class AssetFaultAcknowledgedEvent(DomainModel):
    """Somebody has seen a fault, which goes on; ``occurrence_id`` says which one."""

    asset_id: str
    occurrence_id: str | None = None
    operator: Person | None = None


class AssetStateChangedEvent(DomainModel):
    """A station, or one stage of it, went from one SEMI E10/E58 state to another.

    Attributes:
        stage: the stage whose state it is; None when it is the station's as a whole.
        lane: the lane whose state it is, likewise.
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
    stage: Stage | None = None
    lane: int | None = None


class AssetSleepChangedEvent(DomainModel):
    """A station fell asleep or woke, to save energy.

    Attributes:
        old_state: the station's own word for how deep it slept.
        new_state: likewise, now.
        seconds_remaining: how long the change still takes.
    """

    asset_id: str
    old_state: str | None = None
    new_state: str | None = None
    stage: Stage | None = None
    lane: int | None = None
    seconds_remaining: float | None = None


class AssetDisconnectedEvent(DomainModel):
    """An endpoint says that it is about to leave the network."""

    asset_id: str


class AssetOnlineEvent(DomainModel):
    """A station takes part in production again; ``offline_seconds`` is how long it did not."""

    asset_id: str
    offline_seconds: float | None = None


class AssetOfflineEvent(DomainModel):
    """A station no longer takes part in production."""

    asset_id: str


class AssetLogEvent(DomainModel):
    """A line that a station wrote into its log.

    Attributes:
        code: identity of the kind of line.
        text: the line.
        importance: ``Debug``, ``Information``, ``Warning``, ``Error``, ``Fatal``, or the source's own word.
        details: what else was said with it.
    """

    asset_id: str
    code: str | None = None
    text: str | None = None
    importance: str | None = None
    lane: int | None = None
    stage: Stage | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class AssetCountersEvent(DomainModel):
    """What a station did between two times.

    Attributes:
        counted: what is counted: ``components placed``, ``components inserted``, ``components pressed``.
        done: how many.
        not_done: how many were tried in vain.
    """

    asset_id: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    counted: str
    done: int | None = None
    not_done: int | None = None


class AssetEnergyEvent(DomainModel):
    """Energy that a station used between two times.

    Attributes:
        energy_kwh: in kilowatt hours.
        figures: power in W, current in A, voltage in V, frequency in Hz and power factors, by the names of
            the standard in snake case (``peak_power``, ``mean_voltage_ryb``).
        parts: the same of parts of the station.
    """

    asset_id: str
    subsystem: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    energy_kwh: float | None = None
    figures: dict[str, float | list[float | None]] = Field(default_factory=dict)
    parts: list[AssetEnergyEvent] = Field(default_factory=list)


class AssetParametersChangedEvent(DomainModel):
    """Settings of a station were changed at the station.

    Attributes:
        parameters: each with ``kind`` and what it says; a general one with ``name`` and ``value``.
    """

    asset_id: str
    parameters: list[dict[str, Any]] = Field(default_factory=list)


class OperatorEvent(DomainModel):
    """Somebody began or ended work at a station."""

    asset_id: str
    operator: Person
