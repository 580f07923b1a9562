"""Finding reports by their headers: what was tested, where, when, and how it ended."""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from pywats_api.asset_filters import wire_filter
from pywats_api.connection import Connection
from pywats_api.report_filters import HeaderFilter
from pywats_api.report_records import MiscInfoHeader, ReportHeader
from pywats_api.wsjf import ReportType

# The client's words for the server's fields.
_NAMES = {
    **{name: field.alias or name for name, field in ReportHeader.model_fields.items() if field.alias != name},
    "status": "result",
    "start_time": "start",
    "start_utc": "start",
}
_HEADERS = "/api/Report/Query/Header"


class HeaderCalls:
    """The part of ``api.report`` that looks up headers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

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


def _with_zone(moment: datetime) -> datetime:
    return moment.astimezone() if moment.tzinfo is None else moment
