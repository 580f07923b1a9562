"""What the configuration says of stations, products and reports."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from handlers.asset_rules import AssetRules, FaultRules, StateRules, UpkeepRules
from handlers.patterns import PartRegex, fits
from handlers.report_rules import RepairRules, ReportRules
from handlers.rule import Pattern, ProcessCode, Rule, Text
from handlers.serials import UnitIds
from handlers.unit_rules import MaterialRules, ProductionRules

HandlerPath = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")
]


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
    process_by_method: dict[str, ProcessCode] = Field(default={})
    """Code of the test operation by test method (ICT, AOI...), where one station does several."""
    process_by_recipe: dict[str, ProcessCode] = Field(default={})
    """Code of the test operation by recipe; ``*`` stands for any characters. Wins over the method."""
    recipes: dict[str, PartRule] = Field(default={})
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
    unit_process: ProcessCode | None = None
    """Code of the operation that units are in while they are worked on here (WIP ones too); `process` when
    left out."""
    last: bool = False
    """Whether units leave production here: work that is completed makes them Finalized."""
    line_asset: Text | None = None
    """Serial number of the asset above the station's (``{line}``...), for stations that are registered."""
    part_assets: dict[str, Text] = Field(default={})
    """Serial numbers of assets that are a part of the station, by the name of a stage, or `lane 1`."""

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


class Rules(Rule):
    """All that the handlers are configured by.

    Part numbers come from the first that knows one: the recipe of the message, the recipe of the work, the
    work order (each looked up in the station's ``recipes``, ``[[recipes]]`` or ``[[work_orders]]``), the
    product that the work order was created for, the station's active recipe (looked up likewise), the regular
    expressions on serial number and recipe (the station's, then the common ones), the station's
    ``part_number``, the unit in WATS (``report.ask_wats``).
    """

    stations: tuple[StationRule, ...] = ()
    recipes: tuple[RecipeRule, ...] = ()
    work_orders: tuple[WorkOrderRule, ...] = ()
    serial_regexes: tuple[PartRegex, ...] = ()
    """Common expressions that take a part number out of a serial number."""
    recipe_regexes: tuple[PartRegex, ...] = ()
    """Common expressions that take a part number out of a recipe's name."""
    process_by_method: dict[str, ProcessCode] = Field(default={})
    """Codes of test operations by test method, for all stations without a code of their own."""
    handlers: tuple[HandlerPath, ...] = ()
    """Handlers of your own, as `package.module:Class`. Packages may name theirs by the entry point
    `pywats_bridge.handlers`."""
    report: ReportRules = ReportRules()
    repair: RepairRules = RepairRules()
    materials: MaterialRules = MaterialRules()
    production: ProductionRules = ProductionRules()
    assets: AssetRules = AssetRules()
    faults: FaultRules = FaultRules()
    states: StateRules = StateRules()
    upkeep: UpkeepRules = UpkeepRules()

    def station(self, handle: str) -> StationRule:
        """Give the rule of a station: the exact one, else the first pattern that fits, else the defaults."""
        for rule in self.stations:
            if rule.handle == handle:
                return rule
        for rule in self.stations:
            if fits(rule.handle, handle):
                return rule
        return StationRule(handle=handle or "-")
