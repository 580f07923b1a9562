"""The rules of a report that a JSON Schema cannot say."""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pywats_api.server.documents import Refused
from pywats_api.wsjf.values import parse_moment

__all__ = ["check_rules", "parse_moment", "walk_steps"]

_REQUIRED = 0  # of a binding
_DESCRIPTION_LENGTH = 100
_DATA_TYPES = ("Number", "String", "Bool", "Obj", "Array")
_NAMES = ("pn", "sn", "rev", "machineName", "location", "purpose")
_MEASUREMENTS = ("numericMeas", "stringMeas", "booleanMeas")


def check_rules(
    report: Mapping[str, Any],
    processes: Iterable[Mapping[str, Any]],
    fail_codes: Mapping[str, frozenset[str]],
) -> None:
    """Raise `Refused` for a report of right shape that still is not right."""
    by_code = {entry["code"]: entry for entry in processes}
    for member in _NAMES:
        if not report[member].strip():  # blanks around are trimmed when a report is stored
            raise Refused(f"$.{member}: should have at least 1 character that is no blank.")
    _check_times(report)
    for index, info in enumerate(report.get("miscInfos") or ()):
        if len(info["description"]) > _DESCRIPTION_LENGTH:
            raise Refused(f"$.miscInfos[{index}].description: longer than {_DESCRIPTION_LENGTH} characters.")
    _check_data("$.additionalData", report)
    if report["type"] == "T":
        if report["root"].get("seqCall") is None:
            raise Refused("$.root: the root step needs seqCall, the test program.")
        _check_process("$", report, by_code, "isTestOperation", "test operation")
        for path, step in walk_steps("$.root", report["root"]):
            _check_step(path, step)
    else:
        operation = _check_process("$", report, by_code, "isRepairOperation", "repair operation")
        _check_binding(report["uur"], operation)
        _check_fields(report.get("miscInfos") or (), operation)
        _check_process("$.uur", report["uur"], by_code, "isTestOperation", "test operation")
        _check_units(report, fail_codes)
    for index, data in enumerate(report.get("binaryData") or ()):
        _check_base64(f"$.binaryData[{index}]", data)


