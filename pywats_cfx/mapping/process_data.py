"""Process data of whatever kind as steps with measurements, the form that results have.

The standard has a kind of its own for each sort of machine, and vendors add theirs. All are gone through in
the same way, so that nothing a machine says is lost: each structure is a step, each value in it a measurement
by the standard's name. A reading and its set point become one measurement with an expected value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from pywats_cfx.mapping.measurements import measurement, numeric, outcome
from pywats_cfx.mapping.values import finite, kind_of, moment, stage_name, text, without_none
from pywats_cfx.messages import structures as cfx
from pywats_cfx.messages.structure import CFXStructure, wire_names
from pywats_events.payloads.common import Outcome


def process_steps(data: CFXStructure | None) -> list[dict[str, Any]]:
    """Give process data as payload data, the same as a list of ``payloads.TestStep`` would give.

    Args:
        data: a ``ProcessData`` of any kind, or another structure that holds such data.
    """
    if data is None:
        return []
    name = kind_of(data, cfx.ProcessData) or type(data).CFX_NAME.rpartition(".")[2]
    return list(_steps(name, _members(data)))


def step(
    name: str, measurements: list[dict[str, Any]], verdict: cfx.TestResult | str | None = None
) -> dict[str, Any]:
    """Give a step as payload data; one without a verdict has none, which is not a pass."""
    result, word = (Outcome.UNKNOWN, None) if verdict is None else outcome(verdict)
    return without_none(
        {
            "name": name,
            "result": result.value,
            "result_said": word,
            "conditions": [],
            "symptoms": [],
            "defects": [],
            "measurements": measurements,
        }
    )


def _members(structure: CFXStructure) -> dict[str, Any]:
    """Give what a structure says, by the standard's names."""
    names = wire_names(type(structure))
    said = {
        names[attribute]: getattr(structure, attribute) for attribute in names if attribute != "type_name"
    }
    return {**said, **(structure.__pydantic_extra__ or {})}


