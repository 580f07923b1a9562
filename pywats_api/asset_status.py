"""How assets stand: where they are, and which of their limits are near or passed."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from pywats_api.asset_calls import AssetCalls, named
from pywats_api.asset_records import Asset, AssetAlarmState, AssetState, AssetStatus, AssetType
from pywats_api.errors import NotFoundError
from pywats_api.records import missing

_PAGE = 1000
_AT_ONCE = 16


class AssetStanding(AssetCalls):
    """The calls of ``api.asset`` on where an asset is and how it stands against its limits.

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


def _count_percentage(asset: Asset, asset_type: AssetType) -> float | None:
    pairs = (
        (asset.running_count, asset_type.running_count_limit),
        (asset.total_count, asset_type.total_count_limit),
    )
    shares = [100 * (count or 0) / limit for count, limit in pairs if limit is not None and limit > 0]
    return round(max(shares), 1) if shares else None
