"""A typed way to ask for headers, which ends as the server's own OData."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from pywats_api.records import odata_text
from pywats_api.wsjf import ReportResult
from pywats_api.wsjf.values import iso_utc

_WORDS = {
    ReportResult.PASSED: "Passed",
    ReportResult.FAILED: "Failed",
    ReportResult.ERROR: "Error",
    ReportResult.TERMINATED: "Terminated",
}
Result = ReportResult | Literal["P", "F", "E", "T"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderFilter:
    """Conditions on headers, all of which must hold; what is left out does not matter.

    For anything else write OData yourself, and put `to_odata` beside it with ``and``.

    Attributes:
        serial_number: exactly, or one of several.
        part_number: exactly, or one of several.
        revision: exactly, or one of several.
        result: letter of the result, or one of several.
        process_code: code of the operation, or one of several.
        station: name of the station, or one of several.
        batch: the lot, or one of several.
        program: name of the test program, or one of several.
        operator: who tested or repaired, or one of several.
        location: or one of several.
        purpose: or one of several.
        serial_prefix: how the serial number begins.
        started_from: start of the run at this moment or later, with offset.
        started_before: start of the run before this moment, with offset.
        failed_test: repairs that refer to this report.
    """

    serial_number: str | Iterable[str] | None = None
    part_number: str | Iterable[str] | None = None
    revision: str | Iterable[str] | None = None
    result: Result | Iterable[Result] | None = None
    process_code: int | Iterable[int] | None = None
    station: str | Iterable[str] | None = None
    batch: str | Iterable[str] | None = None
    program: str | Iterable[str] | None = None
    operator: str | Iterable[str] | None = None
    location: str | Iterable[str] | None = None
    purpose: str | Iterable[str] | None = None
    serial_prefix: str | None = None
    started_from: datetime | None = None
    started_before: datetime | None = None
    failed_test: UUID | str | None = None

    def to_odata(self) -> str:
        """The filter as the server reads it; empty where nothing is asked for.

        Raises:
            ValueError: a list is empty, a result is none, a moment has no offset, or an id is no GUID.
        """
        conditions = [
            _is("serialNumber", self.serial_number),
            _is("partNumber", self.part_number),
            _is("revision", self.revision),
            _is("result", _in_words(self.result)),
            _is("processCode", self.process_code),
            _is("stationName", self.station),
            _is("batchNumber", self.batch),
            _is("swFilename", self.program),
            _is("userName", self.operator),
            _is("location", self.location),
            _is("purpose", self.purpose),
        ]
        if self.serial_prefix:
            conditions.append(f"startswith(serialNumber, {odata_text(self.serial_prefix)})")
        if self.started_from is not None:
            conditions.append(f"start ge {_moment(self.started_from)}")
        if self.started_before is not None:
            conditions.append(f"start lt {_moment(self.started_before)}")
        if self.failed_test is not None:
            conditions.append(f"referencedUut eq {UUID(str(self.failed_test))}")
        return " and ".join(filter(None, conditions))


def _in_words(result: Result | Iterable[Result] | None) -> str | list[str] | None:
    if result is None or isinstance(result, str):
        return result and _WORDS[ReportResult(result)]
    return [_WORDS[ReportResult(letter)] for letter in result]


def _is(field: str, wanted: str | int | Iterable[str] | Iterable[int] | None) -> str | None:
    if wanted is None:
        return None
    if isinstance(wanted, str | int):
        return f"{field} eq {_literal(wanted)}"
    values = [_literal(value) for value in wanted]
    if not values:
        raise ValueError(f"{field}: an empty list matches nothing; leave it out to match all")
    return f"{field} in ({', '.join(values)})"


def _literal(value: str | int) -> str:
    return odata_text(value) if isinstance(value, str) else str(value)


def _moment(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no offset; use datetime.now().astimezone() or UTC")
    return iso_utc(moment)
