"""Report headers: the searchable line of each stored report, and the query over them."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from pywats_api.server.documents import Refused
from pywats_api.server.odata import Column, Condition, parse_filter

_RESULTS = {"P": "Passed", "F": "Failed", "E": "Error", "T": "Terminated"}
_DEFAULT_TOP = 10
_MAX_TOP = 10_000


def _body(path: str) -> str:
    return f"json_extract(body, '$.{path}')"


_RESULT = (
    f"CASE {_body('result')} "
    + " ".join(f"WHEN '{letter}' THEN '{word}'" for letter, word in _RESULTS.items())
    + " END"
)
COLUMNS: dict[str, Column] = {
    "uuid": Column("uuid", "guid"),
    "serialNumber": Column("sn"),
    "partNumber": Column("pn"),
    "revision": Column(_body("rev")),
    "reportType": Column("type"),
    "start": Column("start_us", "moment"),
    "result": Column(_RESULT),
    "batchNumber": Column(_body("uut.batchSN")),
    "userName": Column(f"coalesce({_body('uut.user')}, {_body('uur.user')})"),
    "stationName": Column(_body("machineName")),
    "location": Column(_body("location")),
    "purpose": Column(_body("purpose")),
    "timeStamp": Column("sequence", "number"),
    "processCode": Column("process_code", "number"),
    "comment": Column(f"coalesce({_body('uut.comment')}, {_body('uur.comment')})"),
    "executionTime": Column(f"coalesce({_body('uut.execTime')}, {_body('uur.execTime')})", "number"),
    "swFilename": Column(_body("root.seqCall.name")),
    "swVersion": Column(_body("root.seqCall.version")),
    "testSocketIndex": Column(_body("uut.testSocketIndex"), "number"),
    "fixtureId": Column(_body("uut.fixtureId")),
    "errorCode": Column(_body("uut.errorCode"), "number"),
    "errorMessage": Column(_body("uut.errorMessage")),
    "receiveCount": Column("receive_count", "number"),
    "reportSize": Column("body_bytes / 1024.0", "number"),
    "referencedUut": Column(_body("uur.refUUT"), "guid"),
}
_ALL_FIELDS = (*COLUMNS, "processName", "run")
_EXPANSIONS = {
    "subUnits": "subUnits",
    "uurSubUnits": "subUnits",
    "miscInfo": "miscInfos",
    "uurMiscInfo": "miscInfos",
    "assets": "assets",
    "attachments": "binaryData",
    "uurAttachments": "binaryData",
}
_SORTABLE = {
    "start": "start_us",
    "uuid": "uuid",
    "serialNumber": "sn",
    "timestamp": "sequence",
    "timeStamp": "sequence",
}
_OPTIONS = {"$filter", "$top", "$skip", "$orderby", "$select", "$expand"}
# A unit's n-th test in one operation, by start and not by arrival.
_RUN = (
    "(SELECT count(*) FROM reports AS earlier WHERE earlier.sn = reports.sn AND earlier.pn = reports.pn"
    " AND earlier.process_code = reports.process_code AND earlier.start_us <= reports.start_us"
    " AND earlier.type = reports.type AND earlier.quarantined IS NULL)"
)


class HeaderQuery:
    """A checked query over headers; `run` gives its answer."""

    def __init__(self, options: Mapping[str, str], processes: Iterable[Mapping[str, Any]]) -> None:
        unknown = [name for name in options if name.startswith("$") and name not in _OPTIONS]
        if unknown:
            raise Refused(f"{unknown[0]} is not supported here.")
        self._filter = parse_filter(options["$filter"], COLUMNS) if options.get("$filter") else Condition("1")
        self._top = whole_number(options, "$top", _DEFAULT_TOP)
        if self._top > _MAX_TOP:
            raise Refused(f"$top: {self._top} is more than {_MAX_TOP}.")
        self._skip = whole_number(options, "$skip", 0)
        self._order = _order(options.get("$orderby") or "start desc")
        self._fields = _names(options, "$select", _ALL_FIELDS) or list(_ALL_FIELDS)
        self._expand = _names(options, "$expand", _EXPANSIONS)
        self._process_names = {entry["code"]: entry["name"] for entry in processes}

    def run(self, connection: sqlite3.Connection) -> list[dict[str, Any]]:
        """The headers, as the server answers them."""
        fields = ", ".join(f'{column.sql} AS "{name}"' for name, column in COLUMNS.items())
        run = _RUN if "run" in self._fields else "NULL"
        rows = connection.execute(
            f"SELECT {fields}, {run} AS run, {_body('start')} AS started, body FROM reports"  # noqa: S608  # own SQL, values bound
            f" WHERE quarantined IS NULL AND {self._filter.sql} ORDER BY {self._order} LIMIT ? OFFSET ?",
            (*self._filter.values, self._top, self._skip),
        )
        return [self._header(row) for row in rows]

    def _header(self, row: sqlite3.Row) -> dict[str, Any]:
        header = {name: row[name] for name in self._fields if name != "processName"}
        if "start" in header:
            header["start"] = row["started"]
        if "processName" in self._fields:
            header["processName"] = self._process_names.get(row["processCode"])
        if self._expand:
            body = json.loads(row["body"])
            header |= {name: body.get(_EXPANSIONS[name]) or [] for name in self._expand}
        return header


def whole_number(options: Mapping[str, str], name: str, default: int) -> int:
    """An option that is a count."""
    text = options.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004  # what SQLite can hold
        raise Refused(f"{name}: {text[:50]!r} is no whole number.")
    return int(text)


def _names(options: Mapping[str, str], option: str, known: Iterable[str]) -> list[str]:
    names = [name.strip() for name in options.get(option, "").split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise Refused(f"{option}: there is no field {name[:50]!r}.")
    return names


def _order(text: str) -> str:
    parts = []
    for item in text.split(","):
        name, _, direction = item.strip().partition(" ")
        direction = direction.strip() or "asc"
        if name not in _SORTABLE or direction not in {"asc", "desc"}:
            raise Refused(f"$orderby: cannot order by {item.strip()[:50]!r}.")
        parts.append(f"{_SORTABLE[name]} {direction}")
    return ", ".join([*parts, "sequence desc"])
