"""What a message says, told from its JSON and the standard's catalogue alone, without our models."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from cfx_shop import REFERENCE

_SPAN = re.compile(r"(-)?(?:(\d+)\.)?(\d+):(\d+):(\d+)(?:\.(\d{1,7}))?")
_NUMBERS = ("int", "long", "double", "decimal")
_EARLIER = {"22a0": 2201, "22b0": 2202}
ZERO_GUID = "00000000-0000-0000-0000-000000000000"


@cache
def catalogue() -> dict[str, Any]:
    """Give the standard's catalogue; empty where it is not at hand."""
    path = REFERENCE / "catalogue.json"
    if not path.exists():
        return {"messages": {}, "structures": {}, "enums": {}}
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def classes() -> dict[str, Any]:
    """Give messages and structures by full name."""
    return catalogue()["messages"] | catalogue()["structures"]


def known_fields(kind: str, value: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Give the fields, by lower-case name, of an object's class; of all it may be of if unlabelled."""
    label = str(value.get("$type", "")).partition(",")[0].strip()
    family = [kind, *classes()[kind].get("derived", [])]
    chosen = [label] if label in family else family if "$type" not in value else [kind]
    return {field["name"].lower(): field for name in reversed(chosen) for field in classes()[name]["fields"]}


def lost(kind: str, before: dict[str, Any], after: dict[str, Any], path: str = "") -> list[str]:
    """Name what one form of an object says and the other does not."""
    fields = known_fields(kind, after)
    said, kept = _by_right_name(fields, before), _by_right_name(fields, after)
    found = []
    for name in sorted(said.keys() | kept.keys()):
        field = fields.get(name.lower(), {})
        here = f"{path}.{name}".lstrip(".")
        one, other = said.get(name), kept.get(name)
        if field.get("derived_value") or (name == "$type" and one is None):
            continue
        if field.get("input_only"):
            one = None  # it is told elsewhere
        found += _differences(field, one, other, here)
    return found


def _by_right_name(fields: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    return {
        fields[name.lower()]["name"] if name.lower() in fields else name: member
        for name, member in value.items()
    }


def _differences(field: dict[str, Any], one: Any, other: Any, path: str) -> list[str]:
    if not field:
        return [] if _same_json(one, other) else [f"{path}: {one!r} became {other!r}"]
    if field["type"] in classes():
        ones, others = (_entries(one), _entries(other)) if field["list"] else ([one], [other])
        return _differing_objects(field["type"], ones, others, path)
    if field["list"] or field.get("dict"):
        form = _listed(field["type"])
        return [] if form(one) == form(other) else [f"{path}: {one!r} became {other!r}"]
    same = meaning(field, one) == meaning(field, other)
    return [] if same else [f"{path}: {one!r} became {other!r}"]


def _differing_objects(kind: str, ones: list[Any], others: list[Any], path: str) -> list[str]:
    if len(ones) != len(others):
        return [f"{path}: {len(ones)} entries became {len(others)}"]
    found = []
    for one, other in zip(ones, others, strict=True):
        if isinstance(one, dict) and isinstance(other, dict):
            found += lost(kind, one, other, path)
        elif one != other:
            found.append(f"{path}: {one!r} became {other!r}")
    return found


def _listed(kind: str) -> Any:
    def form(value: Any) -> Any:
        if isinstance(value, dict) and "$values" not in value:
            return value
        return [meaning({"type": kind}, each) for each in _entries(value)]

    return form


def _entries(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = value["$values"]
    return [each for each in value or [] if each is not None]


def _same_json(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def meaning(field: dict[str, Any], value: Any) -> Any:  # noqa: PLR0911  # one line for each type
    """Give what a plain value stands for, whichever way it is written; None where it says nothing."""
    kind = field["type"]
    default = field.get("omitted_when", False) if field.get("omitted_when_default") else None
    if value is None or value == {} or (value == "" and kind != "string"):
        return default
    if kind == "string":
        return {"True": "true", "False": "false"}.get(str(value), str(value))
    if kind in catalogue()["enums"]:
        return _member(catalogue()["enums"][kind], value)
    if kind == "bool":
        return str(value).lower() in ("true", "1")
    if kind in _NUMBERS:
        return _number(value)
    if kind == "datetime":
        return _ticks(value)
    if kind == "timespan":
        return _span(value)
    return None if value == ZERO_GUID else value


def _member(enum: dict[str, Any], value: Any) -> Any:
    text = str(value).strip().lower()
    if text in _EARLIER:
        return _EARLIER[text]
    for member in enum["members"]:
        if text in (member["name"].lower(), str(member["value"])):
            return member["value"]
    return text or None


def _number(value: Any) -> Any:
    if value in ("NaN", "Infinity", "-Infinity") or (isinstance(value, float) and not math.isfinite(value)):
        return str(float(value))
    try:
        return Decimal(str(value)).normalize()
    except InvalidOperation:
        return value


def _ticks(value: str) -> Any:
    if value[:4] in ("0001", "9999"):
        return None
    moment = datetime.fromisoformat(value)
    fraction = re.search(r"\.(\d{1,7})", value)
    zone = None if moment.tzinfo is None else moment.utcoffset()
    return moment.replace(microsecond=0, tzinfo=None), (fraction[1] if fraction else "").ljust(7, "0"), zone


def _span(value: str) -> Any:
    sign, days, hours, minutes, seconds, fraction = _SPAN.fullmatch(value).groups()
    whole = ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds)
    ticks = whole * 10_000_000 + int((fraction or "").ljust(7, "0"))
    return -ticks if sign else ticks
