"""Raw messages as people can read them."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Final

from pywats_bridge.printing import plain
from pywats_events.compression import GZIP_MAGIC, gunzip
from pywats_events.journal import RawRecord

#: Most bytes that are unpacked to be shown.
MOST_BYTES: Final = 64 * 1024 * 1024


def readable(record: RawRecord) -> list[str]:
    """Give a message's body as lines of text: unpacked, JSON with indents, bytes that are no text as such."""
    body, note = record.body, ""
    if body.startswith(GZIP_MAGIC):
        try:
            body = gunzip(body, max_bytes=MOST_BYTES)
        except ValueError as error:
            note = f"(can't be unpacked: {plain(error)})"
    lines = _lines(body)
    return [note, *lines] if note else lines


def _lines(body: bytes) -> list[str]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [f"({len(body)} bytes that are no text)", *_hexadecimal(body)]
    with suppress(ValueError, RecursionError):  # shown as it came
        text = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    return [plain(line) for line in text.splitlines()] or ["(empty)"]


def _hexadecimal(body: bytes, width: int = 16) -> list[str]:
    return [
        f"{at:08x}  {body[at : at + width].hex(' '):<{3 * width}} "
        + "".join(chr(byte) if 32 <= byte < 127 else "." for byte in body[at : at + width])  # noqa: PLR2004
        for at in range(0, len(body), width)
    ]
