"""Tags of assets: how storing an asset changes them, and the XML that rows of a query carry them in."""

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from pywats_api.server.asset_fields import text_of
from pywats_api.server.documents import Refused

_DELETE = 3
_UNCHANGED = frozenset({0, 4, 5, 6})
_CHANGES = range(7)
_MAX_KEY, _MAX_VALUE = 100, 1000
_MAX_TAGS = 200
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9._-]|^[^A-Za-z_]|_(?=x[0-9A-Fa-f]{4}_)")


def changed_tags(stored: list[dict[str, Any]], wanted: Any) -> list[dict[str, Any]]:
    """The stored tags after the changes in `wanted`; a tag without ``change`` is added or updated."""
    if not isinstance(wanted, list) or not all(isinstance(tag, dict) for tag in wanted):
        raise Refused("tags: an array of objects.")
    values = {tag["key"]: tag["value"] for tag in stored}
    for tag in wanted:
        key = text_of(tag, "key", _MAX_KEY, required=True)
        change = tag.get("change")
        if change is not None and (type(change) is not int or change not in _CHANGES):
            raise Refused(f"tags: change: {change!r} is not one of 0 to 6.")
        if change == _DELETE:
            values.pop(key, None)
        elif change not in _UNCHANGED:
            values[key] = text_of(tag, "value", _MAX_VALUE) or ""
    if len(values) > _MAX_TAGS:
        raise Refused(f"tags: {len(values)} of them, {_MAX_TAGS} are allowed.")
    return [{"key": key, "value": value, "change": 0} for key, value in values.items()]


def as_row(asset: Mapping[str, Any]) -> dict[str, Any]:
    """An asset as a row of a query: its tags as XML text."""
    tags = "".join(
        f'<{_element(tag["key"])} Value="{escape(tag["value"], quote=True)}"/>'
        for tag in asset.get("tags", ())
    )
    row = {name: value for name, value in asset.items() if name != "tags"}
    return row | {"xmlData": f"<Root>{tags}</Root>" if tags else None}


def _element(key: str) -> str:
    """The key as a name that XML allows, the way .NET writes it."""
    return _NOT_IN_NAME.sub(lambda found: f"_x{ord(found.group()):04X}_", key)
