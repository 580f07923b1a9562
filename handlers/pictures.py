"""Images of defects: what is attached to a report, and what had to be left out."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from handlers.names import short
from handlers.report_rules import ImageRules
from pywats_api.wsjf import Attachment
from pywats_events.payloads import Picture

_UNKNOWN: Final = "application/octet-stream"
_BEGINNINGS: Final = {
    b"\x89PNG\r\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
}
_SPELLINGS: Final = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png"}
_ENDINGS: Final = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/bmp": "bmp",
    "image/tiff": "tif",
    "image/svg+xml": "svg",
}


class Album:
    """The images of one report, as many as the rules allow."""

    def __init__(self, rules: ImageRules) -> None:
        self._rules = rules
        self._count = 0
        self._bytes = 0
        self.left_out = 0

    def attach(self, picture: Picture, name: str) -> Attachment | str:
        """Give the attachment, or in words why there is none.

        An image that lies elsewhere is never fetched: its address comes from a message.
        """
        if picture.data is None:
            return f"at {picture.url}" if picture.url else "without data"
        data = "".join(picture.data.split())
        size = len(data) // 4 * 3
        if self._count >= self._rules.max_count:
            return self._leave_out(f"a report takes {self._rules.max_count} images")
        if self._bytes + size > self._rules.max_bytes:
            return self._leave_out(f"{size} bytes more than the {self._rules.max_bytes} that a report takes")
        try:
            content = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            return self._leave_out("not base64")
        self._count += 1
        self._bytes += len(content)
        mime = _mime(picture.mime_type, content)
        ending = _ENDINGS.get(mime, "bin")
        file_name = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)
        return Attachment(name=f"{file_name[:80]}.{ending}", content_type=mime, data=data)

    def _leave_out(self, why: str) -> str:
        self.left_out += 1
        return f"left out: {why}"


def _mime(said: str | None, content: bytes) -> str:
    mime = short(said, 100)
    if mime:
        return _SPELLINGS.get(mime.lower(), mime)
    return next((mime for start, mime in _BEGINNINGS.items() if content.startswith(start)), _UNKNOWN)
