"""Reports in the database: taking one in, finding it again."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from pywats_api.server.odata import microseconds
from pywats_api.server.report_files import name_files
from pywats_api.wsjf.values import parse_moment


class Taken(NamedTuple):
    """What became of a report that was taken in."""

    uuid: str
    report_id: int
    is_first: bool


class Conditions(NamedTuple):
    """What reports must fit, as SQL with its values."""

    sql: str
    values: tuple[str | int, ...]


_FILTERS = {
    "serial": "instr(lower(sn), lower(?)) > 0",
    "part": "instr(lower(pn), lower(?)) > 0",
    "station": "instr(lower(json_extract(body, '$.machineName')), lower(?)) > 0",
    "process": "process_code = ?",
    "result": "CASE type WHEN 'R' THEN 'R' ELSE json_extract(body, '$.result') END = ?",
}


def report_conditions(filters: Mapping[str, str]) -> Conditions:
    """The conditions of the list of reports; a filter that is none, or no number, is let be."""
    known = {name: value for name, value in filters.items() if name in _FILTERS}
    if not known.get("process", "0").isdecimal():
        del known["process"]
    sql = " AND ".join(_FILTERS[name] for name in known)
    values = (int(value[:9]) if name == "process" else value for name, value in known.items())
    return Conditions(sql or "1", tuple(values))


class ReportStore:
    """SQL on the table of reports. Every method runs on the database's thread."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def take(self, connection: sqlite3.Connection, report: Mapping[str, Any], body: str) -> Taken:
        """Store a valid report.

        The same id replaces the stored report. The same unit, operation and start under another id
        overwrites the stored one as well, which keeps its own id: WATS takes the two for one run.
        """
        uuid = str(UUID(report["id"]))
        start = parse_moment(report["start"])
        key = (report["sn"], report["pn"], report["processCode"], microseconds(start), report["type"])
        now = self._now()
        # The real server parks such a report and tells nobody.
        quarantined = "start is in the future" if start > now else None
        known = connection.execute("SELECT uuid FROM reports WHERE uuid = ?", (uuid,)).fetchone()
        twin = connection.execute(
            "SELECT uuid FROM reports WHERE sn = ? AND pn = ? AND process_code = ? AND start_us = ?"
            " AND type = ? AND uuid <> ?",
            (*key, uuid),
        ).fetchone()
        if twin is not None and known is not None:
            connection.execute("DELETE FROM reports WHERE uuid = ?", (twin["uuid"],))
        stored = known or twin
        sequence = connection.execute("SELECT coalesce(max(sequence), 0) + 1 FROM reports").fetchone()[0]
        content = (*key, body, len(body.encode()), sequence, now.isoformat(), quarantined)
        if stored is None:
            row = connection.execute(
                "INSERT INTO reports (sn, pn, process_code, start_us, type, body, body_bytes, sequence,"
                " received_at, quarantined, uuid)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING report_id",
                (*content, uuid),
            ).fetchone()
            return Taken(uuid, row["report_id"], is_first=True)
        row = connection.execute(
            "UPDATE reports SET sn = ?, pn = ?, process_code = ?, start_us = ?, type = ?, body = ?,"
            " body_bytes = ?, sequence = ?, received_at = ?, quarantined = ?,"
            " receive_count = receive_count + 1,"
            " overwrites = overwrites + ? WHERE uuid = ? RETURNING report_id",
            (*content, int(twin is not None), stored["uuid"]),
        ).fetchone()
        return Taken(stored["uuid"], row["report_id"], is_first=False)

    @staticmethod
    def get(
        connection: sqlite3.Connection, uuid: str, *, also_quarantined: bool = False
    ) -> sqlite3.Row | None:
        """One report; a quarantined one only if asked for."""
        condition = "" if also_quarantined else " AND quarantined IS NULL"
        row: sqlite3.Row | None = connection.execute(
            f"SELECT * FROM reports WHERE uuid = ?{condition}",  # noqa: S608  # one of two constants
            (uuid,),
        ).fetchone()
        return row

    @staticmethod
    def newest(
        connection: sqlite3.Connection,
        top: int,
        skip: int,
        *,
        quarantined: bool | None = None,
        conditions: Conditions | None = None,
    ) -> list[sqlite3.Row]:
        """Reports in the order they came, newest first; all, or those on one side of the quarantine.

        Args:
            connection: to the database.
            top: how many at most.
            skip: how many to leave out at the beginning.
            quarantined: which side; None for both.
            conditions: what else they must fit, made by `report_conditions`.
        """
        side = {None: "1", True: "quarantined IS NOT NULL", False: "quarantined IS NULL"}[quarantined]
        fitting = conditions or Conditions("1", ())
        return connection.execute(
            f"SELECT * FROM reports WHERE {side} AND {fitting.sql}"  # noqa: S608  # own SQL, values bound
            " ORDER BY sequence DESC LIMIT ? OFFSET ?",
            (*fitting.values, top, skip),
        ).fetchall()

    @staticmethod
    def repairs_of(connection: sqlite3.Connection, uuid: str) -> list[sqlite3.Row]:
        """The repairs that refer to a test, oldest first."""
        return connection.execute(
            "SELECT * FROM reports WHERE type = 'R' AND quarantined IS NULL"
            " AND lower(json_extract(body, '$.uur.refUUT')) = ? ORDER BY start_us",
            (uuid,),
        ).fetchall()

    @staticmethod
    def of_unit(connection: sqlite3.Connection, sn: str, pn: str) -> list[sqlite3.Row]:
        """All processed reports of a unit, in the order of their starts."""
        return connection.execute(
            "SELECT * FROM reports WHERE sn = ? AND pn = ? AND quarantined IS NULL ORDER BY start_us",
            (sn, pn),
        ).fetchall()

    @staticmethod
    def counts(connection: sqlite3.Connection) -> dict[str, int]:
        """How many reports are stored, quarantined, came in all, and overwrote another id."""
        row = connection.execute(
            "SELECT count(*) AS stored, count(quarantined) AS quarantined,"
            " coalesce(sum(receive_count), 0) AS received,"
            " coalesce(sum(overwrites), 0) AS overwrites FROM reports"
        ).fetchone()
        return dict(row)

    @staticmethod
    def clear(connection: sqlite3.Connection) -> None:
        """Forget all reports."""
        connection.execute("DELETE FROM reports")


