"""Writes messages the way the standard's own writers do.

``$type`` comes first and stands where the standard wants it; the fields of a class come before those of its
base; nulls are written out. A value type that nobody said anything of is left out, because null is not legal
there and any other value would say something: except times and guids, which have a form for "unset". What was
read is given back: labels, times without a zone, texts that are no member of their enumeration.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final, TypeAlias

from pywats_cfx.messages.declared import Declared, declared
from pywats_cfx.messages.fields import Labels
from pywats_cfx.messages.members import CFXEnum, NumberEnum
from pywats_cfx.messages.structure import CFXStructure
from pywats_cfx.messages.times import UNSAID, FineSpan, FineTime

#: Writes a value; is told whether the object that holds it stands in a labelled field of its own.
_Writer: TypeAlias = Callable[[Any, bool], Any]

_PLAIN: Final = (str, int, bool)


def to_wire(value: Any) -> Any:
    """Give the JSON data of a message, or of any value in one."""
    if isinstance(value, CFXStructure):
        return _object(value, _label(value) if value.LABELLED else value.type_name, switched=False)
    return _free(value)


def _label(structure: CFXStructure) -> str:
    return structure.type_name or f"{type(structure).CFX_NAME}, CFX"


def _object(structure: CFXStructure, label: str | None, *, switched: bool) -> dict[str, Any]:
    written: dict[str, Any] = {} if label is None else {"$type": label}
    for field, write in _plan(type(structure)):
        value = getattr(structure, field.attribute)
        if field.counted is not None:
            written[field.name] = len(getattr(structure, field.counted))
        elif value is None:
            if field.unset is not None and not field.nullable:
                written[field.name] = field.unset
            elif field.nullable and not structure.SPARSE:
                written[field.name] = None
        elif not (value is field.usual or (structure.SPARSE and value == [])):
            written[field.name] = write(value, switched)
    written.update((name, _free(member)) for name, member in (structure.__pydantic_extra__ or {}).items())
    return written


@cache
def _plan(kind: type[CFXStructure]) -> tuple[tuple[Declared, _Writer], ...]:
    fields = [field for field in declared(kind) if not field.replaced]
    # Attributes have their counts behind the lists that they count; the standard has them before.
    names = [field.attribute for field in fields]
    fields.sort(key=lambda field: (names.index(field.counted or field.attribute), field.counted is None))
    return tuple((field, _writer(field)) for field in fields)


def _writer(field: Declared) -> _Writer:
    one = _one(field)
    unswitched = False
    if field.many:
        return lambda value, _switched: [one(item, unswitched) for item in value]
    if field.mapping:
        return lambda value, _switched: {name: one(member, unswitched) for name, member in value.items()}
    return one


def _one(field: Declared) -> _Writer:
    kind = field.kind
    if issubclass(kind, CFXStructure):
        return _structure(field)
    if issubclass(kind, CFXEnum):
        return _member(kind)
    if kind in _PLAIN:
        return lambda value, _switched: value
    return lambda value, _switched: _free(value)


def _structure(field: Declared) -> _Writer:
    def write(value: Any, switched: bool) -> Any:
        if not isinstance(value, CFXStructure):
            return _free(value)
        labelled = field.labels is Labels.ALWAYS or (field.labels is Labels.BY_HOLDER and switched)
        label = _label(value) if labelled and type(value) is not field.kind else value.type_name
        return _object(value, label, switched=labelled and field.family is not None and not field.many)

    return write


def _member(enum: type[CFXEnum]) -> _Writer:
    numbers = {enum[name]: number for number, name in enum.numbers().items()}
    as_number = issubclass(enum, NumberEnum)

    def write(value: str, _switched: bool) -> Any:
        if isinstance(value, enum):
            return numbers[value] if as_number else value.value
        # A number that stands for no member travels as a bare number.
        return int(value) if _is_number(value) else value

    return write


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text.isascii() and str(int(text)) == text


def _free(value: Any) -> Any:  # noqa: PLR0911  # one line for each kind of value
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else write_not_finite(value)
    if isinstance(value, CFXStructure):
        return to_wire(value)
    if isinstance(value, list):
        return [_free(item) for item in value]
    if isinstance(value, dict):
        return {name: _free(member) for name, member in value.items()}
    if isinstance(value, datetime):
        return write_moment(value)
    if isinstance(value, timedelta):
        return write_span(value)
    if isinstance(value, Decimal):
        return write_decimal(value)
    return value


def write_moment(moment: datetime) -> str:
    """Give a time as ISO 8601 text, without trailing zeros in its fraction; with a zone if it had one."""
    text = (moment.replace(tzinfo=None) if moment.tzinfo is UNSAID else moment).isoformat()
    tenths = moment.tenths if isinstance(moment, FineTime) else 0
    if not (moment.microsecond or tenths):
        return text
    seconds, zone = text[:19], text[19:].lstrip(".0123456789")
    return f"{seconds}.{moment.microsecond:06}{tenths}".rstrip("0") + zone


def write_span(span: timedelta) -> str:
    """Give a time span as ``[-][d.]hh:mm:ss[.fffffff]``."""
    tenths = span.tenths if isinstance(span, FineSpan) else 0
    sign, span = ("-", -span) if span < timedelta() else ("", span)
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days = f"{span.days}." if span.days else ""
    fraction = f".{span.microseconds:06}{tenths}" if span.microseconds or tenths else ""
    return f"{sign}{days}{hours:02}:{minutes:02}:{seconds:02}{fraction}"


def write_decimal(number: Decimal) -> int | float | str:
    """Give a decimal as a number, or as its text where a JSON number would lose digits."""
    if not number.is_finite():
        return write_not_finite(float(number))
    if number == number.to_integral_value() and abs(number) < _EXACT:
        return int(number)
    return float(number) if Decimal(repr(float(number))) == number else str(number)


#: Whole numbers below this one are exact for every reader of JSON.
_EXACT: Final = 2**53


def write_not_finite(number: float) -> str:
    """Give the text that stands for a number that JSON can't hold."""
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"
