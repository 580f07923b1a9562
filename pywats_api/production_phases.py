"""Where units stand: the phase of their life, and the operation they are in."""

from types import EllipsisType
from typing import Any

from pywats_api.errors import AuthorizationError, NotFoundError
from pywats_api.production_calls import ProductionCalls
from pywats_api.records import missing
from pywats_api.unit_phases import PHASE_NAMES, UnitPhase, UnitPhaseFlag, phase_of, plain_name

Phase = int | str | UnitPhaseFlag


class PhaseCalls(ProductionCalls):
    """The part of ``api.production`` that deals with phases and operations."""

    async def get_all_unit_phases(self) -> list[UnitPhase]:
        """All phases in the server's words; in ours where its internal ``Mes/GetUnitPhases`` is shut.

        Calls ``GET /api/internal/Mes/GetUnitPhases``.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
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

    async def get_phases(self) -> list[UnitPhase]:
        """The same as `get_all_unit_phases` (``GET /api/internal/Mes/GetUnitPhases``).

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.get_all_unit_phases()

    async def get_unit_phases(self) -> list[UnitPhase]:
        """The same as `get_all_unit_phases` (``GET /api/internal/Mes/GetUnitPhases``).

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.get_all_unit_phases()

    async def get_phase(self, phase: int | str) -> UnitPhase | None:
        """The phase with this number, code or name (``GET /api/internal/Mes/GetUnitPhases``).

        Args:
            phase: number, code or name of the phase.

        Raises:
            NotFoundError: there is no such phase (strict mode; lenient: None).
        """
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

    async def get_phase_id(self, phase: int | str) -> int | None:
        """Number of the phase with this number, code or name (``GET /api/internal/Mes/GetUnitPhases``).

        Args:
            phase: number, code or name of the phase.

        Raises:
            NotFoundError: there is no such phase (strict mode; lenient: None).
        """
        found = await self.get_phase(phase)
        return None if found is None else found.unit_phase_id

    async def set_unit_phase(
        self,
        serial_number: str,
        part_or_phase: Phase | None = None,
        phase: Phase | None = None,
        *,
        part_number: str = "",
        comment: str | None = None,  # noqa: ARG002  # documented, but the route takes none
    ) -> bool:
        """Put a unit into a phase, by number or name (``PUT /api/Production/SetUnitPhase``).

        Written ``(serial_number, phase)`` or ``(serial_number, part_number, phase)``.

        Args:
            serial_number: of the unit.
            part_or_phase: the phase, or, where a phase follows, the part number.
            phase: number, or name in any spelling.
            part_number: of the unit.
            comment: of no effect: WATS keeps none with a phase. Write it as a tag, or into a report.

        Raises:
            ValueError: there is no such phase, or none is given.
            NotFoundError: there is no such unit.
        """
        part, wanted = _part_and(part_or_phase, phase, part_number)
        if wanted is None:
            raise ValueError("phase: the phase to put the unit into is missing")
        await self._connection.request(
            "production.set_unit_phase",
            "PUT",
            "/api/Production/SetUnitPhase",
            query={"serialNumber": serial_number, "partNumber": part, "phase": int(phase_of(wanted))},
            idempotent=True,
        )
        return True

    async def set_unit_process(
        self,
        serial_number: str,
        part_or_process: int | str | None = None,
        process_code: int | str | EllipsisType | None = ...,
        *,
        operation_type: int | str | None = None,
        part_number: str = "",
        comment: str | None = None,  # noqa: ARG002  # documented, but the route takes none
    ) -> bool:
        """Say which operation a unit is in, by code or exact name (``PUT /api/Production/SetUnitProcess``).

        The server takes names only; a code is looked up. Written ``(serial_number, process)`` or
        ``(serial_number, part_number, process)``.

        Args:
            serial_number: of the unit.
            part_or_process: the operation, or, where `process_code` is given, the part number.
            process_code: the operation; None says that the unit is in none. Whether every server takes that
                is written nowhere.
            operation_type: another name for `process_code`.
            part_number: of the unit.
            comment: of no effect: WATS keeps none with an operation.

        Raises:
            NotFoundError: the account has no operation with this code, or there is no such unit.
            ValidationError: the account has no operation of this name.
        """
        operation = "production.set_unit_process"
        named = operation_type if process_code is ... else process_code
        part, wanted = _part_and(part_or_process, named, part_number, is_given=process_code is not ...)
        await self._connection.request(
            operation,
            "PUT",
            "/api/Production/SetUnitProcess",
            query={
                "serialNumber": serial_number,
                "partNumber": part,
                "processName": await self._process_name(operation, wanted),
            },
            idempotent=True,
        )
        return True

    async def _process_name(self, operation: str, wanted: int | str | None) -> str:
        if wanted is None:
            return ""
        if isinstance(wanted, str) and not wanted.isdecimal():
            return wanted
        process = await self._processes.find(wanted) or await self._processes.find(int(wanted))
        if process is None:
            raise NotFoundError(f"the server has no process {wanted}", operation=operation)
        return process.name


def _part_and(first: Any, second: Any, part_number: str, *, is_given: bool = False) -> tuple[str, Any]:
    """Part number and the other thing, told apart where either may come first."""
    if second is None and not is_given:
        return part_number, first
    return part_number or ("" if first is None else str(first)), second
