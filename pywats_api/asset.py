"""Assets: the stations, fixtures and instruments of a factory, and their log."""

from collections.abc import Iterable
from datetime import datetime
from enum import IntEnum
from typing import Any

from pydantic import Field

from pywats_api.connection import Connection
from pywats_api.errors import ErrorMode, NotFoundError
from pywats_api.records import Record, missing, odata_text, path_segment


class AssetState(IntEnum):
    """Where an asset is, set by people or by a bridge. Not its status, which the server computes."""

    UNKNOWN = 0
    IN_OPERATION = 1
    IN_TRANSIT = 2
    IN_MAINTENANCE = 3
    IN_CALIBRATION = 4
    IN_STORAGE = 5
    SCRAPPED = 6


class Asset(Record):
    """A thing whose use or age matters. The serial number is unique on the account."""

    asset_id: str | None = None
    serial_number: str
    type_id: str | None = None
    asset_name: str | None = None
    part_number: str | None = None
    revision: str | None = None
    parent_asset_id: str | None = None
    parent_serial_number: str | None = None
    state: AssetState | int | None = None
    description: str | None = None
    location: str | None = None
    total_count: int | None = None
    running_count: int | None = None
    last_calibration_date: datetime | None = None
    next_calibration_date: datetime | None = None
    last_maintenance_date: datetime | None = None
    next_maintenance_date: datetime | None = None
    tags: list[dict[str, Any]] | None = None


class AssetType(Record):
    """The rules for assets of one kind. Intervals in days, thresholds in percent of the limits."""

    type_id: str | None = None
    type_name: str
    running_count_limit: int | None = None
    total_count_limit: int | None = None
    maintenance_interval: float | None = None
    calibration_interval: float | None = None
    warning_threshold: float | None = None
    alarm_threshold: float | None = None
    is_readonly: bool | None = None
    icon: str | None = None


class AssetLogEntry(Record):
    """A line in an asset's log.

    Types: 0 message, 1 registered, 2 updated, 3 count reset, 4 calibration, 5 maintenance.
    """

    log_id: int | str | None = None
    asset_id: str | None = None
    serial_number: str | None = None
    date: datetime | None = None
    user: str | None = None
    log_type: int | None = Field(default=None, alias="type")
    property: str | None = None
    value: str | None = None
    comment: str | None = None


