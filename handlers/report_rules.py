"""What the configuration says of reports."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from handlers.patterns import SerialPattern
from handlers.rule import Pattern, ProcessCode, Rule, Text


class ImageRules(Rule):
    """How much of the images of defects goes into one report."""

    max_count: int = Field(default=20, ge=0)
    """Most images in one report."""
    max_bytes: int = Field(default=4_000_000, ge=0)
    """Most bytes of images in one report."""


class ReportRules(Rule):
    """How results become reports."""

    operator: Literal["any", "id", "login", "name", "none"] = "any"
    """Which of a person's data becomes the operator; ``any``: badge, else login, else name."""
    verdict: Literal["worst", "station"] = "worst"
    """When the station says Passed and a test in it did not: the worst of both, or the station's word."""
    out_of_limits: Literal["station", "worst"] = "station"
    """When a measurement is out of its limits and said to have passed: keep that, or fail it."""
    expected_only: Literal["log", "equal"] = "log"
    """A number with a nominal value and no limits: no verdict of its own, or must be equal."""
    closed_defects: Literal["failed", "passed"] = "failed"
    """A defect that was repaired and confirmed: it was there, or it does not matter any more."""
    skipped_units: Literal["drop", "report"] = "drop"
    """A unit whose result is Skipped: no report, or one that says Terminated."""
    skipped_positions: Literal["drop", "report"] = "drop"
    """A unit at a position marked Skip or Scrap in its transaction: no report, or as any other."""
    panel_reports: bool = False
    """Whether the result of a panel as a whole becomes a report of the panel."""
    composed_serial: SerialPattern = "{unit_id}-{position}"
    """How the serial number of a unit is made up, where only its panel's is known."""
    default_revision: Text = "-"
    """Revision of products whose revision nobody knows."""
    passed_pads: Literal["summary", "attachment", "steps"] = "summary"
    """Measured features (paste deposits...) that passed: a step per component, one table, or steps of all."""
    images: ImageRules = ImageRules()
    sampling: bool = True
    """Whether sampling and lot become misc infos."""
    surface_in_program: bool = True
    """Whether the program's name of an inspection tells the side of the board, where it is known."""
    misc_infos: dict[str, str] = Field(default={})
    """Other names for misc infos ("Work order" = "WO"); an empty one leaves it out."""
    processed: bool = False
    """Whether what machines say of how they worked on a unit (UnitsProcessed) becomes a report."""
    readings: bool = False
    """Whether readings of a unit (ReadingsRecorded) become a report."""
    unjudged: Literal["drop", "passed"] = "drop"
    """Process data and readings that nobody gave a verdict of: no report, or one that says Passed."""
    ask_wats: bool = True
    """Whether WATS is asked for the product of a unit that nothing else tells: the unit in its Production
    module, where `production.enabled`, else its newest report."""
    give_up_after: float = Field(default=120.0, ge=0)
    """Seconds to wait for the message that tells the product, before the event becomes a dead letter."""
    hold_for_context: float = Field(default=0.0, ge=0, le=600)
    """Seconds to wait for the start of the work of a transaction, before doing without."""


class FailureRule(Rule):
    """The failure category and code of WATS for a defect or a repair; rules for defects are tried first."""

    defect: Pattern | None = None
    """Code or category of the defect; `*` stands for any characters."""
    repair: Pattern | None = None
    """Name of the repair, for defects that no rule knows; likewise."""
    category: Text
    """Category, as the repair operation has it in WATS."""
    code: Text
    """Code within the category."""

    @model_validator(mode="after")
    def _names_something(self) -> FailureRule:
        if (self.defect is None) == (self.repair is None):
            raise ValueError("needs one of defect and repair")
        return self


class FailureCode(Rule):
    """A failure category and code of WATS."""

    category: Text
    """Category, as the repair operation has it in WATS."""
    code: Text
    """Code within the category."""


class RepairRules(Rule):
    """How repairs become repair reports (UUR)."""

    process: ProcessCode | None = None
    """Code of the repair operation, 500 as a rule. Without it repairs make no reports."""
    purpose: Text | None = None
    """Purpose of repair reports; the station's when left out."""
    failures: tuple[FailureRule, ...] = ()
    """What becomes of defects and repairs; the first that fits counts."""
    other: FailureCode | None = None
    """For those that no rule knows. Without it such a repair is a dead letter."""
    no_fault: FailureCode | None = None
    """For units that came back without a repair. Without it they make no report."""
    give_up_after: float = Field(default=3600.0, ge=0)
    """Seconds to wait for the report that showed the failure, before the repair is a dead letter."""
