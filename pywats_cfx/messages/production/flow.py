"""``CFX.Production``: how units and work move."""

from __future__ import annotations

from pydantic import Field

from pywats_cfx.messages.structures.enumerations import (
    DisqualificationReason,
    PerformanceImpactCause,
    Surface,
    WorkResult,
)
from pywats_cfx.messages.structures.general import Stage, UnitPosition, WorkOrderIdentifier
from pywats_cfx.messages.wire import CFXMessage, CFXStructure, Many, Open


class UnitsInitialized(CFXMessage):
    """Units enter production."""

    CFX_NAME = "CFX.Production.UnitsInitialized"

    transaction_id: str | None = Field(default=None, alias="TransactionID")
    primary_identifier: str | None = None
    hermes_identifier: str | None = None
    work_order_identifier: WorkOrderIdentifier | None = None
    unit_count: int | None = None
    units: Many[UnitPosition] = Field(default_factory=list)


class UnitsArrived(CFXMessage):
    """Units reached a station."""

    CFX_NAME = "CFX.Production.UnitsArrived"

    primary_identifier: str | None = None
    hermes_identifier: str | None = None
    unit_count: int | None = None
    units: Many[UnitPosition] = Field(default_factory=list)
    lane: int | None = None


class UnitsDeparted(CFXMessage):
    """Units left a station."""

    CFX_NAME = "CFX.Production.UnitsDeparted"

    primary_identifier: str | None = None
    hermes_identifier: str | None = None
    unit_count: int | None = None
    units: Many[UnitPosition] = Field(default_factory=list)
    lane: int | None = None


class UnitsDisqualified(CFXMessage):
    """Units were ruled out."""

    CFX_NAME = "CFX.Production.UnitsDisqualified"

    primary_identifier: str | None = None
    hermes_identifier: str | None = None
    reason: Open[DisqualificationReason] = None
    comments: str | None = None
    unit_count: int | None = None
    units: Many[UnitPosition] = Field(default_factory=list)


class WorkStarted(CFXMessage):
    """A station begins to work on units; opens the transaction."""

    CFX_NAME = "CFX.Production.WorkStarted"

    primary_identifier: str | None = None
    hermes_identifier: str | None = None
    transaction_id: str | None = Field(default=None, alias="TransactionID")
    lane: int | None = None
    unit_count: int | None = None
    units: Many[UnitPosition] = Field(default_factory=list)
    recipe_name: str | None = None
    revision: str | None = None
    relevant_surface: Open[Surface] = None
    work_order_identifier: WorkOrderIdentifier | None = None


class PerformanceImpact(CFXStructure):
    """Why work took longer than it should."""

    CFX_NAME = "CFX.Structures.PerformanceImpact"

    cause: Open[PerformanceImpactCause] = None


class WorkCompleted(CFXMessage):
    """A station is done with a transaction."""

    CFX_NAME = "CFX.Production.WorkCompleted"

    transaction_id: str | None = Field(default=None, alias="TransactionID")
    result: Open[WorkResult] = None
    primary_identifier: str | None = None
    hermes_identifier: str | None = None
    unit_count: int | None = None
    units: Many[UnitPosition] = Field(default_factory=list)
    performance_impacts: Many[PerformanceImpact] = Field(default_factory=list)


class RecipeStageInformation(CFXStructure):
    """What a recipe asks of one stage."""

    CFX_NAME = "CFX.Structures.RecipeStageInformation"

    stage: Stage | None = None
    expected_cycle_time: float | None = None
    expected_work_time: float | None = None
    number_of_components_per_unit: float | None = None


class RecipeActivated(CFXMessage):
    """A recipe became active at a station."""

    CFX_NAME = "CFX.Production.RecipeActivated"

    recipe_name: str | None = None
    revision: str | None = None
    lane: int | None = None
    stage: Stage | None = None
    expected_cycle_time: float | None = None
    expected_work_time: float | None = None
    expected_units_per_work_transaction: float | None = None
    number_of_components_per_unit: float | None = None
    work_order_identifier: WorkOrderIdentifier | None = None
    target_quantity: float | None = None
    relevant_surface: Open[Surface] = None
    recipe_stages_information: Many[RecipeStageInformation] = Field(default_factory=list)