class AssetDomain:
    """``api.asset``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get_asset(
        self, asset_id: str | None = None, *, serial_number: str | None = None
    ) -> Asset | None:
        """The asset with this id or serial number."""
        key = _the_one(asset_id, serial_number)
        try:
            if "/" in key or "\\" in key:  # such a key cannot travel in the path
                member = "assetId" if serial_number is None else "serialNumber"
                answer = await self._list(
                    "asset.get_asset", "/api/Asset", f"{member} eq {odata_text(key)}", 1
                )
            else:
                answer = await self._connection.request(
                    "asset.get_asset", "GET", f"/api/Asset/{path_segment(key)}"
                )
        except NotFoundError:
            if self._connection.error_mode is ErrorMode.STRICT:
                raise
            return None
        if not answer:
            missing("asset.get_asset", f"asset {key!r}", self._connection.error_mode)
            return None
        return Asset.read(answer, "asset.get_asset")

    async def get_asset_by_serial(self, serial_number: str) -> Asset | None:
        """The asset with this serial number."""
        return await self.get_asset(serial_number=serial_number)

    async def get_assets(
        self, filter_str: str | None = None, *, top: int | None = None, skip: int | None = None
    ) -> list[Asset]:
        """Assets that match an OData filter; the server gives 1000 when `top` is left out."""
        answer = await self._list("asset.get_assets", "/api/Asset", filter_str, top, skip)
        return Asset.read_list(answer, "asset.get_assets")

    async def create_asset(
        self,
        serial_number: str,
        type_id: str,
        *,
        asset_name: str | None = None,
        description: str | None = None,
        location: str | None = None,
        part_number: str | None = None,
        revision: str | None = None,
        parent_serial_number: str | None = None,
        state: AssetState = AssetState.IN_OPERATION,
    ) -> Asset:
        """Register an asset. The server takes a serial number it knows as an update of that asset."""
        return await self._put(
            "asset.create_asset",
            Asset(
                serial_number=serial_number,
                type_id=type_id,
                asset_name=asset_name,
                description=description,
                location=location,
                part_number=part_number,
                revision=revision,
                parent_serial_number=parent_serial_number,
                state=state,
            ),
        )

    async def update_asset(self, asset: Asset) -> Asset:
        """Store a changed asset. Fetch it before changing it, so that nothing else is cleared."""
        return await self._put("asset.update_asset", asset)

    async def post_message(
        self, text: str, *, serial_number: str | None = None, asset_id: str | None = None
    ) -> None:
        """Write a line into an asset's log.

        Sending it twice makes two lines, so it is never repeated. After an unclear error look into
        `get_asset_log` first, and give the text something to be found by.
        """
        _the_one(asset_id, serial_number)
        await self._connection.request(
            "asset.post_message",
            "POST",
            "/api/Asset/Message",
            query={"id": asset_id, "serialNumber": serial_number},
            body={"content": text},
            idempotent=False,
        )

    async def add_log_message(self, asset_id: str, message: str) -> None:
        """The same as `post_message` for an asset id."""
        await self.post_message(message, asset_id=asset_id)

    async def get_asset_log(
        self, filter_str: str | None = None, *, top: int | None = None, skip: int | None = None
    ) -> list[AssetLogEntry]:
        """Log lines that match an OData filter, newest first."""
        answer = await self._list("asset.get_asset_log", "/api/Asset/Log", filter_str, top, skip)
        return AssetLogEntry.read_list(answer, "asset.get_asset_log")

    async def get_asset_types(
        self, filter_str: str | None = None, *, top: int | None = None
    ) -> list[AssetType]:
        """Asset types, by name."""
        answer = await self._list("asset.get_asset_types", "/api/Asset/Types", filter_str, top)
        return AssetType.read_list(answer, "asset.get_asset_types")

    async def create_asset_type(
        self,
        type_name: str,
        *,
        calibration_interval: float | None = None,
        maintenance_interval: float | None = None,
        running_count_limit: int | None = None,
        total_count_limit: int | None = None,
        warning_threshold: float | None = None,
        alarm_threshold: float | None = None,
        icon: str | None = None,
    ) -> AssetType:
        """Create an asset type. Without an id the call is not safe to repeat, so it is not."""
        wanted = AssetType(
            type_name=type_name,
            calibration_interval=calibration_interval,
            maintenance_interval=maintenance_interval,
            running_count_limit=running_count_limit,
            total_count_limit=total_count_limit,
            warning_threshold=warning_threshold,
            alarm_threshold=alarm_threshold,
            icon=icon,
        )
        answer = await self._connection.request(
            "asset.create_asset_type", "PUT", "/api/Asset/Types", body=wanted.to_wire(), idempotent=False
        )
        return AssetType.read(answer or wanted, "asset.create_asset_type")

    async def _put(self, operation: str, asset: Asset) -> Asset:
        # The serial number is unique, so a repeated PUT finds what the first one made.
        answer = await self._connection.request(
            operation, "PUT", "/api/Asset", body=asset.to_wire(), idempotent=True
        )
        return Asset.read(answer or asset, operation)

    async def _list(
        self, operation: str, path: str, filter_str: str | None, top: int | None, skip: int | None = None
    ) -> Iterable[Any]:
        query = {"$filter": filter_str, "$top": top, "$skip": skip}
        answer: Iterable[Any] = await self._connection.request(operation, "GET", path, query=query)
        return answer


def _the_one(asset_id: str | None, serial_number: str | None) -> str:
    keys = [key for key in (asset_id, serial_number) if key]
    if len(keys) != 1:
        raise ValueError("name the asset by its id or by its serial number, one of the two")
    return keys[0]
