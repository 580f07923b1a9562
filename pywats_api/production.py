"""Production: units, the phase and operation they are in, and whether they passed what they should have.

Needs the Production module on the account; without it the routes answer 404 or 403.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from pywats_api.connection import Connection
from pywats_api.errors import AuthorizationError, ErrorMode, NotFoundError, ValidationError
from pywats_api.process import ProcessDomain
from pywats_api.records import Record, missing, path_segment
from pywats_api.unit_phases import PHASE_NAMES, UnitPhase, UnitPhaseFlag, phase_of, plain_name

_FIT_STATUSES = frozenset({"ok", "warning"})


def _as_utc(moment: datetime | None) -> datetime | None:
    """Read ``startUtc``: it carries no offset, and .NET's first day stands for "never"."""
    if moment is None or moment.year == 1:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _or_empty(value: Any) -> Any:
    return [] if value is None else value


class Unit(Record):
    """A unit: one serial number of one part number. `unit_phase`, the phase's name, is read only."""

    serial_number: str
    part_number: str | None = None
    revision: str | None = None
    parent_serial_number: str | None = None
    batch_number: str | None = None
    serial_date: datetime | None = None
    current_location: str | None = None
    xml_data: str | None = None
    unit_phase_id: int | None = None
    unit_phase: str | None = None
    process_code: int | str | None = None
    tags: list[dict[str, Any]] | None = None
    sub_units: Annotated[list["Unit"], BeforeValidator(_or_empty)] = Field(default_factory=list)

    @property
    def phase(self) -> str | None:
        """Name of the phase that the unit is in."""
        return self.unit_phase

    @property
    def current_process(self) -> int | str | None:
        """Code of the operation that the unit is in."""
        return self.process_code


class ProcessVerification(Record):
    """How a unit did in one operation of its verification rule; start and station are the last run's."""

    process_code: int | None = None
    process_name: str | None = None
    process_index: Annotated[int | str | None, Field(union_mode="left_to_right")] = None
    status: str | None = None
    start_utc: Annotated[datetime | None, AfterValidator(_as_utc)] = None
    station_name: str | None = None
    total_count: int | None = None
    non_passed_count: int | None = None
    repair_count: int | None = None


class UnitVerification(Record):
    """Whether a unit passed the operations that the verification rule of its product asks for.

    A product without a rule has no `results`, and then no `status` that means anything.
    """

    status: str | None = None
    grade: str | None = None
    all_processes_executed_in_correct_order: bool | None = None
    all_processes_passed_first_run: bool | None = None
    all_processes_passed_any_run: bool | None = None
    all_processes_passed_last_run: bool | None = None
    no_repairs: bool | None = None
    results: Annotated[list[ProcessVerification], BeforeValidator(_or_empty)] = Field(default_factory=list)

    @property
    def is_passing(self) -> bool:
        """The server calls the unit fit: status OK or Warning."""
        return (self.status or "").strip().lower() in _FIT_STATUSES


