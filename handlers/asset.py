"""Faults of machines become lines in the log of the station's asset."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog

from handlers import fact_keys as keys
from handlers.memory import FactStore
from handlers.report_header import operator_of
from handlers.rules import Rules
from handlers.wats import DESTINATION, unfit_data, wats_failures
from pywats_api.asset import Asset, AssetLogEntry, AssetType
from pywats_api.errors import NotFoundError
from pywats_api.wsjf import clean_text
from pywats_events.errors import PermanentError
from pywats_events.event import Event, EventType
from pywats_events.handler import BaseHandler, Done, Dropped
from pywats_events.journal import Fact
from pywats_events.payloads import AssetFaultClearedEvent, AssetFaultEvent, parse

_log = structlog.get_logger(__name__)

_TEXT_LENGTH: Final = 1000
_ID_LENGTH: Final = 12
_LOG_LINES: Final = 1000


class Assets(Protocol):
    """``api.asset``."""

    async def post_message(self, text: str, /, *, serial_number: str) -> None:
        """Write a line into an asset's log."""

    async def get_asset_log(self, filter_str: str, /, *, top: int) -> Sequence[AssetLogEntry]:
        """Log lines, newest first."""

    async def get_asset_types(self, filter_str: str, /, *, top: int) -> Sequence[AssetType]:
        """Asset types."""

    async def create_asset(self, serial_number: str, type_id: str, /, *, location: str) -> Asset:
        """Register an asset."""


class AssetSink(Protocol):
    """The part of the WATS client that is used here."""

    @property
    def asset(self) -> Assets:
        """Assets."""


class FaultHandler(BaseHandler):
    """Writes faults, and that they are over, into the log of the station's asset.

    | event | line in the log |
    |---|---|
    | ASSET_FAULT | ``Fault code severity cause description [occurrence] time #event`` |
    | ASSET_FAULT_CLEARED | ``Fault code cleared after 0:02:10 by operator [occurrence] time #event`` |

    The asset is the one that the station's rule names, else its machine name. Ignored severities make no
    line, nor does the end of such a fault. The state of the asset stays as it is.

    A message that is sent twice makes two lines. So each line ends with a part of the event's id, and one
    that may have been sent before is looked for in the log first.
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
        self._api = api
        self._rules = rules
        self._memory = memory

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """Faults, and their end."""
        return EventType.ASSET_FAULT, EventType.ASSET_FAULT_CLEARED

    async def handle(self, event: Event) -> Done | Dropped:
        """Write the line."""
        with unfit_data("payload"):
            payload = parse(event)
        if isinstance(payload, AssetFaultClearedEvent):
            said = await self._cleared(event, payload)
        elif isinstance(payload, AssetFaultEvent):
            said = self._occurred(event, payload)
        else:
            raise PermanentError(f"{event.event_type.value} events are not about faults")
        if isinstance(said, Dropped):
            return said
        return await self._write(event, said)

    def _occurred(self, event: Event, fault: AssetFaultEvent) -> str | Dropped:
        if self._is_ignored(fault.severity):
            return _ignored(fault.severity)
        others = fault.translations
        description = fault.description or others.get("en") or next(iter(others.values()), "")
        words = ["Fault", fault.fault_code, fault.severity, fault.cause, description]
        return _line(words, fault.occurrence_id, fault.occurred_at or event.time, event)

    async def _cleared(self, event: Event, cleared: AssetFaultClearedEvent) -> str | Dropped:
        fault = await self._fault_of(event, cleared)
        if self._is_ignored(fault.get("severity")):
            return _ignored(fault.get("severity"))
        words = ["Fault", fault.get("code"), "cleared"]
        began = fault.get("occurred_at") or fault.get("at")
        if began:
            lasted = event.time - _aware(datetime.fromisoformat(began), event)
            if lasted.total_seconds() >= 0:
                words.append(f"after {str(lasted).split('.', 1)[0]}")
        operator = operator_of(cleared.operator, self._rules.report)
        words.append(f"by {operator}" if operator else None)
        return _line(words, cleared.occurrence_id, event.time, event)

    async def _fault_of(self, event: Event, cleared: AssetFaultClearedEvent) -> dict[str, Any]:
        if not cleared.occurrence_id:
            return {}
        key = keys.fault(event.source or cleared.asset_id, cleared.occurrence_id)
        return dict((await self._memory.recall([key])).get(key, {}))

    def _is_ignored(self, severity: str | None) -> bool:
        wanted = (severity or "").strip().lower()
        return any(wanted == one.strip().lower() for one in self._rules.faults.ignored_severities)

    async def _write(self, event: Event, text: str) -> Done | Dropped:
        handle = event.source or str(event.payload.get("asset_id", ""))
        station = self._rules.station(handle)
        location = station.named(station.location, handle)
        serial = station.asset or station.named(station.machine_name, handle)
        tried = keys.asset_message_tried(event.id)
        with wats_failures():
            if tried in await self._memory.recall([tried]):
                if await self._is_in_log(serial, _mark(event)):
                    return Done({"asset": serial, "message": text, "found": "sent by an earlier try"})
            else:
                await self._memory.remember(
                    [Fact(key=tried, value={"asset": serial}, time=datetime.now(UTC))]
                )
            try:
                await self._api.asset.post_message(text, serial_number=serial)
            except NotFoundError:
                if not self._rules.faults.create_assets:
                    return Dropped(f'asset "{serial}" is not registered in WATS (create_assets is off)')
                await self._register(serial, location)
                await self._api.asset.post_message(text, serial_number=serial)
        _log.debug("fault logged", event_id=event.id, asset=serial)
        return Done({"asset": serial, "message": text})

    async def _is_in_log(self, serial: str, mark: str) -> bool:
        lines = await self._api.asset.get_asset_log(f"serialNumber eq {_quoted(serial)}", top=_LOG_LINES)
        return any(mark in (said or "") for line in lines for said in (line.comment, line.value))

    async def _register(self, serial: str, location: str) -> None:
        name = self._rules.faults.asset_type or ""
        types = await self._api.asset.get_asset_types(f"typeName eq {_quoted(name)}", top=1)
        type_id = types[0].type_id if types else None
        if type_id is None:
            raise PermanentError(f'asset "{serial}": WATS has no asset type "{name}"; see faults.asset_type')
        await self._api.asset.create_asset(serial, type_id, location=location)
        _log.info("asset registered", asset=serial, asset_type=name)


def _ignored(severity: str | None) -> Dropped:
    return Dropped(f"faults of severity {severity or 'unknown'} make no line (ignored_severities)")


def _line(words: Sequence[str | None], occurrence: str | None, when: datetime, event: Event) -> str:
    said = " ".join(" ".join(word.split()) for word in words if word and word.strip())
    when = _aware(when, event)
    ending = [f"[{occurrence}]"] if occurrence else []
    ending += [when.isoformat(timespec="seconds"), _mark(event)]
    return f"{clean_text(said, _TEXT_LENGTH)} {clean_text(' '.join(ending), _TEXT_LENGTH)}"


def _mark(event: Event) -> str:
    """Give what a line is found by: the end of the id, where ids of one message differ."""
    return f"#{clean_text(event.id[-_ID_LENGTH:], _ID_LENGTH)}"


def _aware(when: datetime, event: Event) -> datetime:
    return when if when.tzinfo else when.replace(tzinfo=event.time.tzinfo)


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
