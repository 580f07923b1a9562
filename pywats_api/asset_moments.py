"""Points in time of assets: with an offset, and still at ease with times that have none."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Self, overload

from pydantic import AfterValidator


class Moment(datetime):
    """A point in time with an offset that also compares with times without one, read as local time.

    Due dates are compared with ``datetime.now()`` as often as with ``datetime.now(UTC)``; both give what is
    meant. Only ``==`` keeps Python's rule: a time without offset equals none that has one.
    """

    @classmethod
    def of(cls, moment: datetime) -> Self:
        """`moment` itself; without an offset, as the server may send it, it is UTC."""
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return cls.combine(aware.date(), aware.timetz())

    def __lt__(self, other: date) -> bool:
        return super().__lt__(_with_offset(other))

    def __le__(self, other: date) -> bool:
        return super().__le__(_with_offset(other))

    def __gt__(self, other: date) -> bool:
        return super().__gt__(_with_offset(other))

    def __ge__(self, other: date) -> bool:
        return super().__ge__(_with_offset(other))

    @overload  # type: ignore[override]  # wider than datetime's own, as is the point
    def __sub__(self, other: datetime) -> timedelta: ...
    @overload
    def __sub__(self, other: timedelta) -> Self: ...
    def __sub__(self, other: datetime | timedelta) -> timedelta | Self:
        difference: timedelta | Self = super().__sub__(_with_offset(other))
        return difference

    def __rsub__(self, other: datetime) -> timedelta:
        return -self.__sub__(other)


def _with_offset(other: Any) -> Any:
    # What is no point in time is left to datetime, which knows what to do with it.
    return other.astimezone() if isinstance(other, datetime) and other.tzinfo is None else other


def _read(moment: datetime | None) -> datetime | None:
    """Read a date of the server; .NET's first day stands for "never"."""
    return None if moment is None or moment.year == 1 else Moment.of(moment)


AssetMoment = Annotated[datetime | None, AfterValidator(_read)]


def as_query(moment: datetime | None) -> str | None:
    """A time as queries carry it, in UTC; without an offset it is local time."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
