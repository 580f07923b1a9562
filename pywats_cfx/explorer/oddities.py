"""Plain values that are read, but that the standard's own endpoints would write in another way."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from pywats_cfx.messages.declared import Declared
from pywats_cfx.messages.fields import ZERO_GUID
from pywats_cfx.messages.members import CFXEnum, CodeEnum, NumberEnum

_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME: Final = re.compile(r"(\d{4})-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)?")
_SPAN: Final = re.compile(r"-?(\d{1,8}\.)?\d\d:\d\d:\d\d(\.\d{1,7})?")
_UNSET_YEARS: Final = ("0001", "9999")
_NOT_FINITE: Final = ("NaN", "Infinity", "-Infinity")
_SHOWN: Final = 60
_MEMBERS_SHOWN: Final = 8


class Oddity(NamedTuple):
    """What is odd about a value, and what to do."""

    problem: str
    advice: str


def oddity(field: Declared, value: Any) -> Oddity | None:
    """Say what is odd about a value that is no object, list or null; None where it is as it should be."""
    kind = field.kind
    if kind is str and field.unset == ZERO_GUID:
        return _guid(value)
    if isinstance(value, str) and not value.strip() and kind is not str:
        return Oddity("blank text", "write null, or leave the field out, where there is nothing to say")
    if issubclass(kind, CFXEnum):
        return _member(kind, value)
    look = _LOOKS.get(kind)
    return None if look is None else look(value)


def shown(value: Any) -> str:
    """Give a value as it may stand in a line."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = f'"{value[:_SHOWN]}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN + 2 else f"{text[:_SHOWN]}..."


def _text(value: Any) -> Oddity | None:
    if isinstance(value, str):
        return None
    if isinstance(value, dict):
        return Oddity("an empty object in the place of a text", "write null")
    return Oddity(f"{shown(value)} in the place of a text", "put it in quotes")


def _guid(value: Any) -> Oddity | None:
    if isinstance(value, str) and (not value or _GUID.fullmatch(value)):
        return None
    return Oddity(
        f"{shown(value)} is no guid",
        "write one such as 097508d3-08b3-4781-817a-2c491e39ab7a, or null where there is none",
    )


def _number(value: Any) -> Oddity | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return None
    if value in _NOT_FINITE:
        return None
    return Oddity(f"{shown(value)} in the place of a number", "write the number, without quotes")


def _whole(value: Any) -> Oddity | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return None
    return Oddity(
        f"{shown(value)} in the place of a whole number", "write the number, without point and quotes"
    )


def _truth(value: Any) -> Oddity | None:
    if isinstance(value, bool):
        return None
    return Oddity(f"{shown(value)} in the place of a truth value", "write true or false, without quotes")


def _time(value: Any) -> Oddity | None:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return Oddity(
            f"{shown(value)} is no time as the standard writes it", "write it as 2026-03-01T10:00:00.5+01:00"
        )
    if match[3] is None and match[1] not in _UNSET_YEARS:
        return Oddity("time without a zone: read as UTC", "end it with Z or an offset such as +01:00")
    return None


def _span(value: Any) -> Oddity | None:
    if isinstance(value, str) and _SPAN.fullmatch(value):
        return None
    return Oddity(
        f"{shown(value)} is no time span as the standard writes it",
        "write [-][d.]hh:mm:ss[.fffffff], as 00:01:25.5",
    )


_LOOKS: Final[Mapping[type, Callable[[Any], Oddity | None]]] = {
    str: _text,
    int: _whole,
    float: _number,
    Decimal: _number,
    bool: _truth,
    datetime: _time,
    timedelta: _span,
}


def _member(enum: type[CFXEnum], value: Any) -> Oddity | None:
    try:
        member = enum(value)
    except ValueError:
        return _unknown_member(enum, value)
    right = _written(enum, member)
    if value == right and type(value) is type(right):
        return None
    meant = "" if str(right) == member.name else f" ({member.name})"
    return Oddity(f"{shown(value)} is read as {shown(right)}{meant}", f"write {shown(right)}")


def _unknown_member(enum: type[CFXEnum], value: Any) -> Oddity:
    members = {member.name.rstrip("_").lower(): shown(_written(enum, member)) for member in enum}
    alike = get_close_matches(str(value)[:_SHOWN].lower(), members, n=1, cutoff=0.6)
    if alike:
        advice = f"did you mean {members[alike[0]]}?"
    else:
        some = list(members.values())
        rest = f" and {len(some) - _MEMBERS_SHOWN} more" if len(some) > _MEMBERS_SHOWN else ""
        advice = f"the standard has {', '.join(some[:_MEMBERS_SHOWN])}{rest} (--schema tells all)"
    return Oddity(f"{shown(value)} is no member of {enum.__name__}", advice)


def _written(enum: type[CFXEnum], member: CFXEnum) -> int | str:
    """Give a member as the standard's endpoints write it."""
    if issubclass(enum, NumberEnum) and not issubclass(enum, CodeEnum):
        return next(number for number, name in enum.numbers().items() if enum[name] is member)
    return str(member.value)
