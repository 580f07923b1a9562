"""Report headers: the searchable line of each stored report, and the query over them."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from pywats_api.server.documents import Refused
from pywats_api.server.odata import Column, Condition, parse_filter
from pywats_api.server.report_files import files_of

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
_CAUSE = ("causedUutFailure", "causedUutFailurePath")
_ALL_FIELDS = (*COLUMNS, "processName", "run", "passedInRun", *_CAUSE)
_EXPANSIONS = {
    "subUnits": "subUnits",
    "uurSubUnits": "subUnits",
    "miscInfo": "miscInfos",
    "uurMiscInfo": "miscInfos",
    "assets": "assets",
    "attachments": "binaryData",
    "uurAttachments": "binaryData",
}
_FILES = frozenset({"attachments", "uurAttachments"})
_FAILING = frozenset({"F", "E", "T"})
_SORTABLE = {
    "start": "start_us",
    "uuid": "uuid",
    "serialNumber": "sn",
    "timestamp": "sequence",
    "timeStamp": "sequence",
}
_OPTIONS = {"$filter", "$top", "$skip", "$orderby", "$select", "$expand"}
_SAME_UNIT = (
    "{0}.sn = reports.sn AND {0}.pn = reports.pn AND {0}.process_code = reports.process_code"
    " AND {0}.type = reports.type AND {0}.quarantined IS NULL"
)
# A unit's n-th test in one operation, by start and not by arrival.
_RUN = (
    f"(SELECT count(*) FROM reports AS earlier WHERE {_SAME_UNIT.format('earlier')}"  # noqa: S608  # own SQL
    " AND earlier.start_us <= {0})"
)
# The run in which it passed first.
_FIRST_PASS = (
    f"(SELECT min(start_us) FROM reports AS passed WHERE {_SAME_UNIT.format('passed')}"  # noqa: S608  # own SQL
    " AND json_extract(passed.body, '$.result') = 'P')"
)
_COUNTED = {"run": _RUN.format("reports.start_us"), "passedInRun": f"nullif({_RUN.format(_FIRST_PASS)}, 0)"}
_BY_MISC_INFO = f"""
SELECT uuid, {_RESULT} AS result, body FROM reports
WHERE quarantined IS NULL
    AND (:process_code IS NULL OR process_code = :process_code)
    AND (:serial_number IS NULL OR sn = :serial_number)
    AND EXISTS (
        SELECT 1 FROM json_each(body, '$.miscInfos') AS info
        WHERE (:description IS NULL OR json_extract(info.value, '$.description') = :description)
            AND (:data IS NULL OR :data = coalesce(
                json_extract(info.value, '$.text'), CAST(json_extract(info.value, '$.numeric') AS TEXT)
            ))
    )
ORDER BY start_us DESC, sequence DESC LIMIT {_MAX_TOP}
"""  # noqa: S608  # own SQL, values bound


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
        counted = ", ".join(
            f"{_COUNTED[name] if name in self._fields else 'NULL'} AS {name}" for name in _COUNTED
        )
        rows = connection.execute(
            f"SELECT {fields}, {counted}, {_body('start')} AS started, body FROM reports"  # noqa: S608  # own SQL, values bound
            f" WHERE quarantined IS NULL AND {self._filter.sql} ORDER BY {self._order} LIMIT ? OFFSET ?",
            (*self._filter.values, self._top, self._skip),
        )
        return [self._header(row) for row in rows]

    def _header(self, row: sqlite3.Row) -> dict[str, Any]:
        computed = {"processName", *_CAUSE}
        header = {name: row[name] for name in self._fields if name not in computed}
        if "start" in header:
            header["start"] = row["started"]
        if "processName" in self._fields:
            header["processName"] = self._process_names.get(row["processCode"])
        if self._expand or set(_CAUSE) & set(self._fields):
            body = json.loads(row["body"])
            cause = dict(zip(_CAUSE, cause_of(body), strict=True))
            header |= {name: cause[name] for name in _CAUSE if name in self._fields}
            header |= {name: _expanded(name, body, row["uuid"]) for name in self._expand}
        return header


class MiscInfoQuery:
    """A query over headers by what people search by; `run` gives its answer."""

    def __init__(
        self,
        processes: Iterable[Mapping[str, Any]],
        *,
        description: str | None,
        data: str | None,
        process_code: int | None,
        serial_number: str | None,
    ) -> None:
        self._process_names = {entry["code"]: entry["name"] for entry in processes}
        self._values = {
            "description": description,
            "data": data,
            "process_code": process_code,
            "serial_number": serial_number,
        }

    def run(self, connection: sqlite3.Connection) -> list[dict[str, Any]]:
        """The headers, newest first, each with the misc infos of the name that was asked for."""
        return [self._header(row) for row in connection.execute(_BY_MISC_INFO, self._values)]

    def _header(self, row: sqlite3.Row) -> dict[str, Any]:
        body = json.loads(row["body"])
        description = self._values["description"]
        return {
            "serialNumber": body["sn"],
            "partNumber": body["pn"],
            "start": body["start"],
            "result": row["result"],
            "uuid": row["uuid"],
            "processCode": body["processCode"],
            "processName": self._process_names.get(body["processCode"]),
            "miscData": [
                info
                for info in body["miscInfos"]
                if description is None or info["description"] == description
            ],
        }


def cause_of(report: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Name and path of the step that made a test fail: the one marked, else the first failing leaf."""
    if report.get("root") is None or report["result"] == "P":
        return None, None
    waiting = [("", step) for step in reversed(report["root"].get("steps") or ())]
    first: tuple[str | None, str | None] = (None, None)
    while waiting:
        above, step = waiting.pop()
        path = f"{above}/{step['name']}" if above else step["name"]
        children = step.get("steps") or ()
        if step.get("causedUUTFailure") and not any(child.get("causedUUTFailure") for child in children):
            return step["name"], path
        is_leaf = step["status"] in _FAILING and not any(child["status"] in _FAILING for child in children)
        if is_leaf and first[0] is None:
            first = step["name"], path
        waiting.extend((path, child) for child in reversed(children))
    return first


def _expanded(name: str, report: Mapping[str, Any], uuid: str) -> list[Any]:
    if name not in _FILES:
        return report.get(_EXPANSIONS[name]) or []
    return [
        {
            "name": file.name,
            "contentType": file.content_type,
            "stepId": file.step_id,
            "attachmentId": file.attachment_id,
            "size": len(file.content),
        }
        for file in files_of(report, uuid)
    ]


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
