"""Large answers, written to disk as they come."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from pywats_api.connection import Connection


async def download(
    connection: Connection,
    operation: str,
    path: str,
    target: Path,
    *,
    query: Mapping[str, Any] | None = None,
    accept: str,
) -> int:
    """Write the answer to a GET into a file, which appears only once it is complete.

    A download that breaks off is begun anew, as `RetryConfig` says.

    Returns:
        Bytes written.

    Raises:
        OSError: the file cannot be written.
        PyWATSError: the server did not give the answer.
    """

    async def attempt() -> int:
        part = target.with_name(f"{target.name}.part")
        written = 0
        try:
            with await asyncio.to_thread(part.open, "wb") as file:
                async with aclosing(connection.stream(operation, path, query=query, accept=accept)) as pieces:
                    async for piece in pieces:
                        await asyncio.to_thread(file.write, piece)
                        written += len(piece)
            await asyncio.to_thread(os.replace, part, target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return written

    return await connection.repeat(attempt)
