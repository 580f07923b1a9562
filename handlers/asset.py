"""Faults of machines become lines in the log of the station's asset."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from handlers import fact_keys as keys
from handlers.asset_log import AssetLog, LogOfAssets, marked, zoned
from handlers.asset_places import AssetPlace, station_place
from handlers.memory import FactStore
from handlers.report_header import operator_of
from handlers.rules import Rules
from handlers.wats import DESTINATION, unfit_data
from pywats_events.errors import PermanentError
from pywats_events.event import Event, EventType
from pywats_events.handler import BaseHandler, Done, Dropped
from pywats_events.journal import Fact
from pywats_events.payloads import (
    AssetFaultAcknowledgedEvent,
    AssetFaultClearedEvent,
    AssetFaultEvent,
    parse,
)

_HOUR: Final = timedelta(hours=1)


class AssetSink(Protocol):
    """The part of the WATS client that is used here."""

    @property
    def asset(self) -> LogOfAssets:
        """Assets."""


class FaultHandler(BaseHandler):
    """Writes faults, that they were seen, and that they are over, into the log of the station's asset.

    | event (CFX) | ``POST /api/Asset/Message`` |
    |---|---|
    | ASSET_FAULT (FaultOccurred) | ``Fault code severity cause description [occurrence] time #event`` |
    | ASSET_FAULT_ACKNOWLEDGED (FaultAcknowledged) | ``Fault code acknowledged after 0:00:40 by ...`` |
    | ASSET_FAULT_CLEARED (FaultCleared) | ``Fault code cleared after 0:02:10 by ...`` |

    The asset is the one that the station's rule names, else its machine name. Faults that ``[faults]`` gives
    nothing make no line, nor do their ends. The state of the asset stays as it is: a fault is no state.

    A line ends with a part of the event's id, by which it is found when WATS may have it already.
    """

    name = "asset-faults"
    destination = DESTINATION

    def __init__(self, api: AssetSink, rules: Rules, memory: FactStore) -> None:
        """Make the handler.

        Args:
            api: the WATS client.
            rules: the configuration.
            memory: the journal, or the part of it that keeps facts.
        """
        self._log = AssetLog(api.asset, rules.assets, memory)
        self._rules = rules
        self._memory = memory

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """Faults, that they were seen, and their end."""
        return EventType.ASSET_FAULT, EventType.ASSET_FAULT_ACKNOWLEDGED, EventType.ASSET_FAULT_CLEARED

    async def handle(self, event: Event) -> Done | Dropped:
        """Write the line."""
        with unfit_data("payload"):
            payload = parse(event)
        handle = event.source or str(event.payload.get("asset_id", ""))
        place = station_place(self._rules.station(handle), handle)
        if isinstance(payload, AssetFaultEvent):
            said = await self._occurred(event, payload, place)
        elif isinstance(payload, AssetFaultAcknowledgedEvent | AssetFaultClearedEvent):
            said = await self._followed(event, payload)
        else:
            raise PermanentError(f"{event.event_type.value} events are not about faults")
        return said if isinstance(said, Dropped) else await self._log.write(event, place, said)

    async def _occurred(self, event: Event, fault: AssetFaultEvent, place: AssetPlace) -> str | Dropped:
        if self._rules.faults.fate(fault.fault_code, fault.severity) == "nothing":
            return _unwanted(fault.severity)
        if not await self._has_room(event, place):
            return Dropped(f'more than {self._rules.faults.per_hour} faults of "{place.serial}" in an hour')
        words = ["Fault", fault.fault_code, fault.severity, fault.cause, description_of(fault)]
        return marked(words, event, reference=fault.occurrence_id, when=fault.occurred_at)

    async def _followed(
        self, event: Event, later: AssetFaultAcknowledgedEvent | AssetFaultClearedEvent
    ) -> str | Dropped:
        is_over = isinstance(later, AssetFaultClearedEvent)
        if not is_over and not self._rules.faults.acknowledged:
            return Dropped("that a fault was seen makes no line (faults.acknowledged is off)")
        fault = await fault_of(self._memory, event, later.occurrence_id)
        if self._rules.faults.fate(fault.get("code"), fault.get("severity")) == "nothing":
            return _unwanted(fault.get("severity"))
        words = ["Fault", fault.get("code"), "cleared" if is_over else "acknowledged"]
        began = fault.get("occurred_at") or fault.get("at")
        if began:
            lasted = event.time - zoned(datetime.fromisoformat(began), event)
            if lasted.total_seconds() >= 0:
                words.append(f"after {str(lasted).split('.', 1)[0]}")
        operator = operator_of(later.operator, self._rules.report)
        words.append(f"by {operator}" if operator else None)
        return marked(words, event, reference=later.occurrence_id)

    async def _has_room(self, event: Event, place: AssetPlace) -> bool:
        """Keep a machine that stutters from flooding the log; a fault that was let in once stays let in."""
        most = self._rules.faults.per_hour
        if most is None:
            return True
        key = keys.faults_logged(place.serial)
        noted: Mapping[str, str] = (await self._memory.recall([key])).get(key, {}).get("events", {})
        if event.id in noted:
            return True
        recent = {one: at for one, at in noted.items() if event.time - datetime.fromisoformat(at) < _HOUR}
        if len(recent) >= most:
            return False
        events = {**recent, event.id: event.time.isoformat()}
        await self._memory.remember([Fact(key=key, value={"events": events}, time=datetime.now(UTC))])
        return True


async def fault_of(memory: FactStore, event: Event, occurrence: str | None) -> dict[str, Any]:
    """Give what is known of the fault that an event is about by its occurrence."""
    if not occurrence:
        return {}
    key = keys.fault(event.source or str(event.payload.get("asset_id", "")), occurrence)
    return dict((await memory.recall([key])).get(key, {}))


def description_of(fault: AssetFaultEvent) -> str:
    """Give the text of a fault: its own, else the English one, else any."""
    others = fault.translations
    return fault.description or others.get("en") or next(iter(others.values()), "")


def _unwanted(severity: str | None) -> Dropped:
    return Dropped(
        f"faults of severity {severity or 'unknown'} make no line (faults.severities, faults.codes)"
    )
