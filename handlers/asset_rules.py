"""What the configuration says of assets: their faults, states, maintenance, and who registers them."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from handlers.patterns import fits
from handlers.rule import Pattern, Rule, Text
from pywats_api.asset_records import AssetState

FaultFate: TypeAlias = Literal["nothing", "log", "ticket"]

#: What WATS calls the states of an asset.
STATE_NAMES: Final = {state: state.name.replace("_", " ").capitalize() for state in AssetState}
UNCHANGED: Final = "unchanged"


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


_BY_NAME: Final = {_plain(name): name for name in (*STATE_NAMES.values(), UNCHANGED)}


def _state_name(name: str) -> str:
    known = _BY_NAME.get(_plain(name))
    if known is None:
        raise ValueError(f'"{name}" is no state of an asset; WATS knows {", ".join(STATE_NAMES.values())}')
    return known


def _lower(severities: object) -> object:
    if isinstance(severities, dict):
        return {str(name).strip().lower(): fate for name, fate in severities.items()}
    return severities


BySeverity: TypeAlias = Annotated[dict[str, FaultFate], BeforeValidator(_lower)]
StateName = Annotated[str, AfterValidator(_state_name)]


def state_of(name: str) -> AssetState | None:
    """Give the state of that name; None for "unchanged"."""
    return next((state for state, known in STATE_NAMES.items() if known == name), None)


class AssetRules(Rule):
    """Which assets there are, and who registers those that WATS does not know."""

    create: bool = False
    """Register stations, and tools that reports name, when they are seen for the first time."""
    station_type: Text | None = None
    """Name of the asset type of stations that are registered."""
    tool_type: Text | None = None
    """Name of the asset type of tools that are registered. Without it tools are not."""
    line_type: Text | None = None
    """Name of the asset type of lines: an asset of the station's `line_asset` is registered above it."""
    tools: bool = True
    """List the tools that were used on a unit in its report, so that WATS counts their cycles."""
    cycles: Literal["reports", "always"] = "reports"
    """Whether tools are counted by reports only, or those that no report counts are counted by themselves."""
    count_after: float = Field(default=300.0, ge=0)
    """Seconds to wait for the report that counts the use of a tool, where cycles is "always"."""

    @model_validator(mode="after")
    def _has_type(self) -> AssetRules:
        if self.create and self.station_type is None:
            raise ValueError("create needs station_type, the name of an asset type in WATS")
        return self


class FaultRules(Rule):
    """What becomes of machines' faults: a line in the asset's log, and for chosen ones a ticket as well."""

    severities: BySeverity = Field(default={"information": "nothing"})
    """By severity (Information, Warning, Error...): `nothing`, a line (`log`), or that and a `ticket`."""
    codes: dict[str, FaultFate] = Field(default={})
    """The same by code of the fault; `*` stands for any characters. Wins over the severity."""
    others: FaultFate = "log"
    """The same for faults that neither table knows."""
    acknowledged: bool = True
    """Whether it makes a line that somebody has seen a fault."""
    per_hour: int | None = Field(default=None, ge=1)
    """Most lines of faults that begin at one station in an hour; more are dropped. None: no limit."""
    ticket_priority: Literal["low", "medium", "high"] = "medium"
    """Priority of the tickets that are opened."""

    def fate(self, code: str | None, severity: str | None) -> FaultFate:
        """Give what becomes of a fault."""
        for pattern, fate in self.codes.items():
            if code and fits(pattern, code.strip()):
                return fate
        return self.severities.get((severity or "").strip().lower(), self.others)


class StateRules(Rule):
    """How the states of stations (SEMI E10, E58) become states of assets."""

    enabled: bool = True
    """Whether they do."""
    table: dict[str, StateName] = Field(default={})
    """States by code, in place of the usual ones: `"4000" = "In maintenance"`, `"5600" = "unchanged"`. A code
    that is not there is rounded down to its hundred, then to its thousand."""
    kept: tuple[StateName, ...] = ("In calibration", "In storage", "Scrapped")
    """States that people set and that are left alone."""
    debounce: float = Field(default=2.0, ge=0, le=600)
    """Seconds that a state must have lasted, at least, before it is told."""
    log: bool = False
    """Whether each change of state is a line in the asset's log as well."""


class UpkeepRules(Rule):
    """What becomes of maintenance, calibration, and what stations note of themselves."""

    maintenance: tuple[Pattern, ...] = ("Preventive",)
    """Kinds of maintenance that count as such in WATS; the others make a line in the log."""
    reset_count: bool = False
    """Whether such maintenance sets the asset's running count to 0."""
    calibrations: tuple[Pattern, ...] = ()
    """Codes of calibrations that count as such in WATS when their status is Ok; `*` stands for any
    characters. Most of what machines call so is routine: the fiducials of each board."""
    routine: Literal["nothing", "log"] = "nothing"
    """What becomes of calibrations with other codes."""
    online: bool = True
    """Whether it makes a line in the log that a station leaves production or comes back."""
    notes: tuple[Text, ...] = ()
    """Importances (Warning, Error...) of a station's own notes that make a line in the log."""
    tools: bool = False
    """Whether changed and cleaned tools make a line in the log."""
