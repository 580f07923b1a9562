"""What was done to mend a unit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from pywats_events.payloads.common import DomainModel, Person
from pywats_events.payloads.results import Defect, Symptom


class Repair(DomainModel):
    """One thing that was done to a unit.

    Attributes:
        id: identity that the source gave it.
        name: what was done.
        result: ``RepairSuccessful``, ``UnableToRepair``, ``Scrap``, ``Error``, ``Aborted``, or the source's
            own word; None when nothing was said.
        designator: the component that it was done to.
        part_number: part number of that component.
        region: the area that it was done to.
        defect_ids: the defects that it mends, by the ids that the test or inspection gave them.
        symptom_ids: likewise of symptoms.
        reclassified_defects: what the defects turned out to be.
        reclassified_symptoms: likewise of symptoms.
        error: what went wrong with the repair itself.
    """

    id: str | None = None
    name: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    result: str | None = None
    comments: str | None = None
    error: str | None = None
    designator: str | None = None
    part_number: str | None = None
    region: dict[str, Any] | None = None
    defect_ids: list[str] = Field(default_factory=list)
    symptom_ids: list[str] = Field(default_factory=list)
    reclassified_defects: list[Defect] = Field(default_factory=list)
    reclassified_symptoms: list[Symptom] = Field(default_factory=list)


class UnitRepairedEvent(DomainModel):
    """What a repair station says of one unit.

    Parts that were exchanged are told by MATERIAL_REMOVED and MATERIAL_INSTALLED of the same unit and
    transaction.

    Attributes:
        unit_id: identifier as the station gave it: the unit's own, or its panel's or carrier's.
        position: place on that panel or carrier, where the station said one.
        siblings: how many units of the message share ``unit_id``.
        repeat: 0 for the first entry of this identifier and position in the message, 1 for the second...
        result: as in ``Repair``, of the unit as a whole.
        transaction_id: the work that the repair was part of.
        operator: who repaired.
        repairs: what was done, in order.
    """

    unit_id: str
    position: int | None = None
    siblings: int = 1
    repeat: int = 0
    result: str | None = None
    transaction_id: str | None = None
    operator: Person | None = None
    repairs: list[Repair] = Field(default_factory=list)
