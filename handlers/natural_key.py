"""The trap of the natural key: WATS overwrites a run whose unit, process and start equal another's."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Final

from handlers import fact_keys as keys
from handlers.memory import FactStore
from pywats_api.wsjf import Report
from pywats_api.wsjf.values import iso_utc
from pywats_events.journal import Fact

_AT_ONCE: Final = 16
_KEPT: Final = 10_000


class NaturalKeys:
    """Gives each report a start that no other report of its unit and process has, the same on each try."""

    def __init__(self, memory: FactStore) -> None:
        self._memory = memory
        self._taken: OrderedDict[str, str] = OrderedDict()

    async def settle(self, report: Report, *, latest: datetime) -> int:
        """Set the report's start; give by how many milliseconds it was moved.

        Args:
            report: its start is changed where that is needed.
            latest: the receipt of the event, which the start of its report must not be after.
        """
        own = str(report.id)
        wished = min(report.start, latest.astimezone(report.start.tzinfo))
        wished = wished.replace(microsecond=wished.microsecond // 1000 * 1000)
        start_key = keys.report_start(own)
        first, count = 0, 1
        while True:
            moments = [wished + timedelta(milliseconds=first + step) for step in range(count)]
            candidates = {_key_of(report, moment): moment for moment in moments}
            facts = await self._memory.recall([start_key, *candidates])
            settled = facts.get(start_key)
            if settled and settled["of"] == _key_of(report, None):
                moment = datetime.fromisoformat(settled["start"])
                _set_start(report, moment)
                return int(settled["moved"])
            for moved, (key, moment) in enumerate(candidates.items(), start=first):
                if facts.get(key, {}).get("report", own) == own and self._take(key, own):
                    await self._remember(report, key, moment, moved)
                    return moved
            first, count = first + count, _AT_ONCE

    def _take(self, key: str, own: str) -> bool:
        """Take a key before the journal knows of it: another report may look for one just now."""
        if self._taken.setdefault(key, own) != own:
            return False
        while len(self._taken) > _KEPT:
            self._taken.popitem(last=False)
        return True

    async def _remember(self, report: Report, key: str, moment: datetime, moved: int) -> None:
        own = str(report.id)
        now = datetime.now(UTC)
        try:
            await self._memory.remember(
                [
                    Fact(key=key, value={"report": own}, time=now),
                    Fact(
                        key=keys.report_start(own),
                        value={"of": _key_of(report, None), "start": moment.isoformat(), "moved": moved},
                        time=now,
                    ),
                ]
            )
        except BaseException:
            self._taken.pop(key, None)
            raise
        _set_start(report, moment)


def _key_of(report: Report, moment: datetime | None) -> str:
    return keys.report_key(report.sn, report.pn, report.process_code, iso_utc(moment) if moment else "")


def _set_start(report: Report, moment: datetime) -> None:
    report.start = moment
    report.start_utc = moment
