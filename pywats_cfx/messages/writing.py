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
    kind = type(structure)
    values = structure.__dict__
    written: dict[str, Any] = {} if label is None else {"$type": label}
    for attribute, name, write, unset in _plan(kind):
        value = values.get(attribute)
        if value is None:
            if unset is not _LEFT_OUT:
                written[name] = unset
        else:
            written[name] = value if write is None else write(value, switched)
    for name, usual in _usual(kind):
        if written.get(name) is usual:
            del written[name]
    if kind.SPARSE:
        written = {name: value for name, value in written.items() if value is not None and value != []}
    if structure.__pydantic_extra__:
        written.update((name, _free(member)) for name, member in structure.__pydantic_extra__.items())
    return written


#: In place of what is written where nobody said a value: nothing is.
_LEFT_OUT: Final = object()


@cache
def _plan(kind: type[CFXStructure]) -> tuple[tuple[str, str, _Writer | None, Any], ...]:
    """Give for each field its attribute, name, writer (None: as it is), and what stands for nothing said."""
    fields = [field for field in declared(kind) if not field.replaced]
    # Attributes have their counts behind the lists that they count; the standard has them before.
    names = [field.attribute for field in fields]
    fields.sort(key=lambda field: (names.index(field.counted or field.attribute), field.counted is None))
    return tuple(
        (field.attribute, field.name, _writer(field), _unset(field))
        if field.counted is None
        else (field.counted, field.name, _count, 0)
        for field in fields
    )


@cache
def _usual(kind: type[CFXStructure]) -> tuple[tuple[str, bool], ...]:
    return tuple((field.name, field.usual) for field in declared(kind) if field.usual is not None)


def _unset(field: Declared) -> Any:
    if field.nullable:
        return None
    return _LEFT_OUT if field.unset is None else field.unset


def _count(value: Any, _switched: bool) -> int:
    return len(value)


def _writer(field: Declared) -> _Writer | None:
    one = _one(field)
    if field.many:
        return _list if one is None else _list_of(one)
    if field.mapping:
        return lambda value, _switched: _free(value)
    return one


def _list(value: list[Any], _switched: bool) -> list[Any]:
    return list(value)


def _list_of(one: _Writer) -> _Writer:
    switched = False  # a label on the list's field is for its items, not for what they hold
    return lambda value, _switched: [one(item, switched) for item in value]


def _one(field: Declared) -> _Writer | None:
    kind = field.kind
    if issubclass(kind, CFXStructure):
        return _structure(field)
    if issubclass(kind, CFXEnum):
        return _member(kind)
    if kind in _PLAIN:
        return None
    return _number if kind is float else lambda value, _switched: _free(value)


def _number(value: Any, _switched: bool) -> Any:
    return value if isinstance(value, int) or math.isfinite(value) else write_not_finite(value)


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


#: Where the fraction begins and ends in 2018-10-03T16:02:33.283198-04:00.
_DOT: Final = 19
_ZONE: Final = 26
#: By its name, because a copy of the zone is another object.
_UNSAID: Final = UNSAID.tzname(None)


def write_moment(moment: datetime) -> str:
    """Give a time as ISO 8601 text, without trailing zeros in its fraction; with a zone if it had one."""
    text = moment.isoformat(timespec="microseconds")
    seconds, fraction, zone = text[:_DOT], text[_DOT:_ZONE], text[_ZONE:]
    if isinstance(moment, FineTime):
        fraction += str(moment.tenths)
    return seconds + fraction.rstrip("0").rstrip(".") + ("" if moment.tzname() == _UNSAID else zone)


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
