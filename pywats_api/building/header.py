"""What test and repair reports have in common: the unit, where and when, and what people search by."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import UUID, uuid5

from pywats_api.building.errors import ReportError, naming
from pywats_api.building.free_data import Value, free_data
from pywats_api.process_records import Process
from pywats_api.wsjf import AdditionalData, AssetUse, MiscInfo, Report
from pywats_api.wsjf.values import iso_utc

#: Ids of reports are made in this namespace from unit, operation and start, so that the same run has the
#: same id whenever it is built. Changing it doubles every report.
REPORT_NAMESPACE: Final = UUID("5d6b7d5c-35a5-5f0b-8a4e-6c1f0c5e9a10")


class Header:
    """Collects the members of a report that are no steps and no failures."""

    def __init__(
        self,
        *,
        kind: Literal["T", "R"],
        part_number: str,
        serial_number: str,
        revision: str,
        process: int | Process,
        station: str,
        location: str,
        purpose: str,
        start: datetime | None,
        report_id: UUID | None,
        now: Callable[[], datetime],
    ) -> None:
        self.serial_number = serial_number
        self.now = now
        self.start = _to_milliseconds(now().astimezone() if start is None else start)
        self.place = f'{"test" if kind == "T" else "repair"} of "{serial_number}"'
        self.process = operation_code(process, self.place, "test" if kind == "T" else "repair")
        self._kind = kind
        self._report_id = report_id
        self._members: dict[str, Any] = {
            "type": kind,
            "pn": part_number,
            "sn": serial_number,
            "rev": revision,
            "process_code": self.process,
            "machine_name": station,
            "location": location,
            "purpose": purpose,
            "start": self.start,
        }
        self._misc_infos: list[MiscInfo] = []
        self._assets: list[AssetUse] = []
        self._data: list[AdditionalData] = []

    def misc(self, description: str, text: str) -> None:
        """Add what people search by."""
        with naming(f'misc info "{description}"'):
            self._misc_infos.append(MiscInfo(description=description, text=text))

    def asset(self, serial_number: str, count: int) -> None:
        """Add an asset that was used."""
        with naming(f'asset "{serial_number}"'):
            self._assets.append(AssetUse(asset_sn=serial_number, usage_count=count))

    def data(self, name: str, members: Mapping[str, Value]) -> None:
        """Add free data."""
        with naming(f'data "{name}"'):
            self._data.append(free_data(name, members))

    def report(self, **members: Any) -> Report:
        """The whole report.

        Raises:
            ReportError: a member does not fit, or the report is from the future.
        """
        if self.start.utcoffset() is None:
            raise ReportError(self.place, "start needs an offset, such as datetime.now().astimezone() has")
        if self.start > self.now():
            raise ReportError(
                self.place,
                f"start {self.start.isoformat()} lies in the future: the server would accept the report and "
                "hide it in quarantine; correct the clock, or give the time of receipt",
            )
        with naming(self.place):
            return Report(
                **self._members,
                id=self._report_id or self._derived_id(),
                misc_infos=self._misc_infos or None,
                assets=self._assets or None,
                additional_data=self._data or None,
                **members,
            )

    def _derived_id(self) -> UUID:
        key = (self._kind, self._members["sn"], self._members["pn"], str(self.process), iso_utc(self.start))
        return uuid5(REPORT_NAMESPACE, "\n".join(key))


def operation_code(process: int | Process, place: str, kind: Literal["test", "repair"]) -> int:
    """The code of an operation; one that was looked up is checked for its kind.

    Raises:
        ReportError: the operation is of another kind.
    """
    if isinstance(process, int):
        return process
    if not (process.is_test_operation if kind == "test" else process.is_repair_operation):
        raise ReportError(place, f"process {process.code} ({process.name}) is no {kind} operation")
    return process.code


def utc_now() -> datetime:
    """The clock that a report is dated by unless another is given."""
    return datetime.now(UTC)


def _to_milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
