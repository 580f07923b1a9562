"""The log of assets: what was said of them, by people and by WATS itself."""

from uuid import UUID

from pywats_api.asset_calls import AssetCalls, named
from pywats_api.asset_filters import LOG_NAMES, wire_filter
from pywats_api.asset_records import AssetLog


class AssetMessages(AssetCalls):
    """The calls of ``api.asset`` on the log."""

    async def post_message(
        self, text: str, *, serial_number: str | None = None, asset_id: str | UUID | None = None
    ) -> None:
        """Write a line into an asset's log (``POST /api/Asset/Message``).

        Sending it twice makes two lines, so it is never repeated. After an unclear error look into
        `get_asset_log` first, and give the text something to be found by.

        Args:
            text: the line.
            serial_number: the asset, by serial number.
            asset_id: the asset, by id.

        Raises:
            NotFoundError: the server has no such asset, in either error mode.
        """
        await self._connection.request(
            "asset.post_message",
            "POST",
            "/api/Asset/Message",
            query=named(asset_id, serial_number),
            body={"content": text},
            idempotent=False,
        )

    async def add_log_message(self, asset_id: str | UUID, message: str, user: str | None = None) -> bool:
        """Write a line into an asset's log (``POST /api/Asset/Message``); never repeated, as `post_message`.

        Args:
            asset_id: the asset.
            message: the line.
            user: who says it. The server notes the owner of the token, so the name is added to the line.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: False).
        """
        return await self._do(
            "asset.add_log_message",
            "POST",
            "/api/Asset/Message",
            query=named(asset_id, None),
            body={"content": f"{message} (by {user})" if user else message},
            idempotent=False,
        )

    async def get_asset_log(
        self,
        filter_str: str | None = None,
        *,
        top: int | None = None,
        skip: int | None = None,
        orderby: str | None = None,
    ) -> list[AssetLog]:
        """Log lines that match a filter, newest first (``GET /api/Asset/Log``).

        The log knows an asset by id and serial number, so ``asset_name`` in a filter means the latter.

        Args:
            filter_str: OData filter; all lines, if left out.
            top: how many at most; the server gives 1000 if left out.
            skip: how many to leave out at the beginning.
            orderby: field to sort by, ``desc`` behind it for downwards.

        Raises:
            ValidationError: the server cannot read the filter.
        """
        operation = "asset.get_asset_log"
        rows = await self._list(
            operation,
            "/api/Asset/Log",
            wire_filter(filter_str, LOG_NAMES),
            top=top,
            skip=skip,
            orderby=wire_filter(orderby, LOG_NAMES),
        )
        return AssetLog.read_list(rows, operation)
