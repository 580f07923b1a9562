"""Filters on assets and their log, written in the client's words or in the server's."""

import re
from collections.abc import Mapping

from pywats_api.asset_records import Asset, AssetLog, AssetState
from pywats_api.records import Record

_QUOTED = re.compile(r"('(?:[^']|'')*')")
_WORD = re.compile(r"[A-Za-z_]\w*")
_STATE_IS = re.compile(r"\bstate\s+(?:eq|ne)\s+$")


def _names_of(record: type[Record]) -> dict[str, str]:
    return {name: field.alias or name for name, field in record.model_fields.items() if field.alias != name}


ASSET_NAMES: Mapping[str, str] = _names_of(Asset)
# The log knows an asset by its keys only, so a name is looked for in the serial number.
LOG_NAMES: Mapping[str, str] = _names_of(AssetLog) | {
    "timestamp": "date",
    "message": "comment",
    "asset_name": "serialNumber",
}


def wire_filter(text: str | None, names: Mapping[str, str]) -> str | None:
    """An OData filter in the server's words.

    ``asset_name`` becomes ``assetName``, and the name of a state, as in ``state eq 'IN_STORAGE'``, its
    number. Quoted texts and all other words stay as they are.

    Args:
        text: the filter as the caller wrote it.
        names: attribute of the client -> field of the server.
    """
    if text is None:
        return None
    parts = _QUOTED.split(text)
    for index in range(1, len(parts), 2):
        state = AssetState.__members__.get(parts[index].strip("'").replace(" ", "_").upper())
        if state is not None and _STATE_IS.search(parts[index - 1]):
            parts[index] = str(int(state))
    for index in range(0, len(parts), 2):
        parts[index] = _WORD.sub(lambda word: names.get(word.group(), word.group()), parts[index])
    return "".join(parts)
