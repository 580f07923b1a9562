"""Reports: submit, fetch, look up their headers."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from pydantic import Field

from pywats_api.connection import Connection
from pywats_api.errors import ErrorMode, NotFoundError
from pywats_api.records import Record, missing, odata_text, path_segment
from pywats_api.wsjf import Report, ReportType
from pywats_api.wsjf.values import iso_utc


class SubmittedReport(Record):
    """What became of a submitted report: received and validated, not yet processed.

    `uuid` differs from `id` where the server found a report with the same natural key and overwrote it.
    """

    id: UUID = Field(alias="ID")
    uuid: UUID
    report_id: int | None = Field(default=None, alias="Report_ID")


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
    sub_units: list[dict[str, Any]] | None = None
    misc_info: list[dict[str, Any]] | None = None
    assets: list[dict[str, Any]] | None = None


class ReportDomain:
    """``api.report``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def submit(self, report: Report | Mapping[str, Any]) -> SubmittedReport:
        """Submit a report, given as a model or as the finished JSON object.

        A report sent again under its id replaces itself, so a failed attempt is repeated.
        """
        wire = report.to_wire() if isinstance(report, Report) else dict(report)
        answer = await self._connection.request(
            "report.submit", "POST", "/api/Report/WSJF", body=wire, idempotent=True
        )
        if not answer:  # 2xx is enough: the content is optional
            answer = {"ID": wire.get("id"), "uuid": wire.get("id")}
        return SubmittedReport.read(answer, "report.submit")

    async def submit_report(self, report: Report | Mapping[str, Any]) -> SubmittedReport:
        """The same as `submit`."""
        return await self.submit(report)

    async def get(
        self,
        report_id: UUID | str,
        *,
        detail_level: int = 7,
        include_chartdata: bool = True,
        include_attachments: bool = True,
    ) -> dict[str, Any] | None:
        """The stored report as WSJF. Detail level 0 is its identity only, 7 is all.

        A report is stored some seconds after it was accepted; until then it counts as missing.
        """
        try:
            answer = await self._connection.request(
                "report.get",
                "GET",
                f"/api/Report/Wsjf/{path_segment(str(report_id))}",
                query={
                    "detailLevel": detail_level,
                    "includeChartdata": include_chartdata,
                    "includeAttachments": include_attachments,
                },
            )
        except NotFoundError:
            if self._connection.error_mode is ErrorMode.STRICT:
                raise
            return None
        if isinstance(answer, list):
            answer = answer[0] if answer else None
        if not answer:
            missing("report.get", f"report {report_id}", self._connection.error_mode)
            return None
        return dict(answer)

    async def query_headers(
        self,
        report_type: ReportType | None = None,
        odata_filter: str | None = None,
        *,
        top: int | None = None,
        skip: int | None = None,
        orderby: str | None = None,
        select: Iterable[str] = (),
        expand: Iterable[str] = (),
    ) -> list[ReportHeader]:
        """Headers that match an OData filter, newest first unless `orderby` says otherwise.

        The server gives 10 when `top` is left out, and 10000 at most.
        """
        conditions = [f"({odata_filter})"] if odata_filter else []
        if report_type is not None:
            conditions.append(f"reportType eq '{ReportType(report_type)}'")
        answer = await self._connection.request(
            "report.query_headers",
            "GET",
            "/api/Report/Query/Header",
            query={
                "$filter": " and ".join(conditions) or None,
                "$top": top,
                "$skip": skip,
                "$orderby": orderby,
                "$select": ",".join(select) or None,
                "$expand": ",".join(expand) or None,
            },
        )
        return ReportHeader.read_list(answer, "report.query_headers")

    async def query_uut_headers(
        self,
        odata_filter: str | None = None,
        *,
        top: int | None = None,
        skip: int | None = None,
        orderby: str | None = None,
        select: Iterable[str] = (),
        expand: Iterable[str] = (),
    ) -> list[ReportHeader]:
        """Headers of test reports; see `query_headers`."""
        return await self.query_headers(
            ReportType.TEST, odata_filter, top=top, skip=skip, orderby=orderby, select=select, expand=expand
        )

    async def query_uur_headers(
        self,
        odata_filter: str | None = None,
        *,
        top: int | None = None,
        skip: int | None = None,
        orderby: str | None = None,
        select: Iterable[str] = (),
        expand: Iterable[str] = (),
    ) -> list[ReportHeader]:
        """Headers of repair reports; see `query_headers`."""
        return await self.query_headers(
            ReportType.REPAIR, odata_filter, top=top, skip=skip, orderby=orderby, select=select, expand=expand
        )

    async def get_header(self, report_id: UUID | str) -> ReportHeader | None:
        """The header of one report; None while it is not processed, also in strict mode."""
        found = await self.query_headers(odata_filter=f"uuid eq {UUID(str(report_id))}", top=1)
        return found[0] if found else None

    async def get_headers_by_serial(self, serial_number: str, *, top: int = 1000) -> list[ReportHeader]:
        """Headers of all reports of a serial number."""
        return await self.query_headers(odata_filter=f"serialNumber eq {odata_text(serial_number)}", top=top)

    async def get_headers_by_part_number(self, part_number: str, *, top: int = 1000) -> list[ReportHeader]:
        """Headers of all reports of a part number."""
        return await self.query_headers(odata_filter=f"partNumber eq {odata_text(part_number)}", top=top)

    async def get_headers_by_date_range(
        self, start_date: datetime, end_date: datetime, *, top: int = 1000
    ) -> list[ReportHeader]:
        """Headers of reports that started from `start_date` on and before `end_date`, both with offset."""
        return await self.query_headers(
            odata_filter=f"start ge {iso_utc(start_date)} and start lt {iso_utc(end_date)}", top=top
        )

    async def get_recent_headers(self, count: int = 10) -> list[ReportHeader]:
        """The newest headers."""
        return await self.query_headers(top=count)

    async def get_todays_headers(self, *, top: int = 1000) -> list[ReportHeader]:
        """Headers of reports that started today, in this machine's time zone."""
        today = datetime.now(UTC).astimezone().date()
        midnight, next_midnight = (
            datetime.combine(day, time.min).astimezone() for day in (today, today + timedelta(days=1))
        )
        return await self.get_headers_by_date_range(midnight, next_midnight, top=top)
