"""What the server answers about reports."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import Field, model_validator

from pywats_api.records import Record

_IN_FULL = {"pn": "partNumber", "sn": "serialNumber", "rev": "revision"}


class SubmittedReport(Record):
    """What became of a submitted report: received and validated, not yet processed.

    `uuid` differs from `id` where the server found a report with the same natural key and overwrote it.
    """

    id: UUID = Field(alias="ID")
    uuid: UUID
    report_id: int | None = Field(default=None, alias="Report_ID")


class HeaderSubUnit(Record):
    """A serialised part, as it comes along with a header; servers name its members in full or as in WSJF."""

    part_type: str | None = None
    part_number: str | None = None
    serial_number: str | None = None
    revision: str | None = None
    position: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _in_full(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {_IN_FULL.get(str(name).lower(), name): value for name, value in data.items()}


class ReportHeader(Record):
    """The searchable line of a stored report. `select` leaves members out, so each may be None."""

    uuid: UUID | None = None
    serial_number: str | None = None
    part_number: str | None = None
    revision: str | None = None
    report_type: str | None = None
    start: datetime | None = None
    result: str | None = None
    batch_number: str | None = None
    user_name: str | None = None
    station_name: str | None = None
    location: str | None = None
    purpose: str | None = None
    time_stamp: int | None = None
    process_code: int | None = None
    process_name: str | None = None
    comment: str | None = None
    execution_time: float | None = None
    sw_filename: str | None = None
    sw_version: str | None = None
    test_socket_index: int | None = None
    fixture_id: str | None = None
    error_code: int | None = None
    error_message: str | None = None
    run: int | None = None
    receive_count: int | None = None
    report_size: float | None = None
    caused_uut_failure: str | None = None
    caused_uut_failure_path: str | None = None
    passed_in_run: int | None = None
    referenced_uut: UUID | None = None
    measures_deleted: bool | None = None
    sub_units: list[HeaderSubUnit] | None = None
    misc_info: list[dict[str, Any]] | None = None
    assets: list[dict[str, Any]] | None = None
    attachments: list[dict[str, Any]] | None = None
    uur_sub_units: list[HeaderSubUnit] | None = None
    uur_misc_info: list[dict[str, Any]] | None = None
    uur_attachments: list[dict[str, Any]] | None = None

    @property
    def status(self) -> str | None:
        """The same as `result`."""
        return self.result

    @property
    def start_time(self) -> datetime | None:
        """The same as `start`."""
        return self.start

    @property
    def start_utc(self) -> datetime | None:
        """`start` in UTC."""
        return None if self.start is None else self.start.astimezone(UTC)


class MiscInfoHeader(Record):
    """A report that was found by a misc info."""

    uuid: UUID
    serial_number: str | None = None
    part_number: str | None = None
    start: datetime | None = None
    result: str | None = None
    process_code: int | None = None
    process_name: str | None = None
    misc_data: list[dict[str, Any]] | None = None


class ReportAttachment(Record):
    """A file of a stored report: fetched by its step in a test, by its id in a repair."""

    name: str
    content_type: str
    size: int
    step_id: int | None = None
    attachment_id: UUID | None = None
