"""What WATS itself knows of a unit: asked last, and seldom."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol
from uuid import UUID

from handlers.sources import Part
from handlers.wats import wats_failures
from pywats_api.errors import AuthorizationError, NotFoundError, ValidationError
from pywats_api.production_records import Unit
from pywats_api.report_records import ReportHeader

_KEPT: Final = 10_000
_KNOWN_FOR: Final = 3600.0
_UNKNOWN_FOR: Final = 60.0


class Headers(Protocol):
    """``api.report``, as far as look-ups go."""

    async def query_headers(self, *, odata_filter: str, top: int, orderby: str) -> Sequence[ReportHeader]:
        """Headers of reports that match."""


@dataclass(frozen=True, slots=True)
class FailedReport:
    """The test report that showed what was repaired later.

    Attributes:
        report: its id.
        steps: the step that shows a finding, by the finding's id.
        how: how it was found.
    """

    report: UUID
    part_number: str
    revision: str
    process: int
    how: str
    steps: dict[str, int]


class KnownUnits(Protocol):
    """``api.production``, as far as look-ups go."""

    async def get_unit(self, serial_number: str, part_number: str = "", /) -> Unit | None:
        """A unit; raises NotFoundError, or None."""


class UnitLookup:
    """Asks WATS for a serial number; an answer is kept for a while.

    Args:
        reports: where the newest report of a unit is looked up.
        units: where the unit is looked up before; None where the account has no Production module.
        clock: seconds.
    """

    def __init__(
        self,
        reports: Headers,
        units: KnownUnits | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reports = reports
        self._units = units
        self._clock = clock
        self._parts: OrderedDict[str, tuple[float, Part | None]] = OrderedDict()

    async def part_of(self, serial: str) -> Part | None:
        """Give the product of a unit, as such or by its newest report; None when WATS has neither.

        Raises:
            DestinationUnavailable, TransientError, PermanentError: WATS can't be asked.
        """
        until, part = self._parts.get(serial, (0.0, None))
        if self._clock() < until:
            return part
        with wats_failures():
            part = await self._by_unit(serial) or await self._by_report(serial)
        self._parts[serial] = (self._clock() + (_KNOWN_FOR if part else _UNKNOWN_FOR), part)
        while len(self._parts) > _KEPT:
            self._parts.popitem(last=False)
        return part

    async def _by_unit(self, serial: str) -> Part | None:
        if self._units is None:
            return None
        try:
            unit = await self._units.get_unit(serial)
        except (NotFoundError, AuthorizationError, ValidationError):
            return None  # unknown, no module, or units of several products with this serial number
        if unit is None or not unit.part_number:
            return None
        return Part(unit.part_number, unit.revision, None, "the unit in WATS (Production)")

    async def _by_report(self, serial: str) -> Part | None:
        found = await self._reports.query_headers(
            odata_filter=f"serialNumber eq {_quoted(serial)}", top=1, orderby="start desc"
        )
        if not found or not found[0].part_number:
            return None
        how = f"newest report of the unit in WATS ({found[0].uuid})"
        return Part(found[0].part_number, found[0].revision, None, how)

    async def failed_report_of(self, serial: str, before: datetime) -> FailedReport | None:
        """Give the last test report of a unit, before a time, that was no pass; raises as ``part_of``."""
        latest = before.astimezone(UTC).isoformat().replace("+00:00", "Z")
        conditions = (
            f"serialNumber eq {_quoted(serial)}",
            "reportType eq 'T'",
            "result ne 'Passed'",  # headers say the word, reports the letter
            f"start le {latest}",
        )
        with wats_failures():
            found = await self._reports.query_headers(
                odata_filter=" and ".join(conditions), top=1, orderby="start desc"
            )
        for header in found:
            if header.uuid and header.part_number and header.process_code is not None:
                return FailedReport(
                    report=header.uuid,
                    part_number=header.part_number,
                    revision=header.revision or "",
                    process=header.process_code,
                    how="last failed report of the unit in WATS",
                    steps={},
                )
        return None


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
