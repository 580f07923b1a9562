"""Maintenance and calibration of stations become records of their assets; what stations note, lines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from handlers.asset_log import AssetLog, LogOfAssets, marked, zoned
from handlers.asset_places import AssetPlace, station_place
from handlers.memory import FactStore
from handlers.patterns import fits
from handlers.report_header import operator_of
from handlers.rules import Rules
from handlers.wats import DESTINATION, unfit_data
from pywats_events.errors import PermanentError
from pywats_events.event import Event, EventType
from pywats_events.handler import BaseHandler, Done, Dropped
from pywats_events.payloads import (
    AssetCalibrationEvent,
    AssetLogEvent,
    AssetMaintenanceEvent,
    AssetOfflineEvent,
    AssetOnlineEvent,
    MaintenanceTask,
    Tool,
    ToolChangedEvent,
    ToolCleanedEvent,
    parse,
)


class UpkeepOfAssets(LogOfAssets, Protocol):
    """``api.asset``, as far as maintenance and calibration go."""

    async def record_maintenance(
        self, *, serial_number: str, comment: str, maintenance_date: datetime
    ) -> Any:
        """Say that an asset was maintained; raises NotFoundError where there is no such asset."""

    async def record_calibration(
        self, *, serial_number: str, comment: str, calibration_date: datetime
    ) -> Any:
        """Say that an asset was calibrated; raises as above."""

    async def reset_running_count(self, *, serial_number: str, comment: str) -> Any:
        """Set the running count to 0; raises as above."""


class UpkeepSink(Protocol):
    """The part of the WATS client that is used here."""

    @property
    def asset(self) -> UpkeepOfAssets:
        """Assets."""


class UpkeepHandler(BaseHandler):
    """Records maintenance and calibration, with their dates, at the station's asset.

    | event (CFX) | becomes |
    |---|---|
    | ASSET_MAINTENANCE (MaintenancePerformed) of an ``upkeep.maintenance`` | ``POST Asset/Maintenance`` |
    | the same, with ``upkeep.reset_count`` | also ``POST Asset/ResetRunningCount`` |
    | other kinds | a line in the log |
    | what a machine tells of its condition (Resource...Event) | nothing |
    | ASSET_CALIBRATION (CalibrationPerformed), ``upkeep.calibrations``, Ok | ``POST Asset/Calibration`` |
    | the same, not Ok | a line in the log |
    | other codes | nothing, or a line (``upkeep.routine``) |

    | member | from |
    |---|---|
    | ``dateTime`` | time of the maintenance's message; ``CalibrationTime``, else the message |
    | ``comment`` | order, job, tasks, hours and people; code, kind, comments and values of a calibration |

    Each record makes a line in the log, so it is looked for before it is made again, as any line.
    """

    name = "asset-upkeep"
    destination = DESTINATION

    def __init__(self, api: UpkeepSink, rules: Rules, memory: FactStore) -> None:
        """Make the handler.

        Args:
            api: the WATS client.
            rules: the configuration.
            memory: the journal, or the part of it that keeps facts.
        """
        self._assets = api.asset
        self._log = AssetLog(api.asset, rules.assets, memory)
        self._rules = rules

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """Maintenance and calibration."""
        return EventType.ASSET_MAINTENANCE, EventType.ASSET_CALIBRATION

    async def handle(self, event: Event) -> Done | Dropped:
        """Record it."""
        with unfit_data("payload"):
            payload = parse(event)
        handle = event.source or str(event.payload.get("asset_id", ""))
        place = station_place(self._rules.station(handle), handle)
        if isinstance(payload, AssetMaintenanceEvent):
            return await self._maintained(event, place, payload)
        if isinstance(payload, AssetCalibrationEvent):
            return await self._calibrated(event, place, payload)
        raise PermanentError(f"{event.event_type.value} events are not about upkeep")

    async def _maintained(
        self, event: Event, place: AssetPlace, done: AssetMaintenanceEvent
    ) -> Done | Dropped:
        if done.what != "performed":
            return Dropped("what a machine tells of its condition makes no entry")
        counts = any(fits(kind, done.kind or "") for kind in self._rules.upkeep.maintenance)
        words = ["Maintenance", None if counts else done.kind, done.order, done.job]
        text = marked([*words, *map(self._task, done.tasks)], event)
        if not counts:
            return await self._log.write(event, place, text)
        outcome = await self._log.enter(
            event,
            place,
            text,
            lambda: self._assets.record_maintenance(
                serial_number=place.serial, comment=text, maintenance_date=event.time
            ),
            kind="maintenance",
        )
        if self._rules.upkeep.reset_count and isinstance(outcome, Done):
            reset = marked(["Count reset after maintenance", done.order], event)
            await self._log.enter(
                event,
                place,
                reset,
                lambda: self._assets.reset_running_count(serial_number=place.serial, comment=reset),
                kind="reset",
            )
        return outcome

    def _task(self, task: MaintenanceTask) -> str:
        said = [task.text or task.id or ""]
        said += [f"{task.hours:g} h"] if task.hours is not None else []
        said += [who] if (who := operator_of(task.operator, self._rules.report)) else []
        return f"- {', '.join(filter(None, said))}"

    async def _calibrated(
        self, event: Event, place: AssetPlace, done: AssetCalibrationEvent
    ) -> Done | Dropped:
        listed = any(fits(code, done.code or "") for code in self._rules.upkeep.calibrations)
        if not listed and self._rules.upkeep.routine == "nothing":
            return Dropped(f'calibration "{done.code or ""}" is routine (it is not in upkeep.calibrations)')
        is_ok = (done.status or "").strip().lower() == "ok"
        when = zoned(done.performed_at or event.time, event)
        values = [
            f"{each.name or 'value'} {each.value:g} {each.unit or ''}".strip()
            for each in done.measurements
            if each.value is not None
        ]
        words = ["Calibration", done.code, done.kind, None if is_ok else done.status or "without a status"]
        text = marked([*words, done.comments, ", ".join(values)], event, when=when)
        if not (listed and is_ok):
            return await self._log.write(event, place, text)
        return await self._log.enter(
            event,
            place,
            text,
            lambda: self._assets.record_calibration(
                serial_number=place.serial, comment=text, calibration_date=when
            ),
            kind="calibration",
        )


class NotesHandler(BaseHandler):
    """Writes what stations note of themselves into the logs of their assets.

    | event (CFX) | line, where ``[upkeep]`` wants it |
    |---|---|
    | ASSET_OFFLINE (StationOffline) | ``Station offline`` |
    | ASSET_ONLINE (StationOnline) | ``Station online after 300 s`` |
    | ASSET_LOG (LogEntryRecorded) of an importance in ``upkeep.notes`` | ``Warning code text`` |
    | TOOL_CHANGED (ToolsLoaded, ToolsUnloaded, ToolChanged) | ``Tools loaded: ...`` and ``unloaded: ...`` |
    | TOOL_CLEANED (ToolsCleaned, SqueegeeCleaned, StencilCleaned) | ``Tools cleaned: ...`` |
    """

    name = "asset-notes"
    destination = DESTINATION

    def __init__(self, api: UpkeepSink, rules: Rules, memory: FactStore) -> None:
        """Make the handler; the arguments are those of ``UpkeepHandler``."""
        self._log = AssetLog(api.asset, rules.assets, memory)
        self._rules = rules

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """What may make a line."""
        wanted: list[EventType] = []
        if self._rules.upkeep.online:
            wanted += [EventType.ASSET_OFFLINE, EventType.ASSET_ONLINE]
        if self._rules.upkeep.notes:
            wanted.append(EventType.ASSET_LOG)
        if self._rules.upkeep.tools:
            wanted += [EventType.TOOL_CHANGED, EventType.TOOL_CLEANED]
        return tuple(wanted)

    async def handle(self, event: Event) -> Done | Dropped:
        """Write the line."""
        with unfit_data("payload"):
            payload = parse(event)
        words: list[str | None]
        match payload:
            case AssetOfflineEvent():
                words = ["Station offline"]
            case AssetOnlineEvent():
                lasted = payload.offline_seconds
                words = ["Station online", f"after {lasted:g} s" if lasted is not None else None]
            case AssetLogEvent():
                importance = (payload.importance or "").strip()
                if importance.lower() not in {each.lower() for each in self._rules.upkeep.notes}:
                    return Dropped(
                        f"notes of importance {importance or 'unknown'} make no line (upkeep.notes)"
                    )
                words = [importance, payload.code, payload.text]
            case ToolChangedEvent():
                words = [_tools("Tools loaded", payload.loaded), _tools("Tools unloaded", payload.unloaded)]
            case ToolCleanedEvent():
                words = [_tools("Tools cleaned", payload.tools), payload.mode]
            case _:
                raise PermanentError(f"{event.event_type.value} events are no notes of a station")
        handle = event.source or str(event.payload.get("asset_id", ""))
        place = station_place(self._rules.station(handle), handle)
        return await self._log.write(event, place, marked(words, event), kind="note")


def _tools(what: str, tools: Iterable[Tool]) -> str | None:
    names = [each.name or each.id or each.kind or "?" for each in tools]
    return f"{what}: {', '.join(names)}" if names else None
