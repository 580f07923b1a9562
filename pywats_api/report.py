"""Reports: submit, fetch, look up their headers."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from pywats_api.asset_filters import wire_filter
from pywats_api.connection import Connection
from pywats_api.downloads import download
from pywats_api.errors import ErrorMode, InvalidResponseError, NotFoundError
from pywats_api.records import missing, path_segment
from pywats_api.report_filters import HeaderFilter
from pywats_api.report_records import (
    HeaderSubUnit,
    MiscInfoHeader,
    ReportAttachment,
    ReportHeader,
    SubmittedReport,
)
from pywats_api.wsjf import Report, ReportType

__all__ = [
    "HeaderFilter",
    "HeaderSubUnit",
    "MiscInfoHeader",
    "Report",
    "ReportAttachment",
    "ReportDomain",
    "ReportHeader",
    "ReportType",
    "SubmittedReport",
]


# The client's words for the server's fields.
_NAMES = {
    **{name: field.alias or name for name, field in ReportHeader.model_fields.items() if field.alias != name},
    "status": "result",
    "start_time": "start",
    "start_utc": "start",
}
_SHOWN_PARTS = 12  # of the path to a fault, which in a deep tree is longer than anybody reads
_HEADERS = "/api/Report/Query/Header"


class ReportDomain:
    """``api.report``.

    Every call may raise `AuthenticationError`, `AuthorizationError`, `ThrottledError`, `ServerError`,
    `ConnectionError` and `TimeoutError` of `pywats_api.errors`; further ones are named where they occur.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def submit(self, report: Report | Mapping[str, Any]) -> SubmittedReport:
        """Submit a report (``POST /api/Report/WSJF``).

        A report sent again under its id replaces itself, so a failed attempt is repeated. The answer means
        received and validated; the report can be read some seconds later.

        Args:
            report: what a builder or a model gave, or the finished JSON object.

        Raises:
            ValidationError: the server refuses the report; its text names the member.
            PayloadTooLargeError: attachments make it larger than the server takes, about 30 MB.
        """
        wire = report.to_wire() if isinstance(report, Report) else dict(report)
        answer = await self._connection.request(
            "report.submit", "POST", "/api/Report/WSJF", body=wire, idempotent=True
        )
        if not answer:  # 2xx is enough: the content is optional
            answer = {"ID": wire.get("id"), "uuid": wire.get("id")}
        return SubmittedReport.read(answer, "report.submit")

    async def submit_report(self, report: Report | Mapping[str, Any]) -> SubmittedReport:
        """The same as `submit` (``POST /api/Report/WSJF``).

        Args:
            report: the report, as a model or its JSON.

        Raises:
            ValidationError: the server refuses what was sent.
        """
        return await self.submit(report)

    async def get(
        self,
        report_id: UUID | str,
        *,
        detail_level: int = 7,
        include_chartdata: bool = True,
        include_attachments: bool = True,
    ) -> dict[str, Any] | None:
        """The stored report as WSJF, as the server wrote it (``GET /api/Report/Wsjf/{id}``).

        A report is stored some seconds after it was accepted; until then it counts as missing.

        Args:
            report_id: id the report is stored by.
            detail_level: 0 is its identity only, 7 is all.
            include_chartdata: with the points of its charts.
            include_attachments: with the bytes of its files.

        Raises:
            NotFoundError: there is no such report (strict mode; lenient: None).
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

    async def get_report(self, report_id: UUID | str) -> Report | None:
        """The stored report as a model, with all details (``GET /api/Report/Wsjf/{id}``).

        Members that are not modelled are in the `model_extra` of what holds them.

        Args:
            report_id: id the report is stored by.

        Raises:
            NotFoundError: there is no such report (strict mode; lenient: None).
            InvalidResponseError: what the server gave is no report.
        """
        document = await self.get(report_id)
        if document is None:
            return None
        try:
            return Report.read(document)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"][-_SHOWN_PARTS:])
            raise InvalidResponseError(
                f"report {report_id} is not as documented: {place}: {first['msg']}",
                operation="report.get_report",
            ) from None

    async def get_uut_report(self, report_id: UUID | str) -> Report | None:
        """The stored test as a model; see `get_report` (``GET /api/Report/Wsjf/{id}``).

        Args:
            report_id: id the report is stored by.

        Raises:
            NotFoundError: there is no such test (strict mode; lenient: None).
            InvalidResponseError: what the server gave is no report.
        """
        return await self._of_type(ReportType.TEST, report_id, "report.get_uut_report")

    async def get_uur_report(self, report_id: UUID | str) -> Report | None:
        """The stored repair as a model; see `get_report` (``GET /api/Report/Wsjf/{id}``).

        Args:
            report_id: id the report is stored by.

        Raises:
            NotFoundError: there is no such repair (strict mode; lenient: None).
            InvalidResponseError: what the server gave is no report.
        """
        return await self._of_type(ReportType.REPAIR, report_id, "report.get_uur_report")

    async def get_attachments(self, report_id: UUID | str) -> list[ReportAttachment]:
        """What files a report holds, in its order (``GET /api/Report/Wsjf/{id}``).

        The server lists files only with their bytes, so this reads the whole report.

        Args:
            report_id: id the report is stored by.

        Raises:
            NotFoundError: there is no such report (strict mode; lenient: an empty list).
            InvalidResponseError: what the server gave is no report.
        """
        report = await self.get_report(report_id)
        return [] if report is None else list(_files_of(report))

    async def get_attachment(
        self,
        report_id: UUID | str,
        *,
        step_id: int | None = None,
        attachment_id: UUID | str | None = None,
    ) -> bytes:
        """The bytes of one file (``GET /api/Report/Attachment``).

        Args:
            report_id: id the report is stored by.
            step_id: number of the step that holds it, in a test.
            attachment_id: its id, in a repair.

        Raises:
            ValueError: both or none of the two are given.
            NotFoundError: there is no such file.
        """
        file: bytes = await self._connection.request(
            "report.get_attachment",
            "GET",
            "/api/Report/Attachment",
            query=_address(report_id, step_id, attachment_id),
            accept="*/*",
        )
        return file

    async def download_attachment(self, report_id: UUID | str, filename: str) -> bytes:
        """The bytes of the first file of this name (``GET /api/Report/Wsjf/{id}`` and ``.../Attachment``).

        Args:
            report_id: id the report is stored by.
            filename: as `get_attachments` names it.

        Raises:
            NotFoundError: there is no such file.
        """
        for file in await self.get_attachments(report_id):
            if file.name == filename:
                return await self.get_attachment(
                    report_id, step_id=file.step_id, attachment_id=file.attachment_id
                )
        raise NotFoundError(
            f'report {report_id} has no file "{filename}"', operation="report.download_attachment"
        )

    async def save_attachment(
        self,
        report_id: UUID | str,
        target: Path | str,
        *,
        step_id: int | None = None,
        attachment_id: UUID | str | None = None,
    ) -> int:
        """Write one file to disk as it comes, whatever its size (``GET /api/Report/Attachment``).

        Args:
            report_id: id the report is stored by.
            target: where it is written; it appears once it is complete.
            step_id: number of the step that holds it, in a test.
            attachment_id: its id, in a repair.

        Returns:
            Bytes written.

        Raises:
            ValueError: both or none of the two are given.
            OSError: the target cannot be written.
            NotFoundError: there is no such file.
        """
        return await download(
            self._connection,
            "report.save_attachment",
            "/api/Report/Attachment",
            Path(target),
            query=_address(report_id, step_id, attachment_id),
            accept="*/*",
        )

    async def save_attachments(self, report_id: UUID | str, target: Path | str) -> int:
        """Write all files of a report to disk as one ZIP archive (``GET /api/Report/Attachments/{id}``).

        Args:
            report_id: id the report is stored by.
            target: where it is written; it appears once it is complete.

        Returns:
            Bytes written.

        Raises:
            OSError: the target cannot be written.
            NotFoundError: there is no such report.
        """
        return await download(
            self._connection,
            "report.save_attachments",
            f"/api/Report/Attachments/{path_segment(str(report_id))}",
            Path(target),
            accept="application/zip",
        )

    async def get_certificate(self, report_id: UUID | str) -> bytes:
        """The certificate of a report, a PDF (``GET /api/Report/Certificate/{id}``).

        Args:
            report_id: id the report is stored by.

        Raises:
            NotFoundError: there is no such report.
        """
        file: bytes = await self._connection.request(
            "report.get_certificate",
            "GET",
            f"/api/Report/Certificate/{path_segment(str(report_id))}",
            accept="application/pdf",
        )
        return file

    async def query_headers(
        self,
        report_type: ReportType | None = None,
        odata_filter: str | HeaderFilter | None = None,
        *,
        top: int | None = None,
        skip: int | None = None,
        orderby: str | None = None,
        select: Iterable[str] = (),
        expand: Iterable[str] = (),
    ) -> list[ReportHeader]:
        """Headers that match a filter (``GET /api/Report/Query/Header``).

        Args:
            report_type: tests or repairs only.
            odata_filter: in OData, such as ``partNumber eq 'P1' and result eq 'Failed'``, or typed. The
                attributes of `ReportHeader` may stand for the server's fields.
            top: how many at most; 10 when left out, and 10000 at most.
            skip: how many to leave out at the beginning.
            orderby: ``start``, ``uuid``, ``serialNumber`` or ``timestamp``, with ``asc`` or ``desc`` behind
                it; left out, newest first.
            select: fields; left out, all.
            expand: lists that come along: ``subUnits``, ``miscInfo``, ``assets``, ``attachments``, for
                repairs ``uurSubUnits``, ``uurMiscInfo``, ``uurAttachments``.

        Raises:
            ValidationError: the server cannot read the query.
        """
        text = odata_filter.to_odata() if isinstance(odata_filter, HeaderFilter) else odata_filter
        text = wire_filter(text, _NAMES)
        conditions = [f"({text})"] if text else []
        if report_type is not None:
            conditions.append(f"reportType eq '{ReportType(report_type)}'")
        answer = await self._connection.request(
            "report.query_headers",
            "GET",
            _HEADERS,
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
        odata_filter: str | HeaderFilter | None = None,
        *,
        top: int | None = None,
        skip: int | None = None,
        orderby: str | None = None,
        select: Iterable[str] = (),
        expand: Iterable[str] = (),
    ) -> list[ReportHeader]:
        """Headers of tests; arguments and errors as of `query_headers` (``GET /api/Report/Query/Header``).

        Args:
            odata_filter: in OData, or typed; see `query_headers`.
            top: how many at most; 10 when left out, and 10000 at most.
            skip: how many to leave out at the beginning.
            orderby: what to order by; newest first, if left out.
            select: fields; all, if left out.
            expand: lists that come along; see `query_headers`.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.query_headers(
            ReportType.TEST, odata_filter, top=top, skip=skip, orderby=orderby, select=select, expand=expand
        )

    async def query_uur_headers(
        self,
        odata_filter: str | HeaderFilter | None = None,
        *,
        top: int | None = None,
        skip: int | None = None,
        orderby: str | None = None,
        select: Iterable[str] = (),
        expand: Iterable[str] = (),
    ) -> list[ReportHeader]:
        """Headers of repairs; arguments and errors as of `query_headers` (``GET /api/Report/Query/Header``).

        Args:
            odata_filter: in OData, or typed; see `query_headers`.
            top: how many at most; 10 when left out, and 10000 at most.
            skip: how many to leave out at the beginning.
            orderby: what to order by; newest first, if left out.
            select: fields; all, if left out.
            expand: lists that come along; see `query_headers`.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.query_headers(
            ReportType.REPAIR, odata_filter, top=top, skip=skip, orderby=orderby, select=select, expand=expand
        )

    async def query_headers_by_misc_info(
        self,
        description: str | None = None,
        data: str | None = None,
        *,
        process_code: int | None = None,
        serial_number: str | None = None,
    ) -> list[MiscInfoHeader]:
        """Headers of reports with a misc info (``GET /api/Report/Query/HeaderByMiscInfo``).

        Args:
            description: name of the misc info.
            data: its text.
            process_code: code of the operation.
            serial_number: of the unit.

        Raises:
            ValidationError: the server refuses what was sent.
        """
        answer = await self._connection.request(
            "report.query_headers_by_misc_info",
            "GET",
            f"{_HEADERS}ByMiscInfo",
            query={
                "description": description,
                "data": data,
                "processCode": process_code,
                "serialNumber": serial_number,
            },
        )
        return MiscInfoHeader.read_list(answer, "report.query_headers_by_misc_info")

    async def get_header(self, report_id: UUID | str) -> ReportHeader | None:
        """The header of one report; None while it is not processed, also in strict mode.

        Calls ``GET /api/Report/Query/Header``.

        Args:
            report_id: id the report is stored by.

        Raises:
            ValueError: the id is no GUID.
        """
        found = await self.query_headers(odata_filter=f"uuid eq {UUID(str(report_id))}", top=1)
        return found[0] if found else None

    async def get_headers_by_serial(self, serial_number: str, *, top: int = 1000) -> list[ReportHeader]:
        """Headers of all reports of a serial number, newest first; see `query_headers`.

        Calls ``GET /api/Report/Query/Header``.

        Args:
            serial_number: of the unit.
            top: how many at most.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.query_headers(odata_filter=HeaderFilter(serial_number=serial_number), top=top)

    async def get_headers_by_part_number(self, part_number: str, *, top: int = 1000) -> list[ReportHeader]:
        """Headers of all reports of a part number, newest first; see `query_headers`.

        Calls ``GET /api/Report/Query/Header``.

        Args:
            part_number: of the units.
            top: how many at most.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        return await self.query_headers(odata_filter=HeaderFilter(part_number=part_number), top=top)

    async def get_headers_by_date_range(
        self, start_date: datetime, end_date: datetime, *, top: int = 1000
    ) -> list[ReportHeader]:
        """Headers of reports that started in a span of time, newest first; see `query_headers`.

        Calls ``GET /api/Report/Query/Header``.

        Args:
            start_date: from then on; without offset it is in this machine's time zone.
            end_date: before then; without offset it is in this machine's time zone.
            top: how many at most.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        span = HeaderFilter(started_from=_with_zone(start_date), started_before=_with_zone(end_date))
        return await self.query_headers(odata_filter=span, top=top)

    async def get_recent_headers(self, count: int = 10, *, days: float | None = None) -> list[ReportHeader]:
        """The newest headers; see `query_headers` (``GET /api/Report/Query/Header``).

        Args:
            count: how many at most; with `days` 1000 unless more are asked for.
            days: only of runs that started so many days ago or later.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        if days is None:
            return await self.query_headers(top=count)
        since = HeaderFilter(started_from=datetime.now(UTC) - timedelta(days=days))
        return await self.query_headers(odata_filter=since, top=max(count, 1000))

    async def get_todays_headers(self, *, top: int = 1000) -> list[ReportHeader]:
        """Headers of reports that started today, in this machine's time zone; see `query_headers`.

        Calls ``GET /api/Report/Query/Header``.

        Args:
            top: how many at most.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        today = datetime.now(UTC).astimezone().date()
        midnight, next_midnight = (
            datetime.combine(day, time.min).astimezone() for day in (today, today + timedelta(days=1))
        )
        return await self.get_headers_by_date_range(midnight, next_midnight, top=top)

    async def _of_type(self, report_type: ReportType, report_id: UUID | str, operation: str) -> Report | None:
        report = await self.get_report(report_id)
        if report is None or report.type is report_type:
            return report
        missing(operation, f"{report_type.name.lower()} report {report_id}", self._connection.error_mode)
        return None


def _address(
    report_id: UUID | str, step_id: int | None, attachment_id: UUID | str | None
) -> dict[str, str | int]:
    address: dict[str, str | int] = {"reportId": str(UUID(str(report_id)))}
    if attachment_id is not None and step_id is None:
        return address | {"attachmentId": str(UUID(str(attachment_id)))}
    if step_id is not None and attachment_id is None:
        return address | {"stepId": step_id}
    raise ValueError("give step_id for a file of a test, or attachment_id for one of a repair")


def _files_of(report: Report) -> Iterator[ReportAttachment]:
    for number, (_, step) in enumerate(report.root.walk() if report.root else ()):
        file = step.attachment
        if file is not None:
            step_id = number if step.id is None else step.id
            size = len(file.content)
            yield ReportAttachment(name=file.name, content_type=file.content_type, size=size, step_id=step_id)
    files = list(report.binary_data or ())
    for unit in report.sub_units or ():
        for failure in unit.failures or ():
            files.extend(failure.attachments or ())
    for data in files:
        yield ReportAttachment(
            name=data.name, content_type=data.content_type, size=len(data.content), attachment_id=data.id
        )


def _with_zone(moment: datetime) -> datetime:
    return moment.astimezone() if moment.tzinfo is None else moment
