"""Files kept with assets: certificates, manuals, configurations.

The routes are internal ones of the server, which may change with any release.
"""

from collections.abc import Sequence
from uuid import UUID

from pywats_api.asset_calls import AssetCalls
from pywats_api.asset_records import AssetFile, read_file_entry
from pywats_api.connection import Content
from pywats_api.errors import NotFoundError
from pywats_api.records import path_segment

_ROUTE = "/api/internal/Blob/Asset"


class AssetFiles(AssetCalls):
    """The calls of ``api.asset`` on files. A file is named by the asset's id and its own name."""

    async def upload_blob(self, asset_id: str | UUID, filename: str, content: bytes) -> bool:
        """Keep a file with an asset, in place of one with the same name (``POST /api/internal/Blob/Asset``).

        Args:
            asset_id: the asset.
            filename: name of the file, without a folder.
            content: the bytes; the server takes about 30 MB.

        Raises:
            ValueError: the name is empty or has a folder in it.
            PayloadTooLargeError: the server does not take as much.
            NotFoundError: the server has no such asset (strict mode; lenient: False).
        """
        return await self._sent(
            "asset.upload_blob",
            "POST",
            _ROUTE,
            query={"assetId": _id(asset_id), "filename": _filename(filename)},
            body=Content(content, "application/octet-stream"),
        )

    async def list_blobs(self, asset_id: str | UUID) -> list[AssetFile]:
        """Files kept with an asset (``GET /api/internal/Blob/Asset/List/{assetId}``).

        Args:
            asset_id: the asset, by id.

        Returns:
            For each a dictionary with `filename`, `size` in bytes and `uploaded`, as far as the server tells.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: an empty list).
        """
        try:
            answer = await self._connection.request(
                "asset.list_blobs", "GET", f"{_ROUTE}/List/{path_segment(_id(asset_id))}", internal=True
            )
        except NotFoundError:
            if self._is_strict:
                raise
            return []
        return [read_file_entry(entry) for entry in answer or ()]

    async def download_blob(self, asset_id: str | UUID, filename: str) -> bytes | None:
        """The content of a file (``GET /api/internal/Blob/Asset``).

        Args:
            asset_id: the asset, by id.
            filename: name of the file, without a folder.

        Raises:
            NotFoundError: there is no such asset or file (strict mode; lenient: None).
        """
        try:
            content: bytes = await self._connection.request(
                "asset.download_blob",
                "GET",
                _ROUTE,
                query={"assetId": _id(asset_id), "filename": _filename(filename)},
                internal=True,
                accept="*/*",
            )
        except NotFoundError:
            if self._is_strict:
                raise
            return None
        return content

    async def delete_blobs(self, asset_id: str | UUID, filenames: Sequence[str]) -> bool:
        """Delete files of an asset (``DELETE /api/internal/Blob/Assets``). Names that it lacks do no harm.

        Args:
            asset_id: the asset, by id.
            filenames: names of the files, without a folder.

        Raises:
            ValueError: `filenames` is one text, or names a folder.
            NotFoundError: the server has no such asset (strict mode; lenient: False).
        """
        if isinstance(filenames, str):
            raise ValueError("filenames is a list of names, also for one file")  # noqa: TRY004  # as for any bad value
        return await self._sent(
            "asset.delete_blobs",
            "DELETE",
            f"{_ROUTE}s",
            query={"assetId": _id(asset_id)},
            body=[_filename(name) for name in filenames],
        )

    async def upload_file(self, asset_id: str | UUID, filename: str, content: bytes) -> bool:
        """The same as `upload_blob` (``POST /api/internal/Blob/Asset``).

        Args:
            asset_id: the asset, by id.
            filename: name of the file, without a folder.
            content: the bytes; the server takes about 30 MB.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: False).
        """
        return await self.upload_blob(asset_id, filename, content)

    async def list_files(self, asset_id: str | UUID) -> list[AssetFile]:
        """The same as `list_blobs` (``GET /api/internal/Blob/Asset/List/{assetId}``).

        Args:
            asset_id: the asset, by id.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: an empty list).
        """
        return await self.list_blobs(asset_id)

    async def download_file(self, asset_id: str | UUID, filename: str) -> bytes | None:
        """The same as `download_blob` (``GET /api/internal/Blob/Asset``).

        Args:
            asset_id: the asset, by id.
            filename: name of the file, without a folder.

        Raises:
            NotFoundError: there is no such asset or file (strict mode; lenient: None).
        """
        return await self.download_blob(asset_id, filename)

    async def delete_files(self, asset_id: str | UUID, filenames: Sequence[str]) -> bool:
        """The same as `delete_blobs` (``DELETE /api/internal/Blob/Assets``).

        Args:
            asset_id: the asset, by id.
            filenames: names of the files, without a folder.

        Raises:
            NotFoundError: the server has no such asset (strict mode; lenient: False).
        """
        return await self.delete_blobs(asset_id, filenames)

    async def _sent(
        self, operation: str, method: str, path: str, *, query: dict[str, str], body: Content | list[str]
    ) -> bool:
        # Both calls leave the same state when they are repeated.
        try:
            await self._connection.request(
                operation, method, path, query=query, body=body, idempotent=True, internal=True
            )
        except NotFoundError:
            if self._is_strict:
                raise
            return False
        return True


def _id(asset_id: str | UUID) -> str:
    if not str(asset_id).strip():
        raise ValueError("asset_id is empty; take it from the asset")
    return str(asset_id)


def _filename(name: str) -> str:
    if not name.strip() or "/" in name or "\\" in name:
        raise ValueError(f"{name!r} is no name of a file; leave the folder out")
    return name
