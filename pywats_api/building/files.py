"""Files on a step or on a failure: their bytes, name and kind."""

import mimetypes
from base64 import b64encode
from pathlib import Path
from typing import NamedTuple

_UNKNOWN = "application/octet-stream"


class FileContent(NamedTuple):
    """A file as reports carry it."""

    name: str
    content_type: str
    data: str


def file_content(
    source: bytes | Path, *, file_name: str | None = None, content_type: str | None = None
) -> FileContent:
    """Read a file, or take its bytes.

    Args:
        source: the bytes, or where they are read from; keep files below some megabytes.
        file_name: left out, that of the path, or ``attachment``.
        content_type: MIME type; left out, guessed from the name.

    Raises:
        OSError: the file cannot be read.
    """
    name = file_name or (source.name if isinstance(source, Path) else "attachment")
    data = source.read_bytes() if isinstance(source, Path) else source
    return FileContent(
        name, content_type or mimetypes.guess_type(name)[0] or _UNKNOWN, b64encode(data).decode()
    )
