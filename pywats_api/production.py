"""Production: units, the phase and operation they are in, and whether they passed what they should have.

Needs the Production module on the account; without it the routes answer 404 or 403.
"""

from collections.abc import Sequence

from pywats_api.errors import ErrorMode, NotFoundError
from pywats_api.production_assembly import AssemblyCalls
from pywats_api.production_phases import PhaseCalls
from pywats_api.production_records import (
    ProcessVerification,
    ProductionBatch,
    Unit,
    UnitChange,
    UnitVerification,
    UnitVerificationGrade,
)
from pywats_api.production_serials import SerialNumberCalls
from pywats_api.records import check_counters, missing, path_segment
from pywats_api.tags import Setting, Tags, merged

__all__ = ["ProcessVerification", "ProductionDomain", "Unit", "UnitVerification"]

_MAX_CHANGES = 10_000


class ProductionDomain(PhaseCalls, AssemblyCalls, SerialNumberCalls):
    """``api.production``.

    `part_number` may be left out where serial numbers are unique over all products.
    """

    # --- units

    async def get_unit(self, serial_number: str, part_number: str = "") -> Unit | None:
        """The unit, with the units built into it (``GET /api/Production/Unit``).

        Args:
            serial_number: of the unit.
            part_number: of the unit; may be left out where no other product has this serial number.

        Raises:
            NotFoundError: there is no such unit (strict mode; lenient: None).
        """
        operation = "production.get_unit"
        try:
            answer = await self._read_unit(operation, serial_number, part_number)
        except NotFoundError:
            if self._connection.error_mode is ErrorMode.STRICT:
                raise
            return None
        if not answer:
            missing(operation, f"unit {serial_number!r}", self._connection.error_mode)
            return None
        return Unit.read(answer, operation)

    async def create_units(self, units: Sequence[Unit]) -> list[Unit]:
        """Create units, or update those with these serial numbers (``PUT /api/Production/Units``).

        Product and revision have to exist.

        Args:
            units: each with serial number, part number and revision.

        Raises:
            ValidationError: the server took not all of them; those that it took stay.
        """
        return await self._put_units("production.create_units", units)

    async def create_unit(self, unit: Unit) -> Unit:
        """Create one unit, or update the one with its serial number (``PUT /api/Production/Units``).

        Args:
            unit: the unit, with serial number, part number and revision.

        Raises:
            ValidationError: the server refuses what was sent.
        """
        created, *_ = await self.create_units([unit])
        return created

    async def update_unit(self, unit: Unit) -> Unit:
        """Store a changed unit (``PUT /api/Production/Units``). Fetch it before changing it.

        Args:
            unit: the unit with its changes.

        Raises:
            ValidationError: the server refuses what was sent.
        """
        updated, *_ = await self._put_units("production.update_unit", [unit])
        return updated

    async def get_unit_tags(self, serial_number: str, part_number: str = "") -> list[Setting]:
        """Tags of a unit (``GET /api/Production/Unit``).

        Args:
            serial_number: of the unit.
            part_number: of the unit; may be left out where no other product has this serial number.

        Raises:
            NotFoundError: there is no such unit (strict mode; lenient: an empty list).
        """
        unit = await self.get_unit(serial_number, part_number)
        return [] if unit is None else unit.tags or []

    async def set_unit_tags(self, serial_number: str, tags: Tags, *, part_number: str = "") -> Unit | None:
        """Add tags to a unit; a key that it has gets the new value.

        WATS has no route for them: the unit is read and stored again, so two callers at the same time can
        lose a tag.

        Calls ``GET /api/Production/Unit``, ``PUT /api/Production/Units``.

        Args:
            serial_number: of the unit.
            tags: records or dictionaries with ``key`` and ``value``.
            part_number: of the unit.

        Raises:
            NotFoundError: there is no such unit (strict mode; lenient: None).
        """
        unit = await self.get_unit(serial_number, part_number)
        if unit is None:
            return None
        known = Unit(
            serial_number=unit.serial_number,
            part_number=unit.part_number,
            tags=merged(unit.tags or [], tags),
        )
        stored, *_ = await self._put_units("production.set_unit_tags", [known])
        return stored

    async def save_batches(self, batches: Sequence[ProductionBatch]) -> bool:
        """Create batches, or update those with these numbers (``PUT /api/Production/Batches``).

        WATS does not give them back; a unit names its batch by `Unit.batch_number`.

        Args:
            batches: each with its number and size.

        Raises:
            ValidationError: the server refuses what was sent.
        """
        await self._connection.request(
            "production.save_batches",
            "PUT",
            "/api/Production/Batches",
            body=[batch.to_wire() for batch in batches],
            idempotent=True,
        )
        return True

    # --- verification

    async def get_unit_verification(
        self, serial_number: str, part_number: str = ""
    ) -> UnitVerification | None:
        """How the unit stands against the verification rule of its product.

        Asks ``GET /api/Production/UnitVerification``. An empty answer is None in either error mode: a product
        without a rule may get one.

        Args:
            serial_number: of the unit.
            part_number: of the unit; may be left out where no other product has this serial number.

        Raises:
            NotFoundError: there is no such unit (strict mode; lenient: None).
        """
        operation = "production.get_unit_verification"
        try:
            answer = await self._connection.request(
                operation,
                "GET",
                "/api/Production/UnitVerification",
                query={"serialNumber": serial_number, "partNumber": part_number},
            )
        except NotFoundError:
            if self._connection.error_mode is ErrorMode.STRICT:
                raise
            return None
        return UnitVerification.read(answer, operation) if answer else None

    async def verify_unit(
        self,
        serial_number: str,
        part_number: str = "",
        revision: str | None = None,  # noqa: ARG002  # documented, but the route does not ask for it
    ) -> UnitVerification | None:
        """The same as `get_unit_verification`; `revision` is of no effect.

        Calls ``GET /api/Production/UnitVerification``.

        Args:
            serial_number: of the unit.
            part_number: of the unit; may be left out where no other product has this serial number.
            revision: of no effect.

        Raises:
            NotFoundError: there is no such unit (strict mode; lenient: None).
        """
        return await self.get_unit_verification(serial_number, part_number)

    async def get_unit_grade(
        self,
        serial_number: str,
        part_number: str = "",
        revision: str | None = None,  # noqa: ARG002
    ) -> UnitVerificationGrade | str | None:
        """The verdict on a unit in one word; None without a verification rule. `revision` has no effect.

        Calls ``GET /api/Production/UnitVerification``.

        Args:
            serial_number: of the unit.
            part_number: of the unit; may be left out where no other product has this serial number.
            revision: of no effect.

        Raises:
            NotFoundError: there is no such unit (strict mode; lenient: None).
        """
        verification = await self.get_unit_verification(serial_number, part_number)
        return None if verification is None else verification.grade

    async def is_unit_passing(self, serial_number: str, part_number: str = "") -> bool:
        """Whether the server calls the unit fit. Without a verification rule nobody can say so: False.

        Calls ``GET /api/Production/UnitVerification``.

        Args:
            serial_number: of the unit.
            part_number: of the unit; may be left out where no other product has this serial number.

        Raises:
            NotFoundError: there is no such unit (strict mode; lenient: False).
        """
        verification = await self.get_unit_verification(serial_number, part_number)
        return verification is not None and verification.is_passing

    # --- changes

    async def get_unit_changes(
        self, serial_number: str | None = None, part_number: str | None = None, top: int | None = None
    ) -> list[UnitChange]:
        """Changes of units that nobody acknowledged yet (``GET /api/Production/Units/Changes``).

        An administrator has to enable them. It is a queue for one reader, such as an ERP system, and not a
        history: what was acknowledged is gone.

        Args:
            serial_number: only those of this unit; picked out here, of the oldest 10000.
            part_number: only those that name this part number, where the server says it.
            top: at most so many.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        operation = "production.get_unit_changes"
        picks = serial_number is not None or part_number is not None
        answer = await self._connection.request(
            operation,
            "GET",
            "/api/Production/Units/Changes",
            query={"maxCount": _MAX_CHANGES if picks or top is None else top},
        )
        changes = [
            change
            for change in UnitChange.read_list(answer, operation)
            if serial_number in {None, change.serial_number}
            and (part_number is None or change.part_number in {None, part_number})
        ]
        return changes[:top]

    async def acknowledge_unit_change(self, change_id: int | str) -> bool:
        """Take a change out of the queue (``DELETE /api/Production/Units/Changes/{id}``).

        Args:
            change_id: `UnitChange.id` of the change.

        Raises:
            NotFoundError: there is no such change; it may be acknowledged already.
        """
        await self._connection.request(
            "production.acknowledge_unit_change",
            "DELETE",
            f"/api/Production/Units/Changes/{path_segment(str(change_id))}",
            idempotent=True,
        )
        return True

    # --- steps

    async def _put_units(self, operation: str, units: Sequence[Unit]) -> list[Unit]:
        answer = await self._connection.request(
            operation,
            "PUT",
            "/api/Production/Units",
            body=[unit.to_wire() for unit in units],
            idempotent=True,
        )
        check_counters(operation, "/api/Production/Units", answer, f"{len(units)} units")
        return list(units) if isinstance(answer, dict) or not answer else Unit.read_list(answer, operation)
