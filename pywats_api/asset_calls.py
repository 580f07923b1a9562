"""What all calls on assets share: naming one, finding it, storing it, asking for lists."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pywats_api.asset_records import Asset
from pywats_api.connection import Connection
from pywats_api.errors import ErrorMode, NotFoundError
from pywats_api.records import missing, odata_text, path_segment

# A key that is spelled like a route beside ``/api/Asset/{key}`` would reach that route.
_ROUTES = frozenset(
    {
        "types",
        "status",
        "state",
        "count",
        "resetrunningcount",
        "setrunningcount",
        "settotalcount",
        "calibration",
        "maintenance",
        "log",
        "message",
        "subassets",
    }
)


class AssetCalls:
    """Ground of ``api.asset``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def _is_strict(self) -> bool:
        return self._connection.error_mode is ErrorMode.STRICT

    async def _find(self, operation: str, query: Mapping[str, str]) -> Asset | None:
        """The asset that `query` names, None if there is none."""
        if "either" in query:
            return await self._find_by_either(operation, query["either"])
        ((name, key),) = query.items()
        if not _travels(key):
            return await self._find_by_filter(operation, "assetId" if name == "id" else name, key)
        return await self._find_by_path(operation, key)

    async def _find_by_either(self, operation: str, key: str) -> Asset | None:
        if _travels(key):
            return await self._find_by_path(operation, key)
        found = await self._find_by_filter(operation, "assetId", key)
        return found or await self._find_by_filter(operation, "serialNumber", key)

    async def _find_by_path(self, operation: str, key: str) -> Asset | None:
        try:
            answer = await self._connection.request(operation, "GET", f"/api/Asset/{path_segment(key)}")
        except NotFoundError:
            return None
        return Asset.read(answer, operation) if answer else None

    async def _find_by_filter(self, operation: str, field: str, key: str) -> Asset | None:
        rows = await self._list(operation, "/api/Asset", f"{field} eq {odata_text(key)}", top=1)
        return Asset.read(rows, operation) if rows else None

    async def _existing(self, operation: str, query: Mapping[str, str]) -> Asset | None:
        """The asset that `query` names; a missing one raises or is None, as the error mode wants it."""
        asset = await self._find(operation, query)
        if asset is None:
            missing(operation, f"asset {next(iter(query.values()))!r}", self._connection.error_mode)
        return asset

    async def _save(self, operation: str, wanted: Asset) -> Asset:
        """Store an asset; one that was not fetched is laid over the stored one, so nothing is cleared."""
        if wanted.asset_id is not None:
            return await self._put(operation, wanted)
        stored = await self._find(operation, named(None, wanted.serial_number))
        return await self._put(operation, wanted if stored is None else laid_over(stored, wanted))

    async def _put(self, operation: str, asset: Asset) -> Asset:
        # The serial number is unique, so a repeated PUT finds what the first one made.
        body = asset.to_wire()
        answer = await self._connection.request(operation, "PUT", "/api/Asset", body=body, idempotent=True)
        return Asset.read(answer or body, operation)

    async def _list(
        self,
        operation: str,
        path: str,
        filter_str: str | None,
        *,
        top: int | None = None,
        skip: int | None = None,
        orderby: str | None = None,
    ) -> list[Any]:
        query = {"$filter": filter_str, "$top": top, "$skip": skip, "$orderby": orderby}
        answer = await self._connection.request(operation, "GET", path, query=query)
        return answer if isinstance(answer, list) else [answer] if answer else []

    async def _do(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any],
        body: Any = None,
        idempotent: bool,
    ) -> bool:
        """Make a call that has nothing to tell; in lenient mode a missing asset is False."""
        try:
            await self._connection.request(
                operation, method, path, query=query, body=body, idempotent=idempotent
            )
        except NotFoundError:
            if self._is_strict:
                raise
            return False
        return True


def laid_over(stored: Asset, wanted: Asset) -> Asset:
    """`stored` with all that `wanted` says; a new parent under one key makes the old one's other key void."""
    given = wanted.to_wire()
    base = stored.to_wire()
    if {"parentAssetId", "parentSerialNumber"} & given.keys():
        base.pop("parentAssetId", None)
        base.pop("parentSerialNumber", None)
    return Asset.model_validate(base | given)


def named(asset_id: str | UUID | None, serial_number: str | None) -> dict[str, str]:
    """The query that names an asset, by exactly one of its keys.

    Raises:
        ValueError: no key is given, or both are.
    """
    keys = {"id": str(asset_id) if asset_id else "", "serialNumber": serial_number or ""}
    given = {name: key for name, key in keys.items() if key.strip()}
    if len(given) != 1:
        raise ValueError("name the asset by its id or by its serial number, one of the two")
    return given


def _travels(key: str) -> bool:
    """Whether a key can be a segment of a path and still means the asset."""
    if "/" in key or "\\" in key or key in {".", ".."}:
        return False
    return key.strip().lower() not in _ROUTES
