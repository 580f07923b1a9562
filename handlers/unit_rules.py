"""What the configuration says of the material of units, and of units in the Production module of WATS."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from handlers.rule import Pattern, Rule, Text
from pywats_api.unit_phases import PHASE_NAMES, phase_of

UNCHANGED = "unchanged"


def _phase_name(phase: str | int) -> str:
    if isinstance(phase, str) and phase.strip().lower() == UNCHANGED:
        return UNCHANGED
    return PHASE_NAMES[phase_of(phase)]


#: Name or number of a phase of units, or "unchanged".
PhaseName: TypeAlias = Annotated[str | int, AfterValidator(_phase_name)]


class MaterialRules(Rule):
    """What becomes of the components and materials that are built into a unit."""

    enabled: bool = True
    """Whether they are kept per unit and attached to its next report."""
    lots: tuple[Pattern, ...] = ("*",)
    """Part numbers of materials without serial numbers that reports list; `*` stands for any characters."""
    bulk: bool = True
    """Whether material without a place of its own, such as glue and paste, is listed too."""
    misc_infos: dict[str, Text] = Field(default={})
    """Misc infos with the lot of chosen materials, by part number (`"PN-PASTE*" = "Solder paste"`)."""
    part_type: Text = "Component"
    """Type of the sub-units that serialised parts become."""
    every_report: bool = False
    """Whether each later report of the unit lists them again, not the next one only."""
    wait: float = Field(default=60.0, ge=0)
    """Most seconds that a report waits for material of its unit that has come in before it."""
    box_build: bool = False
    """Build serialised parts into their unit in WATS (production assembly, checked against its box build).
    Needs the Production module."""
    part_numbers: dict[str, Text] = Field(default={})
    """Part numbers in WATS of serialised parts, by those that machines tell, where the two differ."""


class ProductionRules(Rule):
    """How units move in the Production module of WATS. An account without it has no such units."""

    enabled: bool = False
    """Whether units are created and moved."""
    create_units: bool = True
    """Create a unit when it is initialised or worked on for the first time."""
    create_products: bool = False
    """Create the product and revision of a unit that is created."""
    started: PhaseName = "Under production"
    """Phase of a unit that is worked on."""
    processes: bool = True
    """Say which operation a unit is in: that of the station, its `unit_process` or its `process`."""
    failed: PhaseName = UNCHANGED
    """Phase of a unit whose work failed."""
    disqualified: PhaseName = "Scrapped"
    """Phase of a unit that was disqualified."""
    reasons: dict[str, PhaseName] = Field(default={})
    """The same by the reason that was given (DefectiveMaterials...)."""
    repairs: dict[str, PhaseName] = Field(
        default={
            "RepairSuccessful": "Under production",
            "Scrap": "Scrapped",
            "UnableToRepair": "Waiting for production repair",
        }
    )
    """Phase of a repaired unit by the result of the repair; others leave it unchanged."""
    final: tuple[PhaseName, ...] = ("Scrapped",)
    """Phases that no message moves a unit out of, whoever set them."""
