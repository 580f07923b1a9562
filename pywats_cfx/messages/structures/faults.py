"""Faults of machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from pywats_cfx.messages.structures.enumerations import AccessType, FaultCause, FaultSeverity, SideLocation
from pywats_cfx.messages.structures.general import ComponentDesignator, Stage
from pywats_cfx.messages.structures.materials import MaterialLocation
from pywats_cfx.messages.wire import CFXStructure, Descendants, Moment, Open


class Fault(CFXStructure):
    """A fault of any machine."""

    CFX_NAME = "CFX.Structures.Fault"

    transaction_id: str | None = Field(default=None, alias="TransactionID")
    cause: Open[FaultCause] = None
    severity: Open[FaultSeverity] = None
    fault_code: str | None = None
    fault_occurrence_id: str | None = None
    lane: int | None = None
    stage: Stage | None = None
    side_location: Open[SideLocation] = None
    access_type: Open[AccessType] = None
    description: str | None = None
    description_translations: dict[str, str | None] | None = None
    occurred_at: Moment = None
    due_date_time: Moment = None


class SMTPlacementFault(Fault):
    """A fault of a placement machine."""

    CFX_NAME = "CFX.Structures.SMTPlacement.SMTPlacementFault"
    LABELLED = True

    placement_fault_type: str | None = None
    program_step: int | None = None
    designator: ComponentDesignator | None = None
    material_location: MaterialLocation | None = None
    head_and_nozzle: dict[str, Any] | None = None
    number_of_tries_before_error: int | None = None
    reference_part_number: str | None = None


class SMTSolderPastePrintingFault(Fault):
    """A fault of a paste printer."""

    CFX_NAME = "CFX.Structures.SolderPastePrinting.SMTSolderPastePrintingFault"
    LABELLED = True

    printing_fault_type: str | None = None


class ReflowOvenFault(Fault):
    """A fault of a reflow oven."""

    CFX_NAME = "CFX.Structures.SolderReflow.ReflowOvenFault"
    LABELLED = True

    reflow_oven_fault_type: str | None = None


class THTInsertionFault(Fault):
    """A fault of an insertion machine."""

    CFX_NAME = "CFX.Structures.THTInsertion.THTInsertionFault"
    LABELLED = True

    insertion_fault_type: str | None = None
    program_step: int | None = None
    designator: ComponentDesignator | None = None
    material_location: MaterialLocation | None = None


def _fault_by_shape(names: set[str], _value: Mapping[str, Any]) -> type[Fault] | None:
    telling: dict[str, type[Fault]] = {
        "placementfaulttype": SMTPlacementFault,
        "printingfaulttype": SMTSolderPastePrintingFault,
        "reflowovenfaulttype": ReflowOvenFault,
        "insertionfaulttype": THTInsertionFault,
    }
    return next((fault for name, fault in telling.items() if name in names), None)


AnyFault: TypeAlias = Annotated[
    Fault,
    Descendants(
        SMTPlacementFault,
        SMTSolderPastePrintingFault,
        ReflowOvenFault,
        THTInsertionFault,
        guess=_fault_by_shape,
    ),
]
