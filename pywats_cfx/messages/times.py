"""Times and time spans, to the tenth of a microsecond that the standard's writers give."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Final, SupportsIndex, TypeAlias

from pydantic import GetCoreSchemaHandler as Handler
from pydantic_core import CoreSchema, PydanticCustomError, SchemaValidator, core_schema

from pywats_cfx.messages.value_types import ValueType

#: Years of the unset times.
_FIRST: Final = 1
_LAST: Final = 9999

#: Zone of a time whose sender named none: read as UTC (and equal to it), written without a zone again.
UNSAID: Final = timezone(timedelta(0), "unsaid")


class FineTime(datetime):
    """A time with a seventh digit behind the second, which ``datetime`` has no room for.

    It equals the plain time without that digit; calculating with it gives plain precision.

    Attributes:
        tenths: tenths of a microsecond, 0 to 9.
    """

    tenths: int = 0

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return *super().__reduce_ex__(protocol)[:2], {"tenths": self.tenths}


class FineSpan(timedelta):
    """A time span with a seventh digit behind the second.

    Attributes:
        tenths: tenths of a microsecond, 0 to 9, in the direction of the span.
    """

    tenths: int = 0

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return *super().__reduce_ex__(protocol)[:2], {"tenths": self.tenths}


_ANY_MOMENT: Final = SchemaValidator(core_schema.datetime_schema())
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
#: In ``2018-10-03T16:02:33.2831981-04:00``: a dash, the point, the seventh digit, those before it.
_DASH: Final = 4
_POINT: Final = 19
_SEVENTH: Final = 26
_SIX: Final = slice(20, 26)
_DIGITS: Final = frozenset("123456789")


def _read_moment(value: Any) -> datetime | None:
    """Read a time as the standard's writers write it, as nearly all are written; others the long way."""
    try:
        if value[_DASH] != "-":  # a bare number would be taken as seconds since 1970
            return _read_other_moment(value)
        fine = value[_SEVENTH : _SEVENTH + 1] in _DIGITS and value[_POINT] == "." and value[_SIX].isdecimal()
        moment: datetime = (FineTime if fine else datetime).fromisoformat(value)
    except (ValueError, TypeError, LookupError):
        return _read_other_moment(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UNSAID)
    if fine:
        moment.tenths = int(value[_SEVENTH])  # type: ignore[attr-defined]  # it is a FineTime
    return moment if _FIRST < moment.year < _LAST else None


def _read_other_moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return known_moment(value)
    text = value.strip() if isinstance(value, str) else ""
    if not _DATE.match(text):
        raise PydanticCustomError(
            "cfx_moment", "should be an ISO 8601 time such as 2026-03-01T10:00:00+01:00"
        )
    return known_moment(_ANY_MOMENT.validate_python(text))


def known_moment(value: datetime) -> datetime | None:
    """Give a time with its zone, which is UTC where none is said; the unset ones are None.

    Unset is the first moment that the standard's writers know, and some senders use the last.
    """
    if not _FIRST < value.year < _LAST:
        return None
    return value if value.tzinfo else value.replace(tzinfo=UNSAID)


class _Moment(ValueType):
    unset = "0001-01-01T00:00:00"

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Handler) -> CoreSchema:
        read = core_schema.no_info_plain_validator_function(_read_moment)
        return core_schema.nullable_schema(read)


#: A time. One without zone is read as UTC; the unset ones (0001-01-01, 9999-12-31) are None.
Moment: TypeAlias = Annotated[datetime | None, _Moment()]

_SPAN: Final = re.compile(r"\s*(-)?(?:(\d{1,8})\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7})\d*)?)?\s*")


def _read_span(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None and isinstance(value, str) and value.lstrip("+- ").startswith("P"):
        return _ANY_SPAN.validate_python(value.strip())  # type: ignore[no-any-return]
    if match is None:
        raise PydanticCustomError("cfx_span", "should be a time span such as 00:01:25 or 1.02:03:04.5")
    sign, days, hours, minutes, seconds, fraction = match.groups()
    microseconds, tenths = divmod(int((fraction or "0").ljust(7, "0")), 10)
    span = timedelta(
        days=int(days or 0),
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds or 0),
        microseconds=microseconds,
    )
    span = -span if sign else span
    if not tenths:
        return span
    fine = FineSpan(span.days, span.seconds, span.microseconds)
    fine.tenths = tenths
    return fine


_ANY_SPAN: Final = SchemaValidator(core_schema.timedelta_schema())


class _Span(ValueType):
    def __get_pydantic_core_schema__(self, _source: Any, _handler: Handler) -> CoreSchema:
        read = core_schema.no_info_plain_validator_function(_read_span)
        return core_schema.nullable_schema(read)


#: A time span, ``[-][d.]hh:mm:ss[.fffffff]`` on the wire; the ISO 8601 form (``PT1M25S``) is read as well.
Span: TypeAlias = Annotated[timedelta | None, _Span()]
