"""Material that is built into units: kept for their next report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from handlers import fact_keys as keys
from handlers.components import ComponentBook, Components
from handlers.free_data import free_data
from handlers.line_facts import said
from handlers.memory import FactStore
from handlers.names import short
from handlers.patterns import fits
from handlers.rules import Rules
from handlers.serials import serial_of
from handlers.unit_context import UnitContext
from handlers.unit_rules import MaterialRules
from handlers.wats import unfit_data
from pywats_api.wsjf import MiscInfo, Report, SubUnit
from pywats_events.errors import PermanentError
from pywats_events.event import Event, EventType
from pywats_events.handler import BaseHandler, Done, Dropped
from pywats_events.payloads import (
    InstalledMaterial,
    MaterialConsumedEvent,
    MaterialInstalledEvent,
    MaterialRemovedEvent,
    UsedMaterial,
    parse,
)

_LENGTH = 100


class MaterialHandler(BaseHandler):
    """Keeps what is built into a unit until a report tells of it. Makes no call itself.

    | event (CFX) | kept for the unit | its next report (UUT) |
    |---|---|---|
    | MATERIAL_INSTALLED (MaterialsInstalled), serialised | part, serial number | ``subUnits`` |
    | the same, without | part, package, lot, quantity, designators | ``additionalData`` "Materials" |
    | parts that were not installed | how many | the same, ``not_installed`` |
    | MATERIAL_CONSUMED (MaterialsApplied) | part, package, lot, quantity | the same, ``materials.bulk`` |
    | chosen part numbers (``materials.misc_infos``) | | ``miscInfos``: lot, else package |
    | MATERIAL_REMOVED (MaterialsUninstalled, MaterialsUnapplied) | taken out | not told, if it was not yet |

    A report tells what came to the unit before it, once (``materials.every_report``: each). What comes later
    goes with the report after that. What no report follows for is forgotten with the other facts
    (``journal.keep_facts_days``); the events themselves stay in the journal's books.
    """

    name = "materials"

    def __init__(self, rules: Rules, memory: FactStore) -> None:
        """Make the handler.

        Args:
            rules: the configuration.
            memory: the journal, or the part of it that keeps facts.
        """
        self._rules = rules
        self._context = UnitContext(memory.recall)
        self._book = ComponentBook(memory, rules)

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """Material that is put into units and taken out of them."""
        if not self._rules.materials.enabled:
            return ()
        return EventType.MATERIAL_INSTALLED, EventType.MATERIAL_REMOVED, EventType.MATERIAL_CONSUMED

    async def handle(self, event: Event) -> Done | Dropped:
        """Enter it."""
        with unfit_data("payload"):
            payload = parse(event)
        if not event.payload.get("unit_id"):
            return Dropped("material that a station used up names no unit")
        known = await self._context.of(event)
        station = self._rules.station(event.source)
        serial = serial_of(known, unit_ids=station.unit_ids, pattern=self._rules.report.composed_serial)
        match payload:
            case MaterialInstalledEvent():
                entry = _installed(payload)
            case MaterialConsumedEvent():
                entry = {"lots": [_used(each) for each in payload.materials]}
            case MaterialRemovedEvent():
                entry = {"removed": list(_removed(payload))}
            case _:
                raise PermanentError(f"{event.event_type.value} events are not about material of units")
        await self._book.enter(event, serial.value, entry)
        counts = {name: len(items) for name, items in entry.items()}
        return Done({"serial_number": serial.value, **counts, "sources": {"serial_number": serial.how}})


def tell(report: Report, components: Components, rules: MaterialRules) -> list[str]:
    """Put what a report tells of material into it; gives notes for people."""
    notes: list[str] = []
    units: list[SubUnit] = []
    lots = [
        lot
        for lot in components.lots
        if any(fits(each, lot.get("part_number", "")) for each in rules.lots)
        and (rules.bulk or not lot.get("bulk"))
    ]
    for child in components.children:
        part_number = child.get("part_number")
        if not part_number:
            notes.append(f"Part {child['sn']} has no part number, so it stands among the materials.")
            lots.append({"serial_number": child["sn"], "designators": [child.get("designator") or ""]})
            continue
        units.append(
            SubUnit(
                part_type=rules.part_type,
                pn=short(rules.part_numbers.get(part_number, part_number), _LENGTH) or "-",
                sn=short(child["sn"], _LENGTH) or "-",
            )
        )
    if units:
        report.sub_units = [*(report.sub_units or ()), *units]
    named = {f"[{number}]": lot for number, lot in enumerate(lots)}
    if group := free_data("Materials", named):
        report.additional_data = [*(report.additional_data or ()), *group]
    if infos := _misc_infos(components.lots, rules, {each.description for each in report.misc_infos or ()}):
        report.misc_infos = [*(report.misc_infos or ()), *infos]
    return notes


def _misc_infos(lots: Sequence[Any], rules: MaterialRules, taken: set[str]) -> list[MiscInfo]:
    infos = []
    for pattern, description in rules.misc_infos.items():
        fitting = (lot for lot in lots if fits(pattern, lot.get("part_number", "")))
        text = next((said for lot in fitting if (said := lot.get("lot") or lot.get("package"))), None)
        if text and description not in taken:
            taken.add(description)
            infos.append(MiscInfo(description=description, text=short(text, _LENGTH)))
    return infos


def _installed(installed: MaterialInstalledEvent) -> dict[str, Any]:
    children, lots = [], []
    for material in installed.materials:
        serialised = [each for each in material.placements if keys.clean_id(each.unit_id)]
        children += [
            said(
                sn=keys.clean_id(each.unit_id),
                part_number=keys.clean_id(material.part_number),
                designator=keys.clean_id(each.designator),
            )
            for each in serialised
        ]
        if len(serialised) < max(len(material.placements), 1):
            lots.append(_lot(material))
    return {"children": children, "lots": lots}


def _lot(material: InstalledMaterial) -> dict[str, Any]:
    named = (each.designator for each in material.placements if not each.unit_id)
    designators = [place for each in named if (place := keys.clean_id(each))]
    return said(
        part_number=keys.clean_id(material.part_number),
        package=keys.clean_id(material.package_id),
        lot=keys.clean_id(material.batch),
        quantity=material.quantity,
        not_installed=material.quantity_not_installed or None,
        designators=designators or None,
    )


def _used(material: UsedMaterial) -> dict[str, Any]:
    return said(
        part_number=keys.clean_id(material.part_number),
        package=keys.clean_id(material.package_id),
        lot=keys.clean_id(material.batch),
        quantity=material.quantity,
        unit=keys.clean_id(material.unit),
        bulk=True,
    )


def _removed(removed: MaterialRemovedEvent) -> Iterator[dict[str, Any]]:
    for material in removed.materials:
        for each in material.placements:
            yield said(sn=keys.clean_id(each.unit_id), designator=keys.clean_id(each.designator))
