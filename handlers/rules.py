"""What the configuration says of stations, products and reports."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from handlers.patterns import PartRegex, SerialPattern, fits
from handlers.serials import UnitIds

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Pattern = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
ProcessCode = Annotated[int, Field(ge=-(2**15), le=2**15 - 1)]


class Rule(BaseModel):
    """Ground of all rules: a member that nobody knows is a mistake and refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class PartRule(Rule):
    """The product that a recipe or a work order is for."""

    part_number: Text
    """Part number in WATS."""
    revision: Text | None = None
    """Revision of the product; the report's default when left out."""
    process: ProcessCode | None = None
    """Code of the test operation, where the recipe decides it."""


class RecipeRule(PartRule):
    """The product that a recipe is for."""

    recipe: Pattern
    """Name of the recipe; ``*`` stands for any characters."""


class WorkOrderRule(PartRule):
    """The product that a work order is for."""

    work_order: Pattern
    """Work order; ``*`` stands for any characters."""


class StationRule(Rule):
    """What is to be known of a station and does not stand in its messages.

    ``machine_name`` and ``location`` may hold ``{handle}`` (the whole handle, separators as dashes),
    ``{name}`` (its last part) and ``{line}`` (the part before).
    """

    handle: Pattern
    """The station's handle, or a pattern with ``*``. An exact one wins over a pattern."""
    machine_name: Text = "{handle}"
    """Name of the station in WATS."""
    location: Text = "{line}"
    """Where it stands."""
    purpose: Text = "Production"
    """Why it tests; only "Production" enters management yields as a rule."""
    process: ProcessCode | None = None
    """Code of the test operation."""
    process_by_method: dict[str, ProcessCode] = {}
    """Code of the test operation by test method (ICT, AOI...), where one station does several."""
    process_by_recipe: dict[str, ProcessCode] = {}
    """Code of the test operation by recipe; ``*`` stands for any characters. Wins over the method."""
    recipes: dict[str, PartRule] = {}
    """Products by recipe, for this station only; tried before ``[[recipes]]``."""
    part_number: Text | None = None
    """Part number of whatever is tested here, when nothing better is known."""
    revision: Text | None = None
    """Revision that goes with it."""
    serial_regex: PartRegex | None = None
    """Takes the part number (and revision) out of the serial number."""
    recipe_regex: PartRegex | None = None
    """Takes the part number (and revision) out of the recipe's name."""
    unit_ids: UnitIds = "auto"
    """What its unit identifiers are: the units' own, their panel's, or as the context says."""
    fixture: Text | None = None
    """Fixture that it tests with, where that never changes."""
    program: Text | None = None
    """Name of its test program, where its messages name no recipe."""
    asset: Text | None = None
    """Serial number of the station's asset; ``machine_name`` when left out."""
    count_asset: bool = False
    """List the station's asset in its reports, so that WATS counts the use."""

    def named(self, template: str, handle: str) -> str:
        """Fill the station's handle into a name."""
        parts = [part for part in handle.replace("\\", "/").split("/") if part] or [handle or "-"]
        line = parts[-2] if len(parts) > 1 else "-"
        filled = (
            template.replace("{handle}", "-".join(parts)).replace("{name}", parts[-1]).replace("{line}", line)
        )
        return filled.strip()[:100].strip() or "-"

    @field_validator("machine_name", "location")
    @classmethod
    def _names_parts(cls, template: str) -> str:
        rest = template
        for known in ("{handle}", "{name}", "{line}"):
            rest = rest.replace(known, "")
        if "{" in rest or "}" in rest:
            raise ValueError(f'"{template}" may hold {{handle}}, {{name}} and {{line}} only')
        return template


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
    misc_infos: dict[str, str] = {}
    """Other names for misc infos ("Work order" = "WO"); an empty one leaves it out."""
    give_up_after: float = Field(default=120.0, ge=0)
    """Seconds to wait for the message that tells the product, before the event becomes a dead letter."""
    hold_for_context: float = Field(default=0.0, ge=0, le=600)
    """Seconds to wait for the start of the work of a transaction, before doing without."""


class FaultRules(Rule):
    """What becomes of machines' faults."""

    ignored_severities: tuple[str, ...] = ("Information",)
    """Severities that make no entry in the asset's log."""
    create_assets: bool = False
    """Whether to register a station's asset that WATS does not know."""
    asset_type: Text | None = None
    """Name of the type of assets that are registered."""

    @model_validator(mode="after")
    def _has_type(self) -> FaultRules:
        if self.create_assets and self.asset_type is None:
            raise ValueError("create_assets needs asset_type, the name of an asset type in WATS")
        return self


class Rules(Rule):
    """All that the handlers are configured by.

    Part numbers come from the first that knows one: the recipe of the message, the recipe of the work, the
    work order, the station's active recipe (each looked up in the station's ``recipes``, ``[[recipes]]`` or
    ``[[work_orders]]``), the regular expressions on serial number and recipe (the station's, then the
    common ones), the station's ``part_number``.
    """

    stations: tuple[StationRule, ...] = ()
    recipes: tuple[RecipeRule, ...] = ()
    work_orders: tuple[WorkOrderRule, ...] = ()
    serial_regexes: tuple[PartRegex, ...] = ()
    """Common expressions that take a part number out of a serial number."""
    recipe_regexes: tuple[PartRegex, ...] = ()
    """Common expressions that take a part number out of a recipe's name."""
    process_by_method: dict[str, ProcessCode] = {}
    """Codes of test operations by test method, for all stations without a code of their own."""
    report: ReportRules = ReportRules()
    faults: FaultRules = FaultRules()

    def station(self, handle: str) -> StationRule:
        """Give the rule of a station: the exact one, else the first pattern that fits, else the defaults."""
        for rule in self.stations:
            if rule.handle == handle:
                return rule
        for rule in self.stations:
            if fits(rule.handle, handle):
                return rule
        return StationRule(handle=handle or "-")