def as_received(row: sqlite3.Row) -> dict[str, Any]:
    """A stored report with all that is known of its coming, for tests."""
    body = json.loads(row["body"])
    return {
        "uuid": row["uuid"],
        "Report_ID": row["report_id"],
        "receiveCount": row["receive_count"],
        "overwrites": row["overwrites"],
        "receivedAt": row["received_at"],
        "quarantined": row["quarantined"],
        "body": body,
    }


def as_wsjf(
    row: sqlite3.Row,
    processes: Iterable[Mapping[str, Any]],
    *,
    detail_level: int = 7,
    include_chartdata: bool = True,
    include_attachments: bool = True,
) -> dict[str, Any]:
    """A stored report as the server gives it back, under the id it is stored by."""
    report: dict[str, Any] = json.loads(row["body"])
    report["id"] = row["uuid"]
    name_files(report, row["uuid"])
    report["processName"] = next((p["name"] for p in processes if p["code"] == row["process_code"]), None)
    report.setdefault(
        "startUTC", parse_moment(report["start"]).astimezone(UTC).isoformat().replace("+00:00", "Z")
    )
    if detail_level == 0:
        for member in ("root", "miscInfos", "subUnits", "assets", "binaryData", "additionalData"):
            report.pop(member, None)
    if not include_attachments:
        report.pop("binaryData", None)
        for unit in report.get("subUnits") or ():
            for failure in unit.get("failures") or ():
                failure.pop("attachments", None)
    if not (include_chartdata and include_attachments):
        _strip(report, chart=not include_chartdata, attachment=not include_attachments)
    return report


def _strip(report: dict[str, Any], **members: bool) -> None:
    waiting = [report.get("root")]
    while waiting:
        step = waiting.pop()
        if step is None:
            continue
        for member, unwanted in members.items():
            if unwanted:
                step.pop(member, None)
        waiting.extend(step.get("steps") or ())
