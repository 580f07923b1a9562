"""What machines record of the making of units: process data and readings, in the form of results."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from pywats_events.payloads.common import DomainModel, Outcome
from pywats_events.payloads.results import TestStep


class UnitProcessedEvent(DomainModel):
    """What a machine says of how it worked on one unit, or on all units of a work alike.

    Its members are those of ``TestResultEvent`` where they mean the same, so that a report can be made of it.

    Attributes:
        asset_id: the machine.
        unit_id: identifier as the machine gave it; None when it speaks of all units of the transaction.
        position: place on that panel or carrier, where the machine said one.
        siblings: how many units of the message share ``unit_id``.
        repeat: 0 for the first entry of this identifier and position in the message, 1 for the second...
        result: how it went with this unit.
        result_said: the machine's word for it, where that is none of the standard's.
        work_result: how it went with the work as a whole, in the machine's word.
        transaction_id: the work.
        recipe: where the data name one.
        started_at: when the unit came in, where the data say so.
        ended_at: when it went out, likewise.
        tests: the data, one step for each part of them.
    """

    asset_id: str
    unit_id: str | None = None
    position: int | None = None
    siblings: int = 1
    repeat: int = 0
    result: Outcome = Outcome.UNKNOWN
    result_said: str | None = None
    work_result: str | None = None
    transaction_id: str | None = None
    recipe: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    tests: list[TestStep] = Field(default_factory=list)


class ReadingsRecordedEvent(DomainModel):
    """Readings that a machine took: of one unit, or of itself when ``unit_id`` is None.

    A reading has a verdict, but nobody gave one of the unit, so there is no result here.

    Attributes:
        tests: one step that holds the readings as measurements, or one for each part of the machine's data.
    """

    asset_id: str
    unit_id: str | None = None
    position: int | None = None
    siblings: int = 1
    transaction_id: str | None = None
    tests: list[TestStep] = Field(default_factory=list)
