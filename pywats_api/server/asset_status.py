"""When an asset is due, and how it stands against the limits of its type."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pywats_api.server.rules import parse_moment

EXTERNAL = -2
_FULL = 100.0
_OK, _WARNING, _ALARM = "OK", "Warning", "Alarm"
_TEXTS = {
    "RunningCount": "The running count is {value:g} of {limit:g}.",
    "TotalCount": "The total count is {value:g} of {limit:g}.",
    "Calibration": "{value:.0f} of {limit:.0f} days since the last calibration have passed.",
    "Maintenance": "{value:.0f} of {limit:.0f} days since the last maintenance have passed.",
}


class _Use(NamedTuple):
    """How much of a limit is used."""

    what: str
    value: float
    limit: float

    @property
    def percent(self) -> float:
        return _FULL * self.value / self.limit


def due_dates(asset: Mapping[str, Any], asset_type: Mapping[str, Any]) -> dict[str, str | None]:
    """The next calibration and maintenance: as another system said, else the interval after the last one."""
    return {
        f"next{what}Date": asset.get(f"external{what}Date") or _after_interval(asset, asset_type, what)
        for what in ("Calibration", "Maintenance")
    }


def _after_interval(asset: Mapping[str, Any], asset_type: Mapping[str, Any], what: str) -> str | None:
    interval = asset_type.get(f"{what.lower()}Interval") or 0
    last = asset.get(f"last{what}Date")
    if interval <= 0 or not last:
        return None
    try:
        return (parse_moment(last) + timedelta(days=interval)).isoformat()
    except OverflowError:  # beyond the year 9999 is never
        return None


def status_of(
    asset: Mapping[str, Any], asset_type: Mapping[str, Any], now: datetime, *, translate: bool
) -> dict[str, Any]:
    """The server's evaluation: the worst of what the counts and the dates say."""
    uses = list(_uses(asset, asset_type, now))
    verdicts = {use: _verdict(use, asset_type) for use in uses}
    status = next((verdict for verdict in (_ALARM, _WARNING) if verdict in verdicts.values()), _OK)
    reasons = [_reason(use, verdicts[use], translate) for use in uses if verdicts[use] != _OK]
    return {
        "status": status,
        "message": (" " if translate else ";").join(reasons),
        "runningCount": asset["runningCount"],
        "runningCountExceeded": _exceeded(asset["runningCount"], asset_type.get("runningCountLimit")),
        "totalCount": asset["totalCount"],
        "totalCountExceeded": _exceeded(asset["totalCount"], asset_type.get("totalCountLimit")),
        "calibrationDaysOverdue": _days_overdue(asset.get("nextCalibrationDate"), now),
        "maintenanceDaysOverdue": _days_overdue(asset.get("nextMaintenanceDate"), now),
        "daysSinceCalibration": _days_since(asset.get("lastCalibrationDate"), now),
        "daysSinceMaintenance": _days_since(asset.get("lastMaintenanceDate"), now),
    }


def _uses(asset: Mapping[str, Any], asset_type: Mapping[str, Any], now: datetime) -> Iterator[_Use]:
    for what in ("running", "total"):
        limit = asset_type.get(f"{what}CountLimit") or 0
        if limit > 0:
            yield _Use(f"{what.capitalize()}Count", asset[f"{what}Count"], limit)
    for what in ("Calibration", "Maintenance"):
        last, due = asset.get(f"last{what}Date"), asset.get(f"next{what}Date")
        if last and due:
            days = (parse_moment(due) - parse_moment(last)) / timedelta(days=1)
            yield _Use(what, _days_since(last, now) or 0.0, max(days, 1e-9))


def _verdict(use: _Use, asset_type: Mapping[str, Any]) -> str:
    alarm = asset_type.get("alarmThreshold") or _FULL
    warning = asset_type.get("warningThreshold") or alarm
    if use.percent >= alarm:
        return _ALARM
    return _WARNING if use.percent >= warning else _OK


def _reason(use: _Use, verdict: str, translate: bool) -> str:
    return _TEXTS[use.what].format(value=use.value, limit=use.limit) if translate else f"{use.what}{verdict}"


def _exceeded(count: int, limit: int | None) -> int:
    return max(count - limit, 0) if limit is not None and limit > 0 else 0


def _days_since(moment: str | None, now: datetime) -> float | None:
    return round((now.astimezone(UTC) - parse_moment(moment)) / timedelta(days=1), 3) if moment else None


def _days_overdue(due: str | None, now: datetime) -> int:
    return max((now.astimezone(UTC) - parse_moment(due)).days, 0) if due else 0
