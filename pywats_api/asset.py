"""Assets: the stations, fixtures and instruments of a factory, and what is known of their condition."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from pywats_api.asset_calls import laid_over, named
from pywats_api.asset_files import AssetFiles
from pywats_api.asset_filters import ASSET_NAMES, wire_filter
from pywats_api.asset_messages import AssetMessages
from pywats_api.asset_records import (
    Asset,
    AssetAlarmState,
    AssetFile,
    AssetLog,
    AssetLogEntry,
    AssetState,
    AssetStatus,
    AssetStatusCode,
    AssetTag,
    AssetType,
    TagChange,
    merged_tags,
)
from pywats_api.asset_status import AssetStanding
from pywats_api.asset_upkeep import AssetUpkeep
from pywats_api.errors import NotFoundError
from pywats_api.records import odata_text

__all__ = [
    "Asset",
    "AssetAlarmState",
    "AssetDomain",
    "AssetFile",
    "AssetLog",
    "AssetLogEntry",
    "AssetState",
    "AssetStatus",
    "AssetStatusCode",
    "AssetTag",
    "AssetType",
    "TagChange",
]


class AssetDomain(AssetStanding, AssetUpkeep, AssetMessages, AssetFiles):
    """``api.asset``.

    An asset is named by its id or its serial number, one of the two. Serial numbers may hold anything;
    those that cannot travel in a path are looked up by a filter.

    Filters are OData: ``contains(location,'Lab') and state eq 1``. Fields may be written as the client names
    them (``asset_name``) or as the server does (``assetName``), states by name (``state eq 'IN_STORAGE'``).
    """

    async def get_asset(
        self, identifier: str | UUID | None = None, *, serial_number: str | None = None
    ) -> Asset | None:
        """The asset with this id or serial number (``GET /api/Asset/{key}``).

        Args:
            identifier: id or serial number; ids come first.
            serial_number: the serial number, in place of `identifier`.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: None).
            ValueError: neither is given, or both are.
        """
        key = named(identifier, serial_number)
        query = {"either": key["id"]} if "id" in key else key
        return await self._existing("asset.get_asset", query)

    async def get_asset_by_serial(self, serial_number: str) -> Asset | None:
        """The asset with this serial number (``GET /api/Asset/{key}``).

        Args:
            serial_number: the asset, by serial number.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: None).
        """
        return await self.get_asset(serial_number=serial_number)

    async def get_assets(
        self,
        filter_str: str | None = None,
        *,
        top: int | None = None,
        skip: int | None = None,
        orderby: str | None = None,
    ) -> list[Asset]:
        """Assets that match a filter (``GET /api/Asset``).

        Args:
            filter_str: OData filter; all assets, if left out.
            top: how many at most; the server gives 1000 if left out.
            skip: how many to leave out at the beginning.
            orderby: field to sort by, ``desc`` behind it for downwards; by id, if left out.

        Raises:
            ValidationError: the server cannot read the filter.
        """
        operation = "asset.get_assets"
        rows = await self._list(
            operation,
            "/api/Asset",
            wire_filter(filter_str, ASSET_NAMES),
            top=top,
            skip=skip,
            orderby=wire_filter(orderby, ASSET_NAMES),
        )
        return Asset.read_list(rows, operation)

    async def get_assets_by_type(self, type_name: str, *, top: int | None = None) -> list[Asset]:
        """Assets of the type with this exact name (``GET /api/Asset/Types``, ``GET /api/Asset``).

        A type that does not exist has no assets.

        Args:
            type_name: name of the type, exactly.
            top: how many at most; all, if left out.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        types = await self.get_asset_types(f"typeName eq {odata_text(type_name)}", top=1)
        return await self.get_assets(f"typeId eq {types[0].type_id}", top=top) if types else []

    async def create_asset(
        self,
        serial_number: str,
        type_id: str | UUID,
        *,
        asset_name: str | None = None,
        description: str | None = None,
        location: str | None = None,
        part_number: str | None = None,
        revision: str | None = None,
        parent_asset_id: str | UUID | None = None,
        parent_serial_number: str | None = None,
        state: AssetState | int | None = None,
        total_count: int | None = None,
        running_count: int | None = None,
    ) -> Asset:
        """Register an asset (``GET /api/Asset/{key}``, ``PUT /api/Asset``).

        An asset that exists already keeps what is not given here, its state before all. Counts are not taken
        by that route: where they differ from the stored ones they are set by `set_total_count` and
        `set_running_count`, which need a server of 25.3 or later.

        Args:
            serial_number: unique on the account.
            type_id: id of an `AssetType`.
            asset_name: for people.
            description: for people.
            location: where it stands.
            part_number: what was bought.
            revision: of the part.
            parent_asset_id: the asset it belongs to, by id.
            parent_serial_number: the asset it belongs to, by serial number.
            state: where it is; a new asset is in operation, if left out.
            total_count: uses so far.
            running_count: uses since the last service.

        Raises:
            ValidationError: the type or the parent does not exist, or a text is too long.
        """
        operation = "asset.create_asset"
        wanted = Asset(
            serial_number=serial_number,
            type_id=str(type_id),
            asset_name=asset_name,
            description=description,
            location=location,
            part_number=part_number,
            revision=revision,
            parent_asset_id=str(parent_asset_id) if parent_asset_id else None,
            parent_serial_number=parent_serial_number,
            state=state,
        )
        known = await self._find(operation, named(None, serial_number))
        if known is not None:
            wanted = laid_over(known, wanted)
        elif state is None:
            wanted.state = AssetState.IN_OPERATION
        created = await self._put(operation, wanted)
        return await self._with_counts(created, total_count, running_count)

    async def update_asset(self, asset: Asset) -> Asset:
        """Store a changed asset (``PUT /api/Asset``).

        Fetch it before changing it. One made by hand, without an id, is laid over the stored asset of its
        serial number. A member that is None is not sent, so empty a text with ``""``. Counts and dates are
        ignored by the server: use the calls for them. To move an asset change one of the two parent keys.

        Args:
            asset: the asset with its changes.

        Raises:
            ValidationError: the type or the parent does not exist, or a text is too long.
        """
        return await self._save("asset.update_asset", asset)

    async def delete_asset(
        self, asset_id: str | UUID | None = None, serial_number: str | None = None
    ) -> bool:
        """Delete an asset and its log (``DELETE /api/Asset``); the assets below it move up.

        Reports keep naming it. Consider `set_asset_state` with SCRAPPED, which keeps the history.

        Args:
            asset_id: the asset, by id.
            serial_number: the asset, by serial number.

        Raises:
            AuthorizationError: the token has no administrator's right.
            NotFoundError: the server has no such asset (strict mode; lenient: False). After a repeated try
                that may be because the first one did it.
        """
        key = named(asset_id, serial_number)
        return await self._do("asset.delete_asset", "DELETE", "/api/Asset", query=key, idempotent=True)

    async def get_asset_types(
        self, filter_str: str | None = None, *, top: int | None = None, skip: int | None = None
    ) -> list[AssetType]:
        """Asset types, by name (``GET /api/Asset/Types``).

        Args:
            filter_str: OData filter; all types, if left out.
            top: how many at most; the server gives 1000 if left out.
            skip: how many to leave out at the beginning.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        operation = "asset.get_asset_types"
        names = {name: field.alias or name for name, field in AssetType.model_fields.items()}
        rows = await self._list(
            operation, "/api/Asset/Types", wire_filter(filter_str, names), top=top, skip=skip
        )
        return AssetType.read_list(rows, operation)

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
        """Create an asset type (``PUT /api/Asset/Types``). Without an id it is never repeated.

        Args:
            type_name: unique on the account.
            calibration_interval: days; -1 for none, -2 where another system says what is due.
            maintenance_interval: days, in the same way.
            running_count_limit: uses until service.
            total_count_limit: uses in all its life; the server raises it to `running_count_limit`.
            warning_threshold: share of a limit or interval from which there is a warning, 0.8 or 80 percent.
                Up to 1 it is a share and beyond that percent, which is what the server keeps.
            alarm_threshold: the same for an alarm; not below the warning.
            icon: name of a picture.

        Raises:
            ValidationError: the server refuses a name, limit or threshold.
        """
        wanted = AssetType(
            type_name=type_name,
            calibration_interval=calibration_interval,
            maintenance_interval=maintenance_interval,
            running_count_limit=running_count_limit,
            total_count_limit=total_count_limit,
            warning_threshold=_percent(warning_threshold),
            alarm_threshold=_percent(alarm_threshold),
            icon=icon,
        )
        return await self._put_type("asset.create_asset_type", wanted, idempotent=False)

    async def update_asset_type(self, asset_type: AssetType) -> AssetType:
        """Store a changed asset type (``PUT /api/Asset/Types``); fetch it before changing it.

        Thresholds are in percent here. What is due for its assets follows from the new intervals.

        Args:
            asset_type: the type with its changes, and its id.

        Raises:
            ValueError: the type has no id.
            ValidationError: the server refuses a name, limit or threshold.
        """
        if not asset_type.type_id:
            raise ValueError("the asset type has no type_id; fetch it with get_asset_types first")
        return await self._put_type("asset.update_asset_type", asset_type, idempotent=True)

    async def get_child_assets(
        self,
        parent_id: str | UUID | None = None,
        parent_serial: str | None = None,
        *,
        level: int | None = None,
    ) -> list[Asset]:
        """Assets below an asset (``GET /api/Asset/SubAssets``).

        Args:
            parent_id: the asset above, by id.
            parent_serial: the asset above, by serial number.
            level: 1 for those directly below it; 0, and if left out, all.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: an empty list).
        """
        operation = "asset.get_child_assets"
        query = {**named(parent_id, parent_serial), "level": level}
        try:
            answer = await self._connection.request(operation, "GET", "/api/Asset/SubAssets", query=query)
        except NotFoundError:
            if self._is_strict:
                raise
            return []
        return Asset.read_list(answer, operation)

    async def add_child_asset(
        self,
        parent_serial: str,
        child_serial: str,
        child_type_id: str | UUID,
        child_name: str | None = None,
        *,
        description: str | None = None,
        location: str | None = None,
        part_number: str | None = None,
        revision: str | None = None,
        state: AssetState | int | None = None,
    ) -> Asset:
        """Register an asset below another, or move it there: `create_asset` with a parent.

        Calls ``PUT /api/Asset``.

        Args:
            parent_serial: serial number of the asset above, which must exist.
            child_serial: serial number of the asset.
            child_type_id: id of its `AssetType`.
            child_name: for people.
            description: for people.
            location: where it stands.
            part_number: what was bought.
            revision: of the part.
            state: where it is; a new asset is in operation, if left out.

        Raises:
            ValidationError: the parent or the type does not exist, or the parent lies below the child.
        """
        return await self.create_asset(
            child_serial,
            child_type_id,
            asset_name=child_name,
            description=description,
            location=location,
            part_number=part_number,
            revision=revision,
            parent_serial_number=parent_serial,
            state=state,
        )

    async def get_asset_tags(self, asset_id: str | UUID) -> list[AssetTag]:
        """The tags of an asset (``GET /api/Asset/{key}``).

        Args:
            asset_id: the asset, by id.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: an empty list).
        """
        asset = await self._existing("asset.get_asset_tags", named(asset_id, None))
        return list(asset.tags or ()) if asset else []

    async def set_asset_tags(
        self, asset_id: str | UUID, tags: Mapping[str, str] | Iterable[AssetTag]
    ) -> list[AssetTag]:
        """Replace all tags of an asset (``GET /api/Asset/{key}``, ``PUT /api/Asset``).

        Args:
            asset_id: the asset.
            tags: the tags it shall have; the others are deleted.

        Returns:
            The tags it has now.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: an empty list).
        """
        pairs = tags.items() if isinstance(tags, Mapping) else ((tag.key, tag.value or "") for tag in tags)
        return await self._change_tags("asset.set_asset_tags", asset_id, dict(pairs), replace=True)

    async def add_asset_tag(self, asset_id: str | UUID, key: str, value: str) -> list[AssetTag]:
        """Add one tag or change its value (``GET /api/Asset/{key}``, ``PUT /api/Asset``).

        Args:
            asset_id: the asset, by id.
            key: name of the tag.
            value: its text.

        Returns:
            The tags it has now.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: an empty list).
        """
        return await self._change_tags("asset.add_asset_tag", asset_id, {key: value}, replace=False)

    async def _change_tags(
        self, operation: str, asset_id: str | UUID, wanted: dict[str, str], *, replace: bool
    ) -> list[AssetTag]:
        asset = await self._existing(operation, named(asset_id, None))
        if asset is None:
            return []
        asset.tags = merged_tags(asset.tags or (), wanted, replace=replace)
        return list((await self._put(operation, asset)).tags or ())

    async def _with_counts(self, asset: Asset, total: int | None, running: int | None) -> Asset:
        if total is not None and total != asset.total_count:
            await self.set_total_count(total, asset_id=asset.asset_id)
            asset.total_count = total
        if running is not None and running != asset.running_count:
            await self.set_running_count(running, asset_id=asset.asset_id)
            asset.running_count = running
        return asset

    async def _put_type(self, operation: str, wanted: AssetType, *, idempotent: bool) -> AssetType:
        answer = await self._connection.request(
            operation, "PUT", "/api/Asset/Types", body=wanted.to_wire(), idempotent=idempotent
        )
        return AssetType.read(answer or wanted.to_wire(), operation)


def _percent(threshold: float | None) -> float | None:
    return threshold * 100 if threshold is not None and 0 < threshold <= 1 else threshold
