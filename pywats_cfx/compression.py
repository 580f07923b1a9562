"""gzip, with a bound on what comes out."""

from __future__ import annotations

import gzip
import zlib
from typing import Final

GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31  # 15 bits of window, 16 for the gzip frame


class TooLarge(ValueError):  # noqa: N818  # says what the content is
    """The content is larger than allowed; it was not unpacked further."""


def gunzip(body: bytes, *, max_bytes: int) -> bytes:
    """Unpack gzip bytes, all members of them.

    Raises:
        TooLarge: more than ``max_bytes`` would come out.
        ValueError: damaged or cut off.
    """
    parts = []
    room = max_bytes + 1
    rest = body
    while rest.startswith(GZIP_MAGIC):
        member = zlib.decompressobj(_GZIP_WINDOW)
        try:
            part = member.decompress(rest, room)
        except zlib.error as error:
            raise ValueError(f"damaged gzip: {error}") from error
        parts.append(part)
        room -= len(part)
        if room <= 0:
            raise TooLarge(f"more than {max_bytes} bytes when unpacked")
        if not member.eof:
            raise ValueError("gzip is cut off")
        rest = member.unused_data
    return b"".join(parts)


def pack(body: bytes) -> bytes:
    """Give gzip bytes, the same each time for the same content."""
    return gzip.compress(body, compresslevel=6, mtime=0)