class ProductionDomain:
    """``api.production``.

    `part_number` may be left out where serial numbers are unique over all products.
    """

    def __init__(self, connection: Connection, processes: ProcessDomain) -> None:
        self._connection = connection
        self._processes = processes

    async def get_unit(self, serial_number: str, part_number: str = "") -> Unit | None:
        """The unit, with the units built into it (``GET /api/Production/Unit``)."""
        operation = "production.get_unit"
        try:
            answer = await self._unit(operation, serial_number, part_number)
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

        Raises:
            ValidationError: the server took not all of them; those that it took stay.
        """
        operation = "production.create_units"
        answer = await self._connection.request(
            operation,
            "PUT",
            "/api/Production/Units",
            body=[_unit_to_wire(unit) for unit in units],
            idempotent=True,
        )
        counters = answer if isinstance(answer, dict) else {}
        refused = next((value for name, value in counters.items() if name.lower() == "errorcount"), 0)
        if refused:
            raise ValidationError(
                f"the server refused {refused} of {len(units)} units: {counters}",
                operation=operation,
                method="PUT",
                path="/api/Production/Units",
                status_code=200,
                server_text=str(counters),
            )
        return list(units) if counters or not answer else Unit.read_list(answer, operation)

    async def create_unit(self, unit: Unit) -> Unit:
        """Create one unit, or update the one with its serial number."""
        created, *_ = await self.create_units([unit])
        return created

    async def get_unit_verification(
        self, serial_number: str, part_number: str = ""
    ) -> UnitVerification | None:
        """How the unit stands against the verification rule of its product.

        Asks ``GET /api/Production/UnitVerification``. An empty answer is None in either error mode: a product
        without a rule may get one.
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

    async def verify_unit(self, serial_number: str, part_number: str = "") -> UnitVerification | None:
        """The same as `get_unit_verification`."""
        return await self.get_unit_verification(serial_number, part_number)

    async def is_unit_passing(self, serial_number: str, part_number: str = "") -> bool:
        """Whether the server calls the unit fit. Without a verification rule nobody can say so: False."""
        verification = await self.get_unit_verification(serial_number, part_number)
        return verification is not None and verification.is_passing

    async def get_all_unit_phases(self) -> list[UnitPhase]:
        """All phases in the server's words; in ours where its internal ``Mes/GetUnitPhases`` is shut."""
        operation = "production.get_all_unit_phases"
        try:
            answer = await self._connection.request(
                operation, "GET", "/api/internal/Mes/GetUnitPhases", internal=True
            )
        except (AuthorizationError, NotFoundError):
            answer = None
        if not answer:
            return [
                UnitPhase(unit_phase_id=int(phase), code=phase.name, name=name)
                for phase, name in PHASE_NAMES.items()
            ]
        return UnitPhase.read_list(answer, operation)

    async def get_phase(self, phase: int | str) -> UnitPhase | None:
        """The phase with this number, code or name."""
        wanted = plain_name(str(phase))
        try:
            number: int | None = phase_of(phase)
        except ValueError:  # the server may have a name for it that we don't know
            number = None
        for known in await self.get_all_unit_phases():
            names = {plain_name(known.code or ""), plain_name(known.name or "")}
            if known.unit_phase_id == number or (wanted and wanted in names):
                return known
        missing("production.get_phase", f"unit phase {phase!r}", self._connection.error_mode)
        return None

    async def set_unit_phase(
        self, serial_number: str, phase: int | str | UnitPhaseFlag, *, part_number: str = ""
    ) -> None:
        """Put a unit into a phase, by number or name (``PUT /api/Production/SetUnitPhase``).

        Raises:
            ValueError: there is no such phase.
        """
        await self._connection.request(
            "production.set_unit_phase",
            "PUT",
            "/api/Production/SetUnitPhase",
            query={
                "serialNumber": serial_number,
                "partNumber": part_number,
                "phase": int(phase_of(phase)),
            },
            idempotent=True,
        )

    async def set_unit_process(
        self, serial_number: str, operation_type: int | str, *, part_number: str = ""
    ) -> None:
        """Say which operation a unit is in, by code or exact name (``PUT /api/Production/SetUnitProcess``).

        The server takes names only; a code is looked up.

        Raises:
            NotFoundError: the account has no operation with this code.
        """
        operation = "production.set_unit_process"
        name = operation_type if isinstance(operation_type, str) else None
        if name is None:
            process = await self._processes.get_process(operation_type)
            if process is None:
                raise NotFoundError(f"the server has no process {operation_type}", operation=operation)
            name = process.name
        await self._connection.request(
            operation,
            "PUT",
            "/api/Production/SetUnitProcess",
            query={"serialNumber": serial_number, "partNumber": part_number, "processName": name},
            idempotent=True,
        )

    async def _unit(self, operation: str, serial_number: str, part_number: str) -> Any:
        try:
            keys = [path_segment(serial_number), *([path_segment(part_number)] if part_number else [])]
        except ValueError:  # such a key cannot travel in the path
            if not serial_number.strip():
                raise
            return await self._connection.request(
                operation,
                "GET",
                "/api/internal/Production/GetUnit",
                query={"serialNumber": serial_number, "partNumber": part_number},
                internal=True,
            )
        return await self._connection.request(operation, "GET", f"/api/Production/Unit/{'/'.join(keys)}")


def _unit_to_wire(unit: Unit) -> dict[str, Any]:
    wire = unit.to_wire()
    wire.pop("unitPhase", None)  # read only
    if not unit.sub_units:
        wire.pop("subUnits", None)
    return wire
