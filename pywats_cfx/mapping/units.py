"""Which unit of a message is meant: its identifier, its position, and the key that keeps it in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pywats_cfx.mapping.origin import Origin
from pywats_cfx.mapping.values import text
from pywats_events.message import Unreadable


class Listed(Protocol):
    """An entry of a list of units."""

    unit_identifier: str | None


U = TypeVar("U", bound=Listed)


@dataclass(frozen=True, slots=True)
class NamedUnit(Generic[U]):
    """An entry of a list of units, with what tells it from the others.

    Attributes:
        index: its place in the list.
        unit: the entry.
        unit_id: its identifier; that of its panel where it has none of its own.
        position: its place on the panel.
        siblings: how many entries share the identifier.
        repeat: how many entries before it have the same identifier and position.
    """

    index: int
    unit: U
    unit_id: str
    position: int | None
    siblings: int
    repeat: int

    @property
    def key(self) -> str:
        """What deliveries about this unit are put in order by."""
        return unit_key(self.unit_id, self.position)


def unit_key(unit_id: str, position: int | None) -> str:
    """Give the key of a unit: its identifier, and its position where one is said."""
    return unit_id if position is None else f"{unit_id}#{position}"


def name_units(
    origin: Origin,
    field: str,
    units: Sequence[U],
    positions: Iterable[int | None],
    panel_id: str | None = None,
) -> Iterator[NamedUnit[U] | Unreadable]:
    """Go through a list of units. One that nobody can name is told as unreadable; the others go on.

    Args:
        origin: the message.
        field: wire name of the list, for reasons.
        units: its entries.
        positions: the position that each entry says.
        panel_id: identifier of the panel as a whole, which names its units that have no identifier.
    """
    names = [text(unit.unit_identifier) or text(panel_id) for unit in units]
    siblings = Counter(names)
    seen: Counter[tuple[str, int | None]] = Counter()
    for index, (unit, unit_id, position) in enumerate(zip(units, names, positions, strict=True)):
        if unit_id is None:
            yield origin.unreadable(
                f"{field}[{index}].UnitIdentifier",
                "is missing, and no panel is named that the unit belongs to",
            )
            continue
        yield NamedUnit(index, unit, unit_id, position, siblings[unit_id], seen[unit_id, position])
        seen[unit_id, position] += 1


def group_units(
    origin: Origin, field: str, units: Sequence[U], positions: Iterable[int | None]
) -> Iterator[list[NamedUnit[U]] | Unreadable]:
    """Gather the entries of each unit, in the order in which the message names the units first.

    Args:
        origin: the message.
        field: wire name of the list, for reasons.
        units: its entries.
        positions: the position that each entry says.
    """
    by_unit: dict[tuple[str, int | None], list[NamedUnit[U]]] = {}
    for named in name_units(origin, field, units, positions):
        if isinstance(named, Unreadable):
            yield named
        else:
            by_unit.setdefault((named.unit_id, named.position), []).append(named)
    yield from by_unit.values()


def group_if_named(
    units: Iterable[U], positions: Iterable[int | None]
) -> dict[tuple[str | None, int | None], list[tuple[int, U]]]:
    """Gather entries of a list that need not name a unit; each comes with its place in the list."""
    groups: dict[tuple[str | None, int | None], list[tuple[int, U]]] = {}
    for index, (unit, position) in enumerate(zip(units, positions, strict=True)):
        groups.setdefault((text(unit.unit_identifier), position), []).append((index, unit))
    return groups


def place_number(position: int | None) -> int | None:
    """Give the position that a ``UnitPosition`` says; 0 is what an unset one looks like."""
    return position or None
