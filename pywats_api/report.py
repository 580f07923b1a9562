"""Reports: submit and fetch them, their files, their certificates."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from pywats_api.downloads import download
from pywats_api.errors import ErrorMode, InvalidResponseError, NotFoundError
from pywats_api.records import missing, path_segment
from pywats_api.report_filters import HeaderFilter
from pywats_api.report_headers import HeaderCalls
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


_SHOWN_PARTS = 12  # of the path to a fault, which in a deep tree is longer than anybody reads


class ReportDomain(HeaderCalls):
    """``api.report``.

    Every call may raise `AuthenticationError`, `AuthorizationError`, `ThrottledError`, `ServerError`,
    `ConnectionError` and `TimeoutError` of `pywats_api.errors`; further ones are named where they occur.
    """

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
