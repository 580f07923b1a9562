"""Unit phases: where a unit is in its life. WATS fixes their numbers; accounts don't add to them."""

import re
from enum import IntEnum
from typing import Final

from pywats_api.records import Record


class UnitPhaseFlag(IntEnum):
    """The phases by number. Powers of two on the wire, yet a unit is in one of them only.

    4096 marks the queued ones: "production queued" is 4096 + 2.
    """

    UNKNOWN = 1
    UNDER_PRODUCTION = 2
    PRODUCTION_REPAIR = 4
    SERVICE_REPAIR = 8
    FINALIZED = 16
    SCRAPPED = 32
    EXTENDED_TEST = 64
    CUSTOMIZATION = 128
    REPAIRED = 256
    MISSING = 512
    IN_STORAGE = 1024
    SHIPPED = 2048
    PRODUCTION_QUEUED = 4098
    WAITING_PRODUCTION_REPAIR = 4100
    WAITING_SERVICE_REPAIR = 4104


PHASE_NAMES: Final[dict[UnitPhaseFlag, str]] = {
    UnitPhaseFlag.UNKNOWN: "Unknown",
    UnitPhaseFlag.UNDER_PRODUCTION: "Under production",
    UnitPhaseFlag.PRODUCTION_REPAIR: "Under production repair",
    UnitPhaseFlag.SERVICE_REPAIR: "Under service repair",
    UnitPhaseFlag.FINALIZED: "Finalized",
    UnitPhaseFlag.SCRAPPED: "Scrapped",
    UnitPhaseFlag.EXTENDED_TEST: "Extended test",
    UnitPhaseFlag.CUSTOMIZATION: "Customization",
    UnitPhaseFlag.REPAIRED: "Repaired",
    UnitPhaseFlag.MISSING: "Missing",
    UnitPhaseFlag.IN_STORAGE: "In storage",
    UnitPhaseFlag.SHIPPED: "Shipped",
    UnitPhaseFlag.PRODUCTION_QUEUED: "Production queued",
    UnitPhaseFlag.WAITING_PRODUCTION_REPAIR: "Waiting for production repair",
    UnitPhaseFlag.WAITING_SERVICE_REPAIR: "Waiting for service repair",
}


class UnitPhase(Record):
    """A phase as the server lists it."""

    unit_phase_id: int
    code: str | None = None
    name: str | None = None
    description: str | None = None
    phase_flags: int | None = None


def plain_name(name: str) -> str:
    """Give a phase's name without what spellings of it differ in."""
    return re.sub(r"[^a-z]", "", name.lower())


_BY_PLAIN_NAME: Final = {
    **{plain_name(phase.name): phase for phase in UnitPhaseFlag},
    **{plain_name(name): phase for phase, name in PHASE_NAMES.items()},
    # the documents of the client have other words for some
    "underproductionqueued": UnitPhaseFlag.PRODUCTION_QUEUED,
    "undefined": UnitPhaseFlag.UNKNOWN,
    "inrepair": UnitPhaseFlag.PRODUCTION_REPAIR,
}


def phase_of(phase: int | str) -> UnitPhaseFlag:
    """Give a phase by number or name; capitals, blanks, dashes and underscores in a name don't count.

    Raises:
        ValueError: WATS knows no such phase; the text lists those it knows.
    """
    found = _BY_PLAIN_NAME.get(plain_name(phase)) if isinstance(phase, str) else None
    if found is not None:
        return found
    try:
        return UnitPhaseFlag(int(phase))
    except ValueError:
        known = ", ".join(f"{name} ({number:d})" for number, name in PHASE_NAMES.items())
        raise ValueError(f"{phase!r} is no unit phase; WATS knows {known}") from None


def phase_name(phase: int | None) -> str:
    """Give a phase's name for people; its number where it has none."""
    if phase is None:
        return "no phase"
    try:
        return PHASE_NAMES[UnitPhaseFlag(phase)]
    except ValueError:
        return f"phase {phase}"
