"""How a unit stands against its verification rule, worked out from its reports.

The names of members are WATS's. What makes a unit OK, a Warning or Failed, and the words of the grade, is
nowhere written down; here OK means passed in order at the first go, Warning passed in the end.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

_WORDS = {"P": "Passed", "F": "Failed", "E": "Error", "T": "Terminated"}


def verify(
    connection: sqlite3.Connection, serial: str, part: str, operations: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """The answer of ``GET /api/Production/UnitVerification``; without operations one that judges nothing."""
    looked_at = [(process, *_runs(connection, serial, part, process["code"])) for process in operations]
    runs = [tests for _, tests, _ in looked_at]
    last = [tests[-1]["result"] if tests else None for tests in runs]
    passed = bool(runs) and all(result == "P" for result in last)
    first = bool(runs) and all(tests and tests[0]["result"] == "P" for tests in runs)
    repairs = sum(count for *_, count in looked_at)
    in_order = _in_order(runs)
    return {
        "status": _status(passed=passed, clean=first and in_order and not repairs) if runs else None,
        "grade": _grade(last) if runs else None,
        "allProcessesExecutedInCorrectOrder": in_order,
        "allProcessesPassedFirstRun": first,
        "allProcessesPassedAnyRun": bool(runs)
        and all(any(test["result"] == "P" for test in tests) for tests in runs),
        "allProcessesPassedLastRun": passed,
        "noRepairs": repairs == 0,
        "results": [_result(process, tests, repaired) for process, tests, repaired in looked_at],
    }


def _runs(connection: sqlite3.Connection, serial: str, part: str, code: int) -> tuple[list[sqlite3.Row], int]:
    tests = connection.execute(
        "SELECT start_us, json_extract(body, '$.result') AS result,"
        " json_extract(body, '$.machineName') AS station FROM reports WHERE sn = ? AND pn = ?"
        " AND process_code = ? AND type = 'T' AND quarantined IS NULL ORDER BY start_us, sequence",
        (serial, part, code),
    ).fetchall()
    (repairs,) = connection.execute(
        "SELECT count(*) FROM reports WHERE sn = ? AND pn = ? AND type = 'R' AND quarantined IS NULL"
        " AND json_extract(body, '$.uur.processCode') = ?",
        (serial, part, code),
    ).fetchone()
    return tests, repairs


def _in_order(runs: Sequence[Sequence[sqlite3.Row]]) -> bool:
    """Each operation was begun after the one before it, and none before that was left out."""
    return all(
        not later or (bool(earlier) and earlier[0]["start_us"] <= later[0]["start_us"])
        for earlier, later in pairwise(runs)
    )


def _status(*, passed: bool, clean: bool) -> str:
    if not passed:
        return "Failed"
    return "OK" if clean else "Warning"


def _grade(last: Sequence[str | None]) -> str:
    if all(result == "P" for result in last):
        return "Passed"
    if any(result not in {None, "P"} for result in last):
        return "Failed"
    return "Incomplete" if any(last) else "Not tested"


def _result(process: Mapping[str, Any], tests: Sequence[sqlite3.Row], repairs: int) -> dict[str, Any]:
    last = tests[-1] if tests else None
    return {
        "processCode": process["code"],
        "processName": process["name"],
        "processIndex": process["processIndex"],
        "status": _WORDS.get(last["result"], last["result"]) if last else "Not tested",
        "startUtc": _moment(last["start_us"]) if last else None,
        "stationName": last["station"] if last else None,
        "totalCount": len(tests),
        "nonPassedCount": sum(test["result"] != "P" for test in tests),
        "repairCount": repairs,
    }


def _moment(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).replace(tzinfo=None).isoformat()
