"""The two XML languages of products: their tags, and bills of materials (WSBF)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

from pywats_api.server.documents import Refused

_NAMESPACE = "{http://wats.virinco.com/schemas/WATS/wsbf}"
_IS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")
_REQUIRED = ("Number", "Rev", "Ref")


class InvalidBom(Exception):  # noqa: N818  # the sender's doing; WATS answers 500 all the same
    """A document that is no bill of materials."""


def tags_as_xml(tags: Iterable[Mapping[str, Any]]) -> str | None:
    """``<Root><Key Value="v"/></Root>``; a key that XML allows no element of has no place in it."""
    parts = [
        f"<{tag['key']} Value={quoteattr(tag.get('value') or '')}/>"
        for tag in tags
        if _IS_NAME.fullmatch(tag["key"])
    ]
    return f"<Root>{''.join(parts)}</Root>" if parts else None


def tags_in_xml(text: str) -> list[dict[str, str]]:
    """The tags in user's XML; none where it is written in another way.

    Raises:
        Refused: it is no XML.
    """
    try:
        root = _parse(text)
    except ValueError as error:
        raise Refused(f"xmlData: {error}.") from None
    return [{"key": child.tag, "value": value} for child in root if (value := child.get("Value")) is not None]


def read_bom(text: str) -> tuple[str, str]:
    """Part number and revision of a bill of materials that WATS takes.

    Raises:
        InvalidBom: WATS does not take it.
    """
    try:
        root = _parse(text)
    except ValueError as error:
        raise InvalidBom(str(error)) from None
    if root.tag != f"{_NAMESPACE}BOM":
        raise InvalidBom(f"the root is {root.tag[:100]!r}, not BOM of {_NAMESPACE}")
    keys = [root.get(name, "").strip() for name in ("Partnumber", "Revision")]
    if not all(keys) or max(map(len, keys)) > 100:  # noqa: PLR2004  # as in the bodies
        raise InvalidBom("Partnumber and Revision are required, of 100 characters at most")
    components = [child for child in root if child.tag == f"{_NAMESPACE}Component"]
    if not components:
        raise InvalidBom("it has no Component")
    for number, component in enumerate(components):
        lacking = [name for name in _REQUIRED if component.get(name) is None]
        if lacking or not component.get("Number", "").strip():
            raise InvalidBom(f"Component {number} lacks {', '.join(lacking) or 'a Number'}")
    return keys[0], keys[1]


def _parse(text: str) -> ET.Element:
    if "<!DOCTYPE" in text:  # its entities could grow without end
        raise ValueError("a document type is not allowed")
    try:
        return ET.fromstring(text)  # noqa: S314  # no document type, so no entities
    except (ET.ParseError, UnicodeEncodeError) as error:
        raise ValueError(f"no XML: {error}") from None
