"""Test and inspection results become reports in WATS."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol

import structlog

from handlers import fact_keys as keys
from handlers.asset_places import AssetPlace, Registrar, Registry, station_place
from handlers.components import ComponentBook
from handlers.finding_places import finding_places
from handlers.material import tell
from handlers.memory import FactStore
from handlers.natural_key import NaturalKeys
from handlers.recorded import RECORDED, recorded
from handlers.report_building import Built, build_report, reason_to_drop, report_id, result_of
from handlers.rules import Rules
from handlers.serials import serial_of
from handlers.sources import PartSource, default_sources
from handlers.tool_uses import ToolBook
from handlers.unit_context import Known, UnitContext
from handlers.wats import DESTINATION, unfit_data, wats_failures
from handlers.wats_units import Headers, KnownUnits, UnitLookup
from pywats_api.wsjf import Report, ReportResult
from pywats_events.errors import DestinationUnavailable, NotReady, PermanentError
from pywats_events.event import Event, EventType
from pywats_events.handler import BaseHandler, Done, Dropped
from pywats_events.journal import Fact
from pywats_events.payloads import TestResultEvent

__all__ = ["Built", "ReportHandler", "ReportSink", "build_report", "reason_to_drop", "report_id", "result_of"]

_log = structlog.get_logger(__name__)

#: Seconds after the wait for the start of the work by which a held result has surely been looked at again.
_HELD_NO_LONGER = 3600.0

_AT_ONCE: Final = 300  # measurements; more of them would hold up the loop for too long


class Reports(Headers, Protocol):
    """``api.report``."""

    async def submit(self, report: Report, /) -> Any:
        """Submit a report; one with an id that WATS has replaces it."""


class ReportSink(Protocol):
    """The part of the WATS client that is used here."""

    @property
    def asset(self) -> Registry:
        """Assets."""

    @property
    def production(self) -> KnownUnits:
        """Units."""

    @property
    def report(self) -> Reports:
        """Reports."""


class ReportHandler(BaseHandler):
    """Sends one report for each result of a unit.

    | report | from the event |
    |---|---|
    | id | UUIDv5 of the event's id |
    | sn | learnt from earlier events; else the identifier of a lone unit; else identifier and position |
    | pn, rev, processCode | the rules: recipe, work order, expressions, station |
    | machineName, location, purpose, fixtureId | the station's rule |
    | start | first test; else start of the work; else the event; never after its receipt |
    | uut.execTime | last end of a test less start; else the event less start of the work |
    | uut.user, testSocketIndex, batchSN | operator, position, batch of the work order |
    | root.seqCall | recipe and revision: of the message, the work, the station |
    | steps | one for each test; below it one for each measurement, defect and image |
    | result | the station's word, unless something in it did worse; unknown words are errors |
    | subUnits, additionalData | what was built into the unit before, see ``MaterialHandler`` |
    | assets | the station where its rule says so; the tools that were used on the unit in this work |
    | miscInfos | work order, panel, lane, recipe, surface, sampling, lot, what was overruled, MAC and so on |

    WATS takes unit, process and start for the identity of a run. A start that another report has is moved
    on by milliseconds, and stays so for later tries.
    """

    name = "report"
    destination = DESTINATION
    priority = 10

    def __init__(
        self,
        api: ReportSink,
        rules: Rules,
        memory: FactStore,
        *,
        sources: Sequence[PartSource] | None = None,
    ) -> None:
        """Make the handler.

        Args:
            api: the WATS client.
            rules: the configuration.
            memory: the journal, or the part of it that keeps facts.
            sources: where part numbers come from, in order; the default ones when left out.
        """
        self._api = api
        self._rules = rules
        self._memory = memory
        self._lookup = UnitLookup(api.report, api.production if rules.production.enabled else None)
        self._context = UnitContext(memory.recall)
        self._keys = NaturalKeys(memory)
        self._registrar = Registrar(api.asset, rules.assets)
        self._components = ComponentBook(memory, rules)
        self._tools = ToolBook(memory)
        self._sources = sources or default_sources()

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """Test and inspection results; process data and readings where they are wanted."""
        wanted = [EventType.TEST_RESULT, EventType.INSPECTION_RESULT]
        if self._rules.report.processed:
            wanted.append(EventType.UNIT_PROCESSED)
        if self._rules.report.readings:
            wanted.append(EventType.READINGS_RECORDED)
        return tuple(wanted)

    async def handle(self, event: Event) -> Done | Dropped:
        """Build the report and submit it."""
        known = await self._context.of(event)
        with unfit_data("payload"):
            payload = recorded(event, self._rules) if event.event_type in RECORDED else result_of(event)
        if isinstance(payload, Dropped):
            return payload
        rule = reason_to_drop(payload, known, self._rules)
        if rule:
            return Dropped(rule)
        self._hold(event, known)
        if self._rules.assets.tools:
            known = replace(known, tools=await self._tools.claim(event, known))
        built = await self._build(event, known, payload)
        if self._rules.materials.enabled:
            components = await self._components.claim(event, built.serial, known)
            notes = tell(built.report, components, self._rules.materials)
            built = replace(built, notes=(*built.notes, *notes))
        built = await self._register(event, built)
        moved = await self._keys.settle(built.report, latest=event.metadata.received_at or datetime.now(UTC))
        with wats_failures():
            await self._api.report.submit(built.report)
        await self._remember_failure(event, built)
        if known.tools and self._rules.assets.cycles == "always":
            await self._tools.note_sent(event, known, str(built.report.id))
        _log.debug("report sent", event_id=event.id, unit_id=built.serial.value, result=built.report.result)
        return Done(_detail(built, moved_by=moved))

    async def _register(self, event: Event, built: Built) -> Built:
        """Register the station and its tools when they are first seen, as WATS counts only what it knows.

        A report is worth more than a count: where an asset can't be registered, or the token may not do so,
        the report says so and goes.
        """
        if not self._rules.assets.create or not built.report.assets:
            return built
        place = station_place(self._rules.station(event.source), event.source)
        notes = []
        for use in built.report.assets:
            tool = AssetPlace(use.asset_sn, kind="tool", location=place.location, above=place)
            try:
                with wats_failures():
                    await self._registrar.see(place if use.asset_sn == place.serial else tool)
            except PermanentError as error:
                notes.append(f"Not counted: {error}")
            except DestinationUnavailable as error:
                if not error.only_for_handler:
                    raise
                notes.append(f"Not counted: {error}")
        return replace(built, notes=(*built.notes, *notes)) if notes else built

    async def _remember_failure(self, event: Event, built: Built) -> None:
        """Keep what a repair will ask for: which report showed the failure, and where in it."""
        report, places = built.report, finding_places(built.report)
        is_failed = report.result is not ReportResult.PASSED
        if not (is_failed or places):
            return
        value = {
            "report": str(report.id),
            "part_number": report.pn,
            "revision": report.rev,
            "process": report.process_code,
            "steps": places,
            "at": event.time.isoformat(),
        }
        facts = [Fact(key=keys.reported(event.id), value=value, time=event.time)]
        if is_failed:
            facts.append(Fact(key=keys.failed_report(report.sn), value=value, time=event.time))
        await self._memory.remember(facts)

    async def _build(self, event: Event, known: Known, payload: TestResultEvent) -> Built:
        try:
            return await self._built(event, known, payload, self._sources)
        except NotReady:
            if not self._rules.report.ask_wats:
                raise
            part = await self._lookup.part_of(self._serial(event, known))
            if part is None:
                raise
            return await self._built(
                event, known, payload, (*self._sources, PartSource("WATS", lambda _: part))
            )

    def _serial(self, event: Event, known: Known) -> str:
        unit_ids = self._rules.station(event.source).unit_ids
        return serial_of(known, unit_ids=unit_ids, pattern=self._rules.report.composed_serial).value

    async def _built(
        self, event: Event, known: Known, payload: TestResultEvent, sources: Sequence[PartSource]
    ) -> Built:
        build = partial(build_report, event, known, self._rules, payload=payload, sources=sources)
        if sum(len(test.measurements) for test in payload.tests) <= _AT_ONCE:
            return build()
        return await asyncio.to_thread(build)

    def _hold(self, event: Event, known: Known) -> None:
        """Wait for the start of the work, which another queue may still be bringing."""
        received = event.metadata.received_at
        if not self._rules.report.hold_for_context or received is None:
            return
        if known.transaction is None or known.work is not None:
            return
        left = self._rules.report.hold_for_context - (datetime.now(UTC) - received).total_seconds()
        if left > 0:
            # parked, not retried: the wait says nothing of WATS and spends no try. It never ends as a dead
            # letter: when the time is over the next look goes on without
            raise NotReady(
                f'the start of transaction "{known.transaction}" has not been told yet',
                facts=(keys.work(known.handle, known.transaction),),
                give_up_after=self._rules.report.hold_for_context + _HELD_NO_LONGER,
            )


def _detail(built: Built, *, moved_by: int) -> dict[str, Any]:
    report = built.report
    detail: dict[str, Any] = {
        "report": str(report.id),
        "serial_number": report.sn,
        "part_number": report.pn,
        "revision": report.rev,
        "process": report.process_code,
        "result": report.result.value,
        "start": report.start.isoformat(timespec="milliseconds"),
        "sources": built.sources,
    }
    if moved_by:
        detail["start_moved_ms"] = moved_by
    if built.notes:
        detail["notes"] = list(built.notes)
    return detail
