"""Keeping assets fit: state, status, counts, calibration and maintenance."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pywats_api.asset_calls import AssetCalls, named
from pywats_api.asset_moments import as_query
from pywats_api.asset_records import Asset, AssetAlarmState, AssetState, AssetStatus, AssetType
from pywats_api.errors import NotFoundError
from pywats_api.records import missing

_PAGE = 1000
_AT_ONCE = 16


class AssetUpkeep(AssetCalls):
    """The calls of ``api.asset`` on the condition of an asset.

    Each names the asset by `asset_id` or by `serial_number`, one of the two; a missing asset raises
    `NotFoundError` in strict mode, and is None or False in lenient mode. Naming none or both is a
    `ValueError`.
    """

    async def get_status(
        self, asset_id: str | UUID | None = None, serial_number: str | None = None, *, translate: bool = True
    ) -> AssetStatus | None:
        """How the asset stands against the limits of its type.

        Asks ``GET /api/Asset/Status``, and for state, due dates and the share of the counts
        ``GET /api/Asset/{key}`` and ``GET /api/Asset/Types``. For the verdict alone, `is_in_alarm` and
        `is_in_warning` cost one request.

        Args:
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.
            translate: have the reason in words; without, the server gives the keys of its texts.

        Raises:
            NotFoundError: the server has no such asset (strict mode).
        """
        operation = "asset.get_status"
        key = named(asset_id, serial_number)
        status = await self._status(operation, key, translate=translate)
        asset = await self._find(operation, key) if status else None
        if status is None or asset is None:
            return None
        status.state = asset.state
        status.calibration_due = asset.next_calibration_date
        status.maintenance_due = asset.next_maintenance_date
        rows = await self._list(operation, "/api/Asset/Types", f"typeId eq {asset.type_id}", top=1)
        if rows:
            status.count_percentage = _count_percentage(asset, AssetType.read(rows, operation))
        return status

    async def get_asset_state(
        self, asset_id: str | UUID | None = None, serial_number: str | None = None
    ) -> AssetState | None:
        """Where the asset is (``GET /api/Asset/{key}``). Its alarms are its status: see `get_status`.

        Args:
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.

        Raises:
            NotFoundError: the server has no such asset (strict mode).
        """
        asset = await self._existing("asset.get_asset_state", named(asset_id, serial_number))
        if asset is None or asset.state is None:
            return None
        known = asset.state in AssetState.__members__.values()
        return AssetState(asset.state) if known else AssetState.UNKNOWN

    async def set_asset_state(
        self,
        asset_id: str | UUID | None = None,
        serial_number: str | None = None,
        *,
        state: AssetState | int,
    ) -> bool:
        """Say where the asset is (``PUT /api/Asset/State``). Setting the same again does no harm.

        Args:
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.
            state: one of `AssetState`.

        Raises:
            ValueError: there is no such state.
            NotFoundError: the server has no such asset (strict mode; lenient: False).
        """
        query = {**named(asset_id, serial_number), "state": int(AssetState(state))}
        return await self._do(
            "asset.set_asset_state", "PUT", "/api/Asset/State", query=query, idempotent=True
        )

    async def is_in_alarm(self, asset_id: str | UUID | None = None, serial_number: str | None = None) -> bool:
        """Whether a limit of the asset is reached or passed (``GET /api/Asset/Status``).

        Args:
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: False).
        """
        status = await self._status("asset.is_in_alarm", named(asset_id, serial_number))
        return status is not None and status.in_alarm

    async def is_in_warning(
        self, asset_id: str | UUID | None = None, serial_number: str | None = None
    ) -> bool:
        """Whether the asset is near a limit, and past none (``GET /api/Asset/Status``).

        Args:
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: False).
        """
        status = await self._status("asset.is_in_warning", named(asset_id, serial_number))
        return status is not None and status.in_warning

    async def get_assets_with_alarm_state(
        self, alarm_states: Collection[AssetAlarmState] | AssetAlarmState, top: int | None = None
    ) -> list[Asset]:
        """Assets whose status is one of these, in the order of their ids.

        The server has no such query: this reads all assets and types (``GET /api/Asset``, 1000 at a time,
        ``GET /api/Asset/Types``) and asks ``GET /api/Asset/Status`` for each asset whose type has a limit or
        an interval. That many requests take their time under the speed limit, so name a `top` where some
        will do.

        Args:
            alarm_states: the states looked for.
            top: stop when this many were found.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        operation = "asset.get_assets_with_alarm_state"
        states = [alarm_states] if isinstance(alarm_states, str) else alarm_states
        wanted = {AssetAlarmState(state).value for state in states}
        types = AssetType.read_list(await self._list(operation, "/api/Asset/Types", None), operation)
        unlimited = {entry.type_id for entry in types if not entry.has_limits}
        found: list[Asset] = []
        for skip in range(0, 10**9, _PAGE):
            rows = await self._list(operation, "/api/Asset", None, top=_PAGE, skip=skip)
            page = Asset.read_list(rows, operation)
            for start in range(0, len(page), _AT_ONCE):
                found += await self._with_status(operation, page[start : start + _AT_ONCE], wanted, unlimited)
                if top is not None and len(found) >= top:
                    return found[:top]
            if len(page) < _PAGE:
                break
        return found

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

    async def _status(
        self, operation: str, key: Mapping[str, str], *, translate: bool = True
    ) -> AssetStatus | None:
        try:
            answer = await self._connection.request(
                operation, "GET", "/api/Asset/Status", query={**key, "translate": translate}
            )
        except NotFoundError:
            if self._is_strict:
                raise
            return None
        status = AssetStatus.read(answer, operation) if answer else None
        if status is None or not status.is_registered:
            missing(operation, f"asset {next(iter(key.values()))!r}", self._connection.error_mode)
            return None
        return status

    async def _with_status(
        self,
        operation: str,
        assets: Iterable[Asset],
        wanted: Collection[str],
        unlimited: Collection[str | None],
    ) -> list[Asset]:
        async def fits(asset: Asset) -> bool:
            is_due_once = asset.next_calibration_date or asset.next_maintenance_date
            if asset.type_id in unlimited and not is_due_once:
                return AssetAlarmState.OK.value in wanted
            try:
                status = await self._status(operation, named(asset.asset_id, None))
            except NotFoundError:  # deleted since it was listed
                return False
            return status is not None and str(status.status) in wanted

        candidates = list(assets)
        # All are waited for before the first failure is raised, so that none goes on unwatched.
        verdicts = await asyncio.gather(*map(fits, candidates), return_exceptions=True)
        for verdict in verdicts:
            if isinstance(verdict, BaseException):
                raise verdict
        return [asset for asset, fit in zip(candidates, verdicts, strict=True) if fit]

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


def _count_percentage(asset: Asset, asset_type: AssetType) -> float | None:
    pairs = (
        (asset.running_count, asset_type.running_count_limit),
        (asset.total_count, asset_type.total_count_limit),
    )
    shares = [100 * (count or 0) / limit for count, limit in pairs if limit is not None and limit > 0]
    return round(max(shares), 1) if shares else None
