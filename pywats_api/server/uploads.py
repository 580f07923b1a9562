"""Files in the body of a form (``multipart/form-data``)."""

import re
from typing import NamedTuple

from starlette.requests import Request

from pywats_api.server.documents import Refused
from pywats_api.server.requests import read_body

FILE = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
_BOUNDARY = re.compile(r'multipart/form-data;.*?boundary="?([^";,]{1,70})"?', re.IGNORECASE)
_NAME = re.compile(rb'\bname="([^"]*)"')
_FILENAME = re.compile(rb'\bfilename="([^"]*)"')
_MAX_NAME = 200


class Upload(NamedTuple):
    """A file that was sent."""

    filename: str
    content: bytes


async def read_file(request: Request) -> Upload:
    """The part named ``file`` of a form.

    Raises:
        Refused: there is none.
    """
    body = await read_body(request)
    found = _BOUNDARY.match(request.headers.get("content-type", ""))
    if found is None:
        raise Refused("The body is not multipart/form-data.")
    for part in (b"\r\n" + body).split(b"\r\n--" + found.group(1).encode("latin-1"))[1:]:
        head, separator, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if separator and name is not None and name.group(1) == b"file":
            filename = _FILENAME.search(head)
            text = filename.group(1).decode("utf-8", errors="replace") if filename else ""
            return Upload(text[:_MAX_NAME] or "file", content)
    raise Refused("The form has no part named file.")
