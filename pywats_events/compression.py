"""gzip, with a bound on what comes out and on the work that it costs."""

from __future__ import annotations

import gzip
import zlib
from typing import Final

GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31  # 15 bits of window, 16 for the gzip frame
_STEP: Final = 64 * 1024
#: Each member costs time of its own, however little is in it. Senders write one; tools that join files, few.
_MOST_MEMBERS: Final = 1000


class TooLarge(ValueError):  # noqa: N818  # says what the content is
    """The content is larger than allowed; it was not unpacked further."""


def gunzip(body: bytes, *, max_bytes: int) -> bytes:
    """Unpack gzip bytes, all members of them. Zeros behind the last one are padding.

    Raises:
        TooLarge: more than ``max_bytes`` would come out.
        ValueError: damaged, cut off, in more members than anybody writes, or followed by something else.
    """
    packed = memoryview(body)
    parts: list[bytes] = []
    room = max_bytes
    at = 0
    for _ in range(_MOST_MEMBERS):
        member = zlib.decompressobj(_GZIP_WINDOW)
        while not member.eof:
            pending: bytes | memoryview = member.unconsumed_tail
            if not pending:
                pending = packed[at : at + _STEP]
                at += len(pending)
            part = _step(member, pending)
            room -= len(part)
            if room < 0:
                raise TooLarge(f"more than {max_bytes} bytes when unpacked")
            parts.append(part)
        at -= len(member.unused_data)
        if not body.startswith(GZIP_MAGIC, at):
            break
    else:
        raise ValueError(f"gzip in more than {_MOST_MEMBERS} members")
    if body[at:].strip(b"\0"):
        raise ValueError(f"{len(body) - at} bytes behind the gzip are no gzip")
    return b"".join(parts)


def _step(member: zlib._Decompress, pending: bytes | memoryview) -> bytes:
    try:
        part = member.decompress(pending, _STEP)
    except zlib.error as error:
        raise ValueError(f"damaged gzip: {error}") from error
    if not part and not pending and not member.eof:
        raise ValueError("gzip is cut off")
    return part


def pack(body: bytes) -> bytes:
    """Give gzip bytes, the same each time for the same content."""
    return gzip.compress(body, compresslevel=6, mtime=0)
