"""Keeping assets fit: their counts, calibration and maintenance."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pywats_api.asset_calls import AssetCalls, named
from pywats_api.asset_moments import as_query


class AssetUpkeep(AssetCalls):
    """The calls of ``api.asset`` that keep an asset fit.

    Each names the asset by `asset_id` or by `serial_number`, one of the two; a missing asset raises
    `NotFoundError` in strict mode, and is None or False in lenient mode. Naming none or both is a
    `ValueError`.
    """

    async def increment_count(
        self,
        asset_id: str | UUID | None = None,
        serial_number: str | None = None,
        *,
        amount: int = 1,
        increment_children: bool = False,
    ) -> bool:
        """Raise running and total count (``PUT /api/Asset/Count`` with ``incrementBy``).

        Doing it twice counts twice, so it is never repeated: after an unclear error compare the count before
        sending again, or use `raise_total_count`. Do not count what a report counts already by naming the
        asset.

        Args:
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.
            amount: uses to add, 1 or more.
            increment_children: count the assets below it as well.

        Raises:
            ValueError: `amount` is less than 1.
            NotFoundError: the server has no such asset (strict mode; lenient: False).
        """
        if amount < 1:
            raise ValueError(f"amount counts uses, so it is 1 or more, not {amount}")
        query = {**named(asset_id, serial_number), "incrementBy": amount}
        return await self._count("asset.increment_count", query, increment_children, idempotent=False)

    async def raise_total_count(
        self,
        value: int,
        *,
        asset_id: str | UUID | None = None,
        serial_number: str | None = None,
        increment_children: bool = False,
    ) -> bool:
        """Raise the total count to `value`, and the running count by the same difference.

        The form of ``PUT /api/Asset/Count`` that may be repeated (``totalCount``): read the count once, add,
        keep the sum, and send that until it is answered.

        Args:
            value: the total after the call; not less than it is.
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.
            increment_children: raise the assets below it by the same difference.

        Raises:
            ValidationError: the total is higher already.
            NotFoundError: the server has no such asset (strict mode; lenient: False).
        """
        query = {**named(asset_id, serial_number), "totalCount": value}
        return await self._count("asset.raise_total_count", query, increment_children, idempotent=True)

    async def reset_running_count(
        self,
        asset_id: str | UUID | None = None,
        serial_number: str | None = None,
        *,
        comment: str | None = None,
    ) -> bool:
        """Set the running count to 0, as after maintenance (``POST /api/Asset/ResetRunningCount``).

        Each call makes a line in the log, so it is never repeated.

        Args:
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.
            comment: for the log.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: False).
        """
        query = {**named(asset_id, serial_number), "comment": comment}
        return await self._do(
            "asset.reset_running_count", "POST", "/api/Asset/ResetRunningCount", query=query, idempotent=False
        )

    async def set_running_count(
        self, value: int, *, asset_id: str | UUID | None = None, serial_number: str | None = None
    ) -> bool:
        """Set the running count (``PUT /api/Asset/SetRunningCount``).

        Needs a server of 25.3 or later, and the permission to edit the total count.

        Args:
            value: uses since the last service, 0 or more.
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.

        Raises:
            AuthorizationError: the token may not edit counts.
            NotFoundError: no such asset, or an older server (strict mode; lenient: False).
        """
        query = {**named(asset_id, serial_number), "runningCount": _count_value(value)}
        return await self._do(
            "asset.set_running_count", "PUT", "/api/Asset/SetRunningCount", query=query, idempotent=True
        )

    async def set_total_count(
        self, value: int, *, asset_id: str | UUID | None = None, serial_number: str | None = None
    ) -> bool:
        """Set the total count, downwards too (``PUT /api/Asset/SetTotalCount``); the running count stays.

        Needs a server of 25.3 or later, and the permission to edit the total count.

        Args:
            value: uses in all its life, 0 or more.
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.

        Raises:
            AuthorizationError: the token may not edit counts.
            NotFoundError: no such asset, or an older server (strict mode; lenient: False).
        """
        query = {**named(asset_id, serial_number), "totalCount": _count_value(value)}
        return await self._do(
            "asset.set_total_count", "PUT", "/api/Asset/SetTotalCount", query=query, idempotent=True
        )

    async def record_calibration(
        self,
        asset_id: str | UUID | None = None,
        serial_number: str | None = None,
        *,
        comment: str | None = None,
        calibration_date: datetime | None = None,
    ) -> bool:
        """Say that the asset was calibrated (``POST /api/Asset/Calibration``).

        Sets the last calibration and with it the next one. Each call makes a line in the log, so it is never
        repeated. With a fixed `calibration_date` a second call changes nothing else.

        Args:
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.
            comment: for the log.
            calibration_date: when; without offset it is local time. Left out, it is now.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: False).
        """
        key = named(asset_id, serial_number)
        return await self._service(
            "asset.record_calibration", "Calibration", key, comment, dateTime=calibration_date
        )

    async def record_calibration_external(
        self,
        asset_id: str | UUID | None = None,
        serial_number: str | None = None,
        *,
        from_date: datetime,
        to_date: datetime,
        comment: str | None = None,
    ) -> bool:
        """Record a calibration that another system keeps (``POST /api/Asset/Calibration/External``).

        For types whose calibration interval is external. Needs a server of 25.3 or later; never repeated.

        Args:
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.
            from_date: when it was calibrated.
            to_date: when the next calibration is due.
            comment: for the log.

        Raises:
            ValueError: `to_date` is not after `from_date`.
            NotFoundError: no such asset, or an older server (strict mode; lenient: False).
        """
        key = named(asset_id, serial_number)
        span = _span(from_date, to_date)
        return await self._service(
            "asset.record_calibration_external", "Calibration/External", key, comment, **span
        )

    async def record_maintenance(
        self,
        asset_id: str | UUID | None = None,
        serial_number: str | None = None,
        *,
        comment: str | None = None,
        maintenance_date: datetime | None = None,
    ) -> bool:
        """Say that the asset was maintained (``POST /api/Asset/Maintenance``).

        Sets the last maintenance and with it the next one; the running count stays, see
        `reset_running_count`. Each call makes a line in the log, so it is never repeated.

        Args:
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.
            comment: for the log.
            maintenance_date: when; without offset it is local time. Left out, it is now.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: False).
        """
        key = named(asset_id, serial_number)
        return await self._service(
            "asset.record_maintenance", "Maintenance", key, comment, dateTime=maintenance_date
        )

    async def record_maintenance_external(
        self,
        asset_id: str | UUID | None = None,
        serial_number: str | None = None,
        *,
        from_date: datetime,
        to_date: datetime,
        comment: str | None = None,
    ) -> bool:
        """Record a maintenance that another system keeps (``POST /api/Asset/Maintenance/External``).

        For types whose maintenance interval is external. Needs a server of 25.3 or later; never repeated.

        Args:
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.
            from_date: when it was maintained.
            to_date: when the next maintenance is due.
            comment: for the log.

        Raises:
            ValueError: `to_date` is not after `from_date`.
            NotFoundError: no such asset, or an older server (strict mode; lenient: False).
        """
        key = named(asset_id, serial_number)
        span = _span(from_date, to_date)
        return await self._service(
            "asset.record_maintenance_external", "Maintenance/External", key, comment, **span
        )

    async def _count(
        self, operation: str, query: Mapping[str, Any], increment_children: bool, *, idempotent: bool
    ) -> bool:
        return await self._do(
            operation,
            "PUT",
            "/api/Asset/Count",
            query={**query, "incrementChildren": increment_children},
            idempotent=idempotent,
        )

    async def _service(
        self,
        operation: str,
        route: str,
        key: Mapping[str, str],
        comment: str | None,
        **dates: datetime | None,
    ) -> bool:
        moments = {name: as_query(date) for name, date in dates.items()}
        return await self._do(
            operation,
            "POST",
            f"/api/Asset/{route}",
            query={**key, **moments, "comment": comment},
            idempotent=False,
        )


def _count_value(value: int) -> int:
    if value < 0:
        raise ValueError(f"a count is 0 or more, not {value}")
    return value


def _span(from_date: datetime, to_date: datetime) -> dict[str, datetime]:
    if to_date.astimezone() <= from_date.astimezone():
        raise ValueError(f"to_date, {to_date}, must lie after from_date, {from_date}")
    return {"fromDate": from_date, "toDate": to_date}
