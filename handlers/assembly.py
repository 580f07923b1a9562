"""Serialised parts are built into their units in the Production module of WATS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol

from handlers import fact_keys as keys
from handlers.memory import FactStore
from handlers.moved_units import MovedUnits
from handlers.products import Products
from handlers.rules import Rules
from handlers.unit_context import UnitContext
from handlers.wats import DESTINATION, unfit_data, wats_failures
from handlers.wats_units import Headers, UnitLookup
from pywats_api.errors import NotFoundError, ValidationError
from pywats_api.production_records import Unit
from pywats_api.unit_phases import UnitPhaseFlag, phase_name
from pywats_events.errors import NotReady, PermanentError
from pywats_events.event import Event, EventType
from pywats_events.handler import BaseHandler, Done, Dropped
from pywats_events.payloads import MaterialInstalledEvent, MaterialRemovedEvent, parse

_UNFINISHED: Final = frozenset(UnitPhaseFlag) - {
    UnitPhaseFlag.FINALIZED,
    UnitPhaseFlag.SCRAPPED,
    UnitPhaseFlag.MISSING,
}


class Assemblies(Protocol):
    """``api.production``."""

    async def get_unit(self, serial_number: str, part_number: str = "", /) -> Unit | None:
        """A unit; raises NotFoundError, or None."""

    async def add_child_to_assembly(
        self, parent_serial: str, parent_part: str, child_serial: str, child_part: str, /
    ) -> Any:
        """Build a unit into another, as the box build of that allows."""

    async def remove_child_from_assembly(
        self, parent_serial: str, parent_part: str, child_serial: str, child_part: str, /
    ) -> Any:
        """Take a unit out of another."""


class AssemblySink(Protocol):
    """The part of the WATS client that is used here."""

    @property
    def report(self) -> Headers:
        """Reports."""

    @property
    def production(self) -> Assemblies:
        """Units."""


class AssemblyHandler(BaseHandler):
    """Builds serialised parts into their units, and takes them out again (``materials.box_build``).

    | event (CFX) | call |
    |---|---|
    | MATERIAL_INSTALLED (MaterialsInstalled), serialised | ``POST Production/AddChildUnit`` |
    | MATERIAL_REMOVED (MaterialsUninstalled), serialised | ``POST Production/RemoveChildUnit`` |

    WATS checks the box build of the parent's revision: what has no place there is a dead letter with the
    reason. A part that is not finished yet, or not known, or whose unit is not, is waited for as long as
    products are (``report.give_up_after``). A part that is built in already is left so.
    """

    name = "assembly"
    destination = DESTINATION

    def __init__(self, api: AssemblySink, rules: Rules, memory: FactStore) -> None:
        """Make the handler.

        Args:
            api: the WATS client.
            rules: the configuration.
            memory: the journal, or the part of it that keeps facts.
        """
        self._production = api.production
        self._rules = rules
        products = Products(rules, UnitLookup(api.report, api.production), memory.recall)
        self._units = MovedUnits(UnitContext(memory.recall), products)

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """Parts that are put in and taken out."""
        if not self._rules.materials.box_build:
            return ()
        return EventType.MATERIAL_INSTALLED, EventType.MATERIAL_REMOVED

    async def handle(self, event: Event) -> Done | Dropped:
        """Add or remove the children."""
        with unfit_data("payload"):
            payload = parse(event)
        if not isinstance(payload, MaterialInstalledEvent | MaterialRemovedEvent):
            raise PermanentError(f"{event.event_type.value} events are not about parts of units")
        parts = list(self._serialised(payload))
        if not parts:
            return Dropped("nothing with a serial number of its own was built in or taken out")
        parent = await self._units.one(event)
        serial, part_number = parent.serial.value, parent.part.part_number
        is_added = isinstance(payload, MaterialInstalledEvent)
        change = self._add if is_added else self._remove
        with wats_failures():
            done = [await change(serial, part_number, *part) for part in parts]
        sources = {"serial_number": parent.serial.how, "part_number": parent.part.rule}
        return Done({"serial_number": serial, "added" if is_added else "removed": done, "sources": sources})

    def _serialised(self, moved: MaterialInstalledEvent | MaterialRemovedEvent) -> Iterator[tuple[str, str]]:
        for material in moved.materials:
            told = keys.clean_id(material.part_number) or ""
            part_number = self._rules.materials.part_numbers.get(told, told)
            for placement in material.placements:
                if serial := keys.clean_id(placement.unit_id):
                    yield serial, part_number

    async def _add(self, parent: str, parent_part: str, serial: str, part: str) -> dict[str, Any]:
        child = await self._child(serial, part)
        if child is None:
            raise self._too_early(f'part "{serial}" of unit "{parent}" is unknown to WATS')
        part = child.part_number or part
        if child.parent_serial_number == parent:
            return {"serial_number": serial, "part_number": part, "found": "built in already"}
        try:
            await self._production.add_child_to_assembly(parent, parent_part, serial, part)
        except NotFoundError:
            raise self._too_early(f'unit "{parent}" is unknown to WATS') from None
        except ValidationError as error:
            again = await self._child(serial, part)
            if again is not None and again.parent_serial_number == parent:  # a lost answer of an earlier try
                return {"serial_number": serial, "part_number": part, "found": "built in by an earlier try"}
            is_free = not child.parent_serial_number
            if is_free and child.unit_phase_id in _UNFINISHED:
                where = phase_name(child.unit_phase_id)
                raise self._too_early(f'part "{serial}" of unit "{parent}" is {where}: {error}') from error
            raise
        return {"serial_number": serial, "part_number": part}

    async def _remove(self, parent: str, parent_part: str, serial: str, part: str) -> dict[str, Any]:
        child = await self._child(serial, part)
        if child is None or child.parent_serial_number != parent:
            return {"serial_number": serial, "found": "not built in"}
        part = child.part_number or part
        await self._production.remove_child_from_assembly(parent, parent_part, serial, part)
        return {"serial_number": serial, "part_number": part}

    async def _child(self, serial: str, part: str) -> Unit | None:
        try:
            return await self._production.get_unit(serial, part)
        except NotFoundError:
            return None

    def _too_early(self, reason: str) -> NotReady:
        return NotReady(reason, give_up_after=self._rules.report.give_up_after)
