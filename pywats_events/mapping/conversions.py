"""From what senders write to numbers, times and verdicts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

_NUMBER: Final = re.compile(
    r"([+-]?[0-9]{1,300}(?:\.[0-9]{0,300})?(?:[eE][+-]?[0-9]{1,3})?)\s*(.{0,40})", re.DOTALL
)
_OFFSET: Final = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])")
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_LONGEST_SAID: Final = 60
_LONGEST_NUMBER: Final = 400

#: The words for verdicts that small testers use, in lower case.
VERDICTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("pass", "passed", "ok", "p", "true", "good", "go"), "passed"),
    **dict.fromkeys(
        ("fail", "failed", "nok", "not ok", "ng", "f", "false", "bad", "nogo", "no go"), "failed"
    ),
    **dict.fromkeys(("error", "err", "e"), "error"),
    **dict.fromkeys(("abort", "aborted", "terminated", "cancelled", "canceled", "stopped"), "aborted"),
    **dict.fromkeys(("skip", "skipped", "not tested", "notrun", "not run"), "skipped"),
}


class ConversionError(ValueError):
    """A value is not what the rule says it is."""


def said(value: Any) -> str:
    """Give a value of a message as it may stand in an error."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = str(value).encode(errors="replace").decode()
    text = text if len(text) <= _LONGEST_SAID else f"{text[:_LONGEST_SAID]}..."
    return f'"{text}"' if isinstance(value, str) else text


def number_of(value: Any, *, mark: Literal["point", "comma"], unit: str | None = None) -> float | int:
    """Read a number, written with this decimal mark and, where one is named, its unit.

    Raises:
        ConversionError: it is none.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise ConversionError(f"{said(value)} is no number")
    text = value.strip()
    if mark == "comma":
        if "." in text.removesuffix(unit or "\0"):
            raise ConversionError(f"{said(value)} has a point, where the decimal mark is a comma")
        text = text.replace(",", ".", 1)
    found = _NUMBER.fullmatch(text) if len(text) <= _LONGEST_NUMBER else None
    if found is None:
        raise ConversionError(f"{said(value)} is no number with a decimal {mark}")
    digits, rest = found.groups()
    rest = rest.strip()
    if rest and rest != unit:
        wanted = f'in "{unit}"' if unit else "without a unit"
        raise ConversionError(f"{said(value)} is no number {wanted}")
    if digits.lstrip("+-").isdigit():
        return int(digits)
    number = float(digits)
    if not math.isfinite(number):
        raise ConversionError(f"{said(value)} is too large a number")
    return number


def zone_of(name: str) -> tzinfo:
    """Give a time zone: ``Europe/Berlin``, ``UTC`` or ``+02:00``.

    Raises:
        ValueError: there is none of that name.
    """
    if found := _OFFSET.fullmatch(name):
        sign, hours, minutes = found.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-offset if sign == "-" else offset)
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as error:
        raise ValueError(
            f'"{name}" is no time zone; write a name such as Europe/Berlin, UTC, or an offset such as +02:00'
        ) from error


def time_reader(form: str, zone: tzinfo) -> Callable[[Any], datetime]:
    """Give the function that reads times of one form.

    Args:
        form: ``iso``, ``epoch`` (seconds since 1970), ``epoch_ms``, or the form with ``%`` that
            ``datetime.strptime`` reads.
        zone: where the sender's clock is, for times that do not say it.

    Raises:
        ValueError: there is no such form.
    """
    if form in _PER_SECOND:
        return lambda value: _since_1970(value, _PER_SECOND[form])
    if form == "iso":
        return lambda value: _written(value, zone, datetime.fromisoformat, "ISO 8601")
    if "%" in form:
        try:
            datetime.strptime(_EARLIEST.strftime(form), form)  # noqa: DTZ007  # only whether it can be read
        except ValueError as error:
            raise ValueError(f'time = "{form}": {error}') from None
        return lambda value: _written(value, zone, lambda text: datetime.strptime(text, form), f'"{form}"')  # noqa: DTZ007
    raise ValueError(f'time = "{form}": write iso, epoch, epoch_ms or a form such as "%d.%m.%Y %H:%M:%S"')


_PER_SECOND: Final = {"epoch": 1, "epoch_ms": 1000}


def _since_1970(value: Any, per_second: int) -> datetime:
    number = number_of(value, mark="point")
    try:
        moment = _EARLIEST + timedelta(microseconds=round(number * (1_000_000 // per_second)))
    except OverflowError:
        moment = None
    return _sane(moment, value, "seconds" if per_second == 1 else "milliseconds")


def _written(value: Any, zone: tzinfo, read: Callable[[str], datetime], form: str) -> datetime:
    if not isinstance(value, str):
        raise ConversionError(f"{said(value)} is no text with a time as {form}")
    try:
        moment = read(value.strip())
    except (ValueError, OverflowError):
        raise ConversionError(f"{said(value)} is no time as {form}") from None
    return _sane(moment if moment.tzinfo else moment.replace(tzinfo=zone), value, form)


def _sane(moment: datetime | None, value: Any, form: str) -> datetime:
    try:
        is_sane = moment is not None and _EARLIEST <= moment < _LATEST
    except OverflowError:  # an offset that leads out of the calendar
        is_sane = False
    if moment is None or not is_sane:
        raise ConversionError(f"{said(value)}, read as {form}, is not between 1970 and 2200")
    return moment


def table_text(value: Any) -> str:
    """Give the text by which a value is looked for in a table.

    Raises:
        ConversionError: it has none.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (int, float)):
        return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else str(value)  # noqa: PLR2004
    raise ConversionError(f"{said(value)} can't be looked for in a table")
