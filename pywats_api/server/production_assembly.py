"""Building units into units, by the box-build template of the parent's revision."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from pywats_api.server.documents import Refused
from pywats_api.server.product_box_build import BoxBuildStore, fits_line, open_places
from pywats_api.server.product_store import ProductStore, fits_mask
from pywats_api.server.production_store import MAX_LEVELS, ProductionStore
from pywats_api.unit_phases import UnitPhaseFlag, phase_name, phase_of

Unit = dict[str, Any]


class Assembler:
    """Adds, removes and checks children. Every method runs on the database's thread."""

    def __init__(self, units: ProductionStore, products: ProductStore, box_builds: BoxBuildStore) -> None:
        self._units = units
        self._products = products
        self._box_builds = box_builds

    def add(
        self,
        connection: sqlite3.Connection,
        parent: Unit,
        child: Unit,
        *,
        check_part: str,
        check_revision: str,
    ) -> None:
        """Build `child` into `parent`, or say why not."""
        if child.get("parentSerialNumber"):
            raise Refused(
                "The child unit must not already have a parent:"
                f" {child['serialNumber']} is part of {child['parentSerialNumber']}."
            )
        self._check_loop(connection, parent, child)
        wanted = self._final_phase(connection, child)
        if child["unitPhaseId"] != wanted:
            raise Refused(
                f"Child unit must be in phase {phase_name(wanted)}:"
                f" {child['serialNumber']} is in phase {child['unitPhase']}."
            )
        if not self._is_allowed(connection, parent, child, check_part, check_revision):
            raise Refused(
                "Parent's box build must define the child unit as valid:"
                f" {_name(parent)} has no place for {_name(child)}."
            )
        changed = child | {
            "parentSerialNumber": parent["serialNumber"],
            "parentPartNumber": parent["partNumber"],
        }
        self._units.write(connection, parent, parent)  # one that only a report made known
        self._units.write(connection, changed, child)

    def remove(self, connection: sqlite3.Connection, parent: Unit, child: Unit) -> None:
        """Take `child` out of `parent`."""
        if not any(_keys(known) == _keys(child) for known in self._units.children(connection, parent)):
            raise Refused(
                f"There is no relation: {child['serialNumber']} is not part of {parent['serialNumber']}."
            )
        changed = {
            name: value
            for name, value in child.items()
            if name not in {"parentSerialNumber", "parentPartNumber"}
        }
        self._units.write(connection, changed, child)

    def check(self, connection: sqlite3.Connection, parent: Unit) -> dict[str, Any]:
        """How the direct children stand against the box build: phase, part, revision, quantity."""
        children = self._units.children(connection, parent)
        template = self._template(connection, parent)
        problems = [problem for child in children if (problem := self._problem(connection, child, template))]
        if not parent.get("revision"):
            problems.append(f"{parent['serialNumber']} has no revision, so no box build")
        places = open_places(template, children)
        taken = sum(line["Quantity"] for line in template) - sum(count for _, count in places)
        if not problems and len(children) > taken:
            problems.append(f"{len(children) - taken} more than the box build asks for")
        missing = [
            {
                "partNumber": line["PartNumber"],
                "revision": line["Revision"],
                "revisionMask": line["RevisionMask"],
                "quantity": count,
                "index": index,
            }
            for index, (line, count) in enumerate(places)
            if count
        ]
        return {
            "isComplete": not missing and not problems,
            "serialNumber": parent["serialNumber"],
            "partNumber": parent["partNumber"],
            "revision": parent.get("revision"),
            "missingParts": missing,
            "problems": problems,
        }

    def _check_loop(self, connection: sqlite3.Connection, parent: Unit, child: Unit) -> None:
        above: Unit | None = parent
        for _ in range(MAX_LEVELS):
            if above is None:
                return
            if _keys(above) == _keys(child):
                raise Refused(f"{child['serialNumber']} would be part of itself.")
            serial = above.get("parentSerialNumber")
            above = (
                self._units.find(connection, serial, above.get("parentPartNumber") or "") if serial else None
            )
        raise Refused(f"More than {MAX_LEVELS} levels.")

    def _final_phase(self, connection: sqlite3.Connection, unit: Unit) -> UnitPhaseFlag:
        """Finalized, or the phase that the tag of the unit's revision names in its place."""
        revision = self._products.find_revision(connection, unit["partNumber"], unit.get("revision") or "")
        for tag in (revision or {}).get("tags") or ():
            if tag["key"] == "PhaseFinalized":
                try:
                    return phase_of(tag.get("value") or "")
                except ValueError as error:
                    raise Refused(f"Tag PhaseFinalized of {_name(unit)}: {error}.") from None
        return UnitPhaseFlag.FINALIZED

    def _is_allowed(
        self,
        connection: sqlite3.Connection,
        parent: Unit,
        child: Unit,
        check_part: str,
        check_revision: str,
    ) -> bool:
        if check_part or check_revision:
            return fits_mask(child["partNumber"], check_part or "%") and fits_mask(
                child.get("revision") or "", check_revision or "%"
            )
        places = open_places(self._template(connection, parent), self._units.children(connection, parent))
        return any(count and fits_line(child, line) for line, count in places)

    def _template(self, connection: sqlite3.Connection, parent: Unit) -> list[dict[str, Any]]:
        return (
            self._box_builds.template_of(connection, parent["partNumber"], parent.get("revision") or "") or []
        )

    def _problem(
        self, connection: sqlite3.Connection, child: Unit, template: list[dict[str, Any]]
    ) -> str | None:
        wanted = self._final_phase(connection, child)
        if child["unitPhaseId"] != wanted:
            return f"{child['serialNumber']} is in phase {child['unitPhase']}, not {phase_name(wanted)}"
        if not any(fits_line(child, line) for line in template):
            return f"{_name(child)} ({child['serialNumber']}) is not in the box build"
        return None


def _keys(unit: Mapping[str, Any]) -> tuple[str, str]:
    return unit["serialNumber"], unit["partNumber"]


def _name(unit: Mapping[str, Any]) -> str:
    return f"{unit['partNumber']} {unit.get('revision') or ''}".strip()
