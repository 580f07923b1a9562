"""What was built into a unit and not yet told by a report."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from handlers import fact_keys as keys
from handlers.memory import FactStore
from handlers.rules import Rules
from handlers.serials import Serial
from handlers.unit_context import Known
from pywats_events.errors import NotReady
from pywats_events.event import Event
from pywats_events.journal import Fact

#: Seconds after the wait for material by which a report has surely been looked at again.
_WAITED_LONG_AGO: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Components:
    """What one report tells of the material of its unit.

    Attributes:
        children: serialised parts: serial and part number, designator.
        lots: the rest: part number, package, lot, quantity, designators.
    """

    children: Sequence[Mapping[str, Any]] = field(default=())
    lots: Sequence[Mapping[str, Any]] = field(default=())


class ComponentBook:
    """Keeps per unit what was installed and removed, and which report told of it.

    Two facts of a unit, each written by one handler only: that of materials and that of reports.
    """

    def __init__(self, memory: FactStore, rules: Rules) -> None:
        self._memory = memory
        self._rules = rules
        self._writing = asyncio.Lock()  # units may be named in two ways, and then come at the same time

    async def enter(self, event: Event, serial: str, entry: Mapping[str, Any]) -> None:
        """Add what an event says; the same event again changes nothing."""
        key = keys.components(serial)
        async with self._writing:
            entries = dict((await self._memory.recall([key])).get(key, {}).get("entries", {}))
            entries[event.id] = {**entry, "at": event.time.isoformat()}
            await self._memory.remember([Fact(key=key, value={"entries": entries}, time=datetime.now(UTC))])

    async def claim(self, event: Event, serial: Serial, known: Known) -> Components:
        """Give what the report of an event tells; from now on it tells this, and no other report does.

        What came to the unit after the event is left to the next report.

        Raises:
            NotReady: material of the unit has come in and is not entered yet.
        """
        names = self._names(serial, known)
        told = [keys.material_told(name, place) for name, place in self._places(serial, known)]
        wanted = {name: (keys.components(name), keys.components_given(name)) for name in names}
        facts = await self._memory.recall([*told, *(key for pair in wanted.values() for key in pair)])
        entered = {name: dict(facts.get(pair[0], {}).get("entries", {})) for name, pair in wanted.items()}
        self._wait_for_entries(event, [facts[key] for key in told if key in facts], entered.values())
        ours: dict[str, Mapping[str, Any]] = {}
        gone: dict[str, Mapping[str, Any]] = {}
        for name, entries in entered.items():
            given = dict(facts.get(wanted[name][1], {}).get("given", {}))
            before = {one: entry for one, entry in entries.items() if _at(entry) <= event.time}
            gone |= {one: entry for one, entry in before.items() if entry.get("removed")}
            fresh = {
                one: entry
                for one, entry in before.items()
                if self._rules.materials.every_report or given.get(one, event.id) == event.id
            }
            ours |= fresh
            if claimed := [one for one in fresh if one not in given]:
                given |= dict.fromkeys(claimed, event.id)
                fact = Fact(key=wanted[name][1], value={"given": given}, time=datetime.now(UTC))
                await self._memory.remember([fact])
        return _left(ours.values(), gone.values())

    def _wait_for_entries(
        self, event: Event, told: Iterable[Mapping[str, Any]], entered: Iterable[Mapping[str, Any]]
    ) -> None:
        known = {one for entries in entered for one in entries}
        late = [fact["event"] for fact in told if _at(fact) <= event.time and fact["event"] not in known]
        received = event.metadata.received_at
        if not late or received is None:
            return
        if (datetime.now(UTC) - received).total_seconds() < self._rules.materials.wait:
            raise NotReady(
                f"material of the unit is not entered yet (event {late[0]})",
                give_up_after=self._rules.materials.wait + _WAITED_LONG_AGO,
            )

    def _places(self, serial: Serial, known: Known) -> list[tuple[str, int | None]]:
        """Give the ways in which stations may have named the unit."""
        ways = [(known.identifier, known.position), (serial.value, None), (serial.value, known.position)]
        if known.panel:
            ways.append((known.panel, known.position))
        return list(dict.fromkeys(ways))

    def _names(self, serial: Serial, known: Known) -> list[str]:
        """Give the serial numbers that the unit may have had: those composed before its own was known."""
        names = [serial.value]
        if known.position is not None:
            pattern = self._rules.report.composed_serial
            carriers = [name for name in (known.identifier, known.panel) if name]
            names += [pattern.format(unit_id=name, position=known.position) for name in carriers]
        return list(dict.fromkeys(names))


def _left(entries: Iterable[Mapping[str, Any]], gone: Iterable[Mapping[str, Any]]) -> Components:
    """Give what is still in the unit: what was taken out later is left out."""
    out = list(gone)
    children: dict[str, Mapping[str, Any]] = {}
    lots: list[Mapping[str, Any]] = []
    for entry in sorted(entries, key=_at):
        later = [each for each in out if _at(each) >= _at(entry)]
        serials = {each["sn"] for removal in later for each in removal["removed"] if each.get("sn")}
        children |= {each["sn"]: each for each in entry.get("children", ()) if each["sn"] not in serials}
        for lot in entry.get("lots", ()):
            left = _less(lot, [each for removal in later for each in removal["removed"]])
            if left is not None:
                lots.append(left)
    return Components(tuple(children.values()), tuple(lots))


def _less(lot: Mapping[str, Any], removed: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Take out of a lot the designators that were removed; None when nothing is left of it."""
    places = list(lot.get("designators", ()))
    taken = {each["designator"] for each in removed if each.get("designator")} & set(places)
    if not taken:
        return lot
    left = [each for each in places if each not in taken]
    if not left:
        return None
    quantity = lot.get("quantity")
    fewer = {"quantity": quantity - len(taken)} if isinstance(quantity, int | float) else {}
    return {**lot, "designators": left, **fewer}


def _at(fact: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(fact["at"])
