"""Units built into units.

Which units a product needs is said by its box-build template (``api.product``). Here the real ones, with
serial numbers, are built in: a child must be Finalized, fit the template, and have no other parent.
"""

from pywats_api.errors import ErrorMode, NotFoundError, ValidationError
from pywats_api.product_box_build import BoxBuildSubunit
from pywats_api.production_calls import ProductionCalls
from pywats_api.production_records import AssemblyVerification, Unit


class AssemblyCalls(ProductionCalls):
    """The part of ``api.production`` that deals with assemblies."""

    async def add_child_to_assembly(
        self,
        parent_serial: str,
        parent_part: str = "",
        child_serial: str | int = "",
        child_part: str = "",
        *,
        index: int | None = None,
        check_part_number: str = "",
        check_revision: str = "",
    ) -> bool:
        """Build a unit into another (``POST /api/Production/AddChildUnit``). Never repeated by itself.

        Written with four texts, or in short as ``(parent_serial, child_serial, index)`` where serial numbers
        are unique over all products. A second call for the same pair is refused: after an unclear error look
        at `get_unit` of the parent.

        Args:
            parent_serial: of the unit that is built up.
            parent_part: its part number.
            child_serial: of the unit that is built in.
            child_part: its part number.
            index: the place in the box-build template that it shall take, from 0, each piece counted. WATS
                knows no places: the child is checked against the part and the revisions of that line.
            check_part_number: check the child against this part number, not the template.
            check_revision: check the child against these revisions, ``%`` at an end for anything.

        Raises:
            ValidationError: the child is not Finalized, has a parent, or does not fit.
            NotFoundError: one of the units does not exist.
            ValueError: no child is named, or the template has no such place.
        """
        if isinstance(child_serial, int):
            index = child_serial
            parent_part, child_serial = "", parent_part
        elif not child_serial:
            parent_part, child_serial = "", parent_part
        keys = _keys(parent_serial, parent_part, child_serial, child_part)
        if index is not None:
            line = await self._place(parent_serial, parent_part, index)
            check_part_number = check_part_number or line.part_number
            check_revision = check_revision or line.revision_mask or line.revision
        await self._connection.request(
            "production.add_child_to_assembly",
            "POST",
            "/api/Production/AddChildUnit",
            query={**keys, "checkPartNumber": check_part_number, "checkRevision": check_revision},
            idempotent=False,
        )
        return True

    async def remove_child_from_assembly(
        self,
        parent_serial: str,
        parent_part: str = "",
        child_serial: str = "",
        child_part: str = "",
        *,
        index: int | None = None,
    ) -> bool:
        """Take a unit out of another (``POST /api/Production/RemoveChildUnit``). Never repeated by itself.

        Args:
            parent_serial: of the unit that it is built into.
            parent_part: its part number.
            child_serial: of the unit that is taken out.
            child_part: its part number.
            index: in place of the child's keys: its place among the `sub_units` of the parent, from 0.

        Raises:
            ValidationError: it is not built in there.
            NotFoundError: one of the units does not exist.
            ValueError: no child is named, or nothing is built in at that place.
        """
        operation = "production.remove_child_from_assembly"
        if index is not None:
            parent = await self._assembly(operation, parent_serial, parent_part)
            if not 0 <= index < len(parent.sub_units):
                raise ValueError(
                    f"unit {parent_serial} has {len(parent.sub_units)} sub-units, none at {index}"
                )
            child = parent.sub_units[index]
            child_serial, child_part = child.serial_number, child.part_number or ""
        await self._connection.request(
            operation,
            "POST",
            "/api/Production/RemoveChildUnit",
            query=_keys(parent_serial, parent_part, child_serial, child_part),
            idempotent=False,
        )
        return True

    async def verify_assembly(
        self,
        serial_number: str = "",
        part_number: str = "",
        revision: str = "",
        *,
        parent_serial: str = "",
        parent_part: str = "",
        parent_revision: str = "",
    ) -> AssemblyVerification | None:
        """Whether all that the box-build template asks for is built in.

        Asks ``GET /api/Production/CheckChildUnits``, which compares phase, part, revision and quantity of the
        direct children. What its answer looks like is written nowhere; one without a verdict is not complete.

        Args:
            serial_number: of the unit that is built up.
            part_number: of it.
            revision: that it should have; another one is a problem in the verdict.
            parent_serial: another name for `serial_number`.
            parent_part: another name for `part_number`.
            parent_revision: another name for `revision`.

        Raises:
            NotFoundError: there is no such unit; None where the client is lenient.
            ValueError: no unit is named.
        """
        operation = "production.verify_assembly"
        serial, part = serial_number or parent_serial, part_number or parent_part
        if not serial.strip():
            raise ValueError("serial_number: the unit that is built up has to be named")
        try:
            answer = await self._connection.request(
                operation,
                "GET",
                "/api/Production/CheckChildUnits",
                query={"parentSerialNumber": serial, "parentPartNumber": part},
            )
        except NotFoundError:
            if self._connection.error_mode is ErrorMode.STRICT:
                raise
            return None
        verdict = AssemblyVerification.read(answer if answer is not None else {}, operation)
        wanted = revision or parent_revision
        stands = (verdict.model_extra or {}).get("revision")
        if wanted and stands and stands != wanted:
            problem = f"the unit is revision {stands}, not {wanted}"
            return verdict.model_copy(update={"is_complete": False, "problems": [*verdict.problems, problem]})
        return verdict

    async def _place(self, serial: str, part: str, index: int) -> BoxBuildSubunit:
        operation = "production.add_child_to_assembly"
        parent = await self._assembly(operation, serial, part)
        if not parent.part_number or not parent.revision:
            raise ValidationError(
                f"unit {serial} has no revision, so no box-build template to count places in",
                operation=operation,
            )
        template = await self._products.get_box_build_template(parent.part_number, parent.revision)
        places = [line for line in template.subunits for _ in range(line.quantity)]
        if not 0 <= index < len(places):
            raise ValueError(
                f"the box-build template of {parent.part_number} {parent.revision} has {len(places)} places,"
                f" none at {index}"
            )
        return places[index]

    async def _assembly(self, operation: str, serial: str, part: str) -> Unit:
        return Unit.read(await self._read_unit(operation, serial, part), operation)


def _keys(parent_serial: str, parent_part: str, child_serial: str, child_part: str) -> dict[str, str]:
    for name, value in {"parent_serial": parent_serial, "child_serial": child_serial}.items():
        if not value.strip():
            raise ValueError(f"{name}: both units have to be named by their serial numbers")
    return {
        "parentSerialNumber": parent_serial,
        "parentPartNumber": parent_part,
        "childSerialNumber": child_serial,
        "childPartNumber": child_part,
    }