def walk_steps(path: str, root: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All steps below and including `root`, depth-first, with their JSON paths."""
    waiting = [(path, root)]
    while waiting:
        path, step = waiting.pop()
        yield path, step
        children = step.get("steps") or ()
        waiting.extend((f"{path}.steps[{i}]", children[i]) for i in range(len(children) - 1, -1, -1))


def _check_times(report: Mapping[str, Any]) -> None:
    start = _moment("$.start", report["start"])
    start_utc = report.get("startUTC")
    if start_utc is not None and abs((_moment("$.startUTC", start_utc) - start).total_seconds()) >= 0.001:  # noqa: PLR2004  # senders cut decimals
        raise Refused(f"$.startUTC: {start_utc} is another instant than start, {report['start']}.")
    for member in ("confirmDate", "finalizeDate"):
        text = (report.get("uur") or {}).get(member)
        if text is not None:
            _moment(f"$.uur.{member}", text)


def _moment(path: str, text: str) -> datetime:
    try:
        return parse_moment(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(f"{path}: {text} is no date and time.") from None


def _check_process(
    path: str,
    owner: Mapping[str, Any],
    by_code: Mapping[int, Mapping[str, Any]],
    kind: str,
    kind_name: str,
) -> Mapping[str, Any]:
    code = owner["processCode"]
    known = by_code.get(code)
    if known is None:
        raise Refused(f"{path}.processCode: no process with code {code} exists.")
    if not known[kind]:
        raise Refused(f"{path}.processCode: process {code} ({known['name']}) is no {kind_name}.")
    name = owner.get("processName")
    if name is not None and name != known["name"]:
        raise Refused(f'{path}.processName: process {code} is named "{known["name"]}", not "{name}".')
    return known


def _check_binding(uur: Mapping[str, Any], operation: Mapping[str, Any]) -> None:
    if operation.get("uutBinding") == _REQUIRED and uur.get("refUUT") is None:
        raise Refused(f"$.uur.refUUT: {operation['name']} requires the test report that showed the failure.")


def _check_fields(infos: Iterable[Mapping[str, Any]], operation: Mapping[str, Any]) -> None:
    fields = operation.get("miscInfos")
    if fields is None:  # the account has not restricted them
        return
    for position, info in enumerate(infos):
        if info["description"] not in fields:
            raise Refused(
                f"$.miscInfos[{position}].description: {operation['name']} has no field"
                f' "{info["description"]}".'
            )


def _check_step(path: str, step: Mapping[str, Any]) -> None:
    if step.get("start") is not None:
        _moment(f"{path}.start", step["start"])
    _check_data(f"{path}.additionalResults", step)
    if step.get("attachment"):
        _check_base64(f"{path}.attachment", step["attachment"])
    for kind in _MEASUREMENTS:
        measurements = step.get(kind)
        if not measurements:
            continue
        for member in ("callExe", "messagePopup"):
            if step.get(member) is not None:
                raise Refused(f"{path}: holds {kind} together with {member}.")
        if len(measurements) > 1:
            _check_names(f"{path}.{kind}", measurements)


def _check_data(path: str, owner: Mapping[str, Any]) -> None:
    """Free data: each property says what it is, at any depth."""
    groups = owner.get(path.rpartition(".")[2]) or ()
    waiting = [prop for group in groups for prop in group.get("props") or ()]
    while waiting:
        prop = waiting.pop()
        if prop is None:
            continue
        if prop["type"] not in _DATA_TYPES:
            raise Refused(
                f'{path}: "{prop["type"]}" of "{prop["name"]}" is none of {", ".join(_DATA_TYPES)}.'
            )
        waiting += prop.get("props") or ()


def _check_names(path: str, measurements: list[Mapping[str, Any]]) -> None:
    seen = set()
    for index, measurement in enumerate(measurements):
        name = measurement["name"]
        if name in seen:
            raise Refused(f'{path}[{index}].name: "{name}" is not unique in its step.')
        seen.add(name)


def _check_units(report: Mapping[str, Any], fail_codes: Mapping[str, frozenset[str]]) -> None:
    units = report["subUnits"]
    indexes = [unit["idx"] for unit in units]
    for position, unit in enumerate(units):
        path = f"$.subUnits[{position}]"
        if unit["idx"] in indexes[:position]:
            raise Refused(f"{path}.idx: {unit['idx']} is not unique.")
        for member in ("parentIdx", "replacedIdx"):
            idx = unit.get(member)
            if idx is not None and idx not in indexes:
                raise Refused(f"{path}.{member}: no sub-unit has idx {idx}.")
            if idx is not None and idx == unit["idx"]:
                raise Refused(f"{path}.{member}: a unit cannot be its own.")
        if unit["idx"] == 0:
            _check_main(path, report, unit)
        for number, failure in enumerate(unit.get("failures") or ()):
            _check_failure(f"{path}.failures[{number}]", failure, fail_codes)
    if not any(unit.get("failures") for unit in units):
        raise Refused("$.subUnits: a repair needs a failure on one of its units.")


def _check_main(path: str, report: Mapping[str, Any], unit: Mapping[str, Any]) -> None:
    for member in ("pn", "sn", "rev"):
        value = unit.get(member)
        # Blanks around are trimmed when a report is stored.
        if value is not None and value.strip() != report[member].strip():
            raise Refused(f"{path}.{member}: at idx 0 must be the unit of the report: same pn, sn and rev.")
    if unit.get("parentIdx") is not None:
        raise Refused(f"{path}.parentIdx: at idx 0 has a parentIdx; it is the repaired unit itself.")


def _check_failure(path: str, failure: Mapping[str, Any], fail_codes: Mapping[str, frozenset[str]]) -> None:
    codes = fail_codes.get(failure["category"])
    if codes is None:
        raise Refused(f"{path}.category: Category must be a valid value.")
    if failure["code"] not in codes:
        raise Refused(f"{path}.code: Code must be a valid value.")
    for number, data in enumerate(failure.get("attachments") or ()):
        _check_base64(f"{path}.attachments[{number}]", data)


def _check_base64(path: str, attachment: Mapping[str, Any]) -> None:
    try:
        base64.b64decode(attachment.get("data") or "", validate=True)
    except (binascii.Error, ValueError):
        raise Refused(f"{path}.data: not base64.") from None