def _steps(path: str, members: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    own: dict[str, Any] = {}
    below: list[tuple[str, Any]] = []
    values: list[dict[str, Any]] = []
    verdict = None
    for name, value in members.items():
        if value is None or isinstance(value, bytes | cfx.Stage):
            continue
        if isinstance(value, cfx.TestResult) and name == "Result":
            verdict = value
        elif isinstance(value, list):
            listed, others = _listed(name, value)
            values += listed
            below += others
        elif (form := _form(name, value)) is not None:
            values.append(form)
        elif isinstance(value, CFXStructure | dict):
            below.append((name, value))
        else:
            own[name] = value
    values = [*_plain_values(own), *_paired(members), *values]
    if values or verdict is not None or not below:
        yield step(path, values, verdict)
    for name, value in below:
        yield from _steps(_short(f"{path} / {name}"), value if isinstance(value, dict) else _members(value))


_LONGEST: Final = 200


def _short(path: str) -> str:
    """Shorten a path in the middle: thousands of steps may share its beginning."""
    half = _LONGEST // 2
    return path if len(path) <= _LONGEST else f"{path[:half]}…{path[1 - half :]}"


def _listed(name: str, items: list[Any]) -> tuple[list[dict[str, Any]], list[tuple[str, Any]]]:
    """Tell the items of a list that are measurements from those that are steps of their own."""
    suffix = " (setpoint)" if name == "Setpoints" else ""
    name = _short(name)
    values: list[dict[str, Any]] = []
    others: list[tuple[str, Any]] = []
    for index, item in enumerate(items, start=1):
        if isinstance(item, cfx.ReflowSetPoint | cfx.ReflowReading):
            continue
        if (form := _form(f"{name} {index}", item)) is not None:
            values.append({**form, "name": f"{form['name']}{suffix}"} if suffix else form)
        elif isinstance(item, CFXStructure | dict):
            others.append((_item_name(name, index, item), item))
        elif item is not None:
            values += _plain_values({f"{name} {index}": item})
    return values, others


def _item_name(name: str, index: int, item: Any) -> str:
    """Name an item by its stage, else by its own name, else by its place in the list."""
    for attribute in ("zone", "stage", "nozzle"):
        stage = getattr(item, attribute, None)
        if isinstance(stage, cfx.Stage) and (known := stage_name(stage)):
            return known
    for attribute in ("name", "axis_name", "cleaning_step_type", "resource_name", "stage_sequence"):
        said = getattr(item, attribute, None)
        if said is not None and (known := text(str(said))):
            return f"{name} {known}" if known.isdecimal() else known
    return f"{name} {index}"


def _form(name: str, value: Any) -> dict[str, Any] | None:
    """Give a structure that is a measurement as one; None for any other value."""
    form = _FORMS.get(type(value))
    if form is not None:
        return form(name, value)
    return _measured(name, value) if isinstance(value, cfx.Measurement) else None


def _measured(name: str, value: cfx.Measurement) -> dict[str, Any]:
    data = measurement(value)
    return data if "name" in data else {**data, "name": name}


def _with_limits(name: str, value: cfx.NumericValue) -> dict[str, Any]:
    return without_none({"name": name, **numeric(value), "designators": []})


def _generic(name: str, value: cfx.GenericValue) -> dict[str, Any]:
    named = text(value.name) or name
    return _number(named, None) if value.value is None else _with_limits(named, value.value)


def _parameter(name: str, value: cfx.GenericParameter) -> dict[str, Any]:
    return _text(text(value.name) or name, value.value)


def _cleaning(name: str, value: cfx.CleaningReading) -> dict[str, Any]:
    return _number(name if value.reading_type is None else str(value.reading_type), value.reading_value)


_FORMS: Final[dict[type, Callable[[str, Any], dict[str, Any]]]] = {
    cfx.NumericValue: _with_limits,
    cfx.GenericValue: _generic,
    cfx.GenericParameter: _parameter,
    cfx.CleaningReading: _cleaning,
}


def _paired(members: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the readings of an oven's zone, each with its set point; and set points without a reading."""
    listed = [each for each in members.values() if isinstance(each, list)]
    items = [item for each in listed for item in each]
    readings = [each for each in items if isinstance(each, cfx.ReflowReading)]
    points = {
        _zone_name(each.sub_zone, each.setpoint_type): each.setpoint
        for each in items
        if isinstance(each, cfx.ReflowSetPoint)
    }
    for each in readings:
        name = _zone_name(each.sub_zone, each.reading_type)
        yield _number(name, each.reading_value, expected=points.pop(name, None))
    for name, point in points.items():
        yield _number(name, None, expected=point)


def _zone_name(*parts: str | None) -> str:
    return " ".join(str(part) for part in parts if part is not None) or "Value"


_SETPOINT: Final = re.compile(r"(?P<stem>.+?)_?(?:Set[Pp]oint|SetValue|Set)$")
_READ_AS: Final = ("", "ReadingValue", "ReadingPoint", "Actual")


def _plain_values(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    points: dict[str, str] = {}
    for name, value in values.items():
        if (match := _SETPOINT.match(name)) is None or not _is_number(value):
            continue
        as_read = (match["stem"] + end for end in _READ_AS)
        reading = next((each for each in as_read if _is_number(values.get(each))), None)
        if reading is not None and reading not in points:
            points[reading] = name
    merged = set(points.values())
    for name, value in values.items():
        if name not in merged:
            yield _value(name, value, expected=values.get(points.get(name, "")))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _value(name: str, value: Any, *, expected: Any = None) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"name": name, "designators": [], "kind": "boolean", "value": value}
    if _is_number(value):
        return _number(name, value, expected=expected)
    if isinstance(value, timedelta):
        return _number(name, value.total_seconds(), unit="s")
    if isinstance(value, datetime):
        return _text(name, moment(value))
    return _text(name, str(value))


def _number(
    name: str,
    value: float | Decimal | None,
    *,
    expected: float | Decimal | None = None,
    unit: str | None = None,
) -> dict[str, Any]:
    odd = value is not None and not math.isfinite(value)
    return without_none(
        {
            "name": name,
            "designators": [],
            "kind": "numeric",
            "value": None if odd or value is None else float(value),
            "value_text": str(value) if odd else None,
            "unit": unit,
            "expected": None if expected is None else finite(float(expected)),
        }
    )


def _text(name: str, value: str | None) -> dict[str, Any]:
    return without_none({"name": name, "designators": [], "kind": "text", "value": value})
