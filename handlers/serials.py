"""Which unit a result is about: the serial number behind an identifier and a position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:  # the configuration needs the words of the rules only
    from handlers.unit_context import Known

UnitIds: TypeAlias = Literal["auto", "unit", "panel"]

_LONE_POSITIONS: Final = frozenset({None, 0, 1})
_LEFT_OUT: Final = frozenset({"skip", "scrap"})


@dataclass(frozen=True, slots=True)
class Serial:
    """A serial number and how it was found.

    Attributes:
        value: the serial number.
        how: in words, for the audit.
        panel: the panel or carrier, where there is one.
    """

    value: str
    how: str
    panel: str | None = None


def serial_of(known: Known, *, unit_ids: UnitIds = "auto", pattern: str = "{unit_id}-{position}") -> Serial:
    """Find the serial number: learnt, else the identifier of a lone unit, else composed.

    Args:
        known: what earlier events taught.
        unit_ids: what the station's identifiers are: ``unit`` (always the unit's own), ``panel`` (always a
            panel's) or ``auto`` (as the context says).
        pattern: how to compose one from ``unit_id`` and ``position``.
    """
    identifier = known.identifier
    if unit_ids == "unit":
        panel = known.panel
        return Serial(identifier, "identifier, as configured", panel if panel != identifier else None)
    learnt = _learnt(known)
    if learnt:
        panel = known.panel
        return Serial(learnt[0], learnt[1], panel if panel != learnt[0] else None)
    if unit_ids == "auto" and _is_lone(known):
        panel = known.panel
        return Serial(identifier, "identifier of a single unit", panel if panel != identifier else None)
    if known.position is None:
        return Serial(identifier, "identifier; no position was given")
    composed = pattern.format(unit_id=identifier, position=known.position)
    return Serial(composed, "composed of identifier and position", known.panel or identifier)


def left_out(known: Known) -> str | None:
    """Give the status (Skip, Scrap) that says: no report for this position in this transaction."""
    if known.transaction is None:
        return None
    entry = _entry(known)
    statuses = (known.place or {}).get("status"), (entry or {}).get("status")
    return next((status for status in statuses if status and status.strip().lower() in _LEFT_OUT), None)


def _learnt(known: Known) -> tuple[str, str] | None:
    place = known.place
    if place and place.get("serial"):
        return place["serial"], "learnt in this transaction"
    entry = _entry(known)
    if entry and entry.get("real"):
        return entry["unit"], "learnt from the start of the work"
    serial = known.serial_at(known.identifier)
    if serial:
        return serial, "learnt for this place of the panel"
    unit = known.unit
    if unit is None:
        return None
    if known.siblings == 1:
        return known.identifier, "known as a unit's own identifier"
    serial = known.serial_at(unit["panel"]) if unit.get("panel") else None
    return (serial, "learnt for this place of the panel that the identifier lies on") if serial else None


def _entry(known: Known) -> Mapping[str, Any] | None:
    """Find the unit in the list of the work; only where the work is surely about this identifier."""
    work = known.work
    if work is None:
        return None
    own = [entry for entry in work.units if entry["unit"] == known.identifier]
    if len(own) == 1 and known.siblings == 1:
        return own[0]
    if known.position is None or not (own or known.identifier == work.panel or known.siblings > 1):
        return None
    at_place = [entry for entry in work.units if entry.get("position") == known.position]
    return at_place[0] if len(at_place) == 1 else None


def _is_lone(known: Known) -> bool:
    if known.position not in _LONE_POSITIONS or known.siblings != 1:
        return False
    work = known.work
    return len(work.units) <= 1 if work and work.units else not known.is_panel
