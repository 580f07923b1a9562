"""Repairs of units become repair reports (UUR) in WATS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol, cast
from uuid import UUID

import structlog

from handlers import fact_keys as keys
from handlers.memory import FactStore
from handlers.natural_key import NaturalKeys
from handlers.repair_building import build_repair, finding_ids, helpful_facts
from handlers.rules import Rules
from handlers.serials import Serial, serial_of
from handlers.unit_context import Known, UnitContext
from handlers.wats import DESTINATION, unfit_data, wats_failures
from handlers.wats_units import FailedReport, Headers, UnitLookup
from pywats_api.wsjf import Report
from pywats_events.errors import NotReady
from pywats_events.event import Event, EventType
from pywats_events.handler import BaseHandler, Done, Dropped
from pywats_events.payloads import UnitRepairedEvent, parse

_log = structlog.get_logger(__name__)

_SHOWN: Final = 3

#: Seconds after the wait for findings by which a repair has surely been looked at again.
_WAITED_LONG_AGO: Final = 3600.0


class RepairReports(Headers, Protocol):
    """``api.report``."""

    async def submit(self, report: Report, /) -> Any:
        """Submit a report; one with an id that WATS has replaces it."""


class RepairSink(Protocol):
    """The part of the WATS client that is used here."""

    @property
    def report(self) -> RepairReports:
        """Reports."""


class RepairHandler(BaseHandler):
    """Sends one repair report for each repaired unit.

    | report (``POST /api/Report/WSJF``, type R) | from the event (UnitsRepaired) |
    |---|---|
    | id | UUIDv5 of the event's id |
    | sn | as in test reports |
    | pn, rev, uur.processCode, uur.refUUT | the test report that showed the failure |
    | processCode | ``repair.process`` |
    | machineName, location, purpose | the station's rule; ``repair.purpose`` |
    | start, uur.execTime | first start and last end of a repair; else start of the work; else the event |
    | uur.user | the repairer, as operators of tests |
    | uur.comment | overall result and names of the repairs |
    | result | always P |
    | subUnits[0].failures | one for each repair |
    | failure category, code | ``[[repair.failures]]``: by defect, else by repair; ``repair.other`` |
    | failure comRef, artNumber | component of the repair, of the reclassified defect, of the defect |
    | failure comment | name, comments, error; the result unless it was successful |
    | failure refStepId | the step that showed the defect |

    The failed report is that of the defects that the repairs name; else the unit's last result before the
    repair that was no pass, as told here; else the one that WATS has. A repair waits for that report to be
    sent, and ``report.give_up_after`` seconds for defects that it names and nobody told. A unit without
    repairs makes no report, or ``repair.no_fault``.
    """

    name = "repair"
    destination = DESTINATION
    priority = 10

    def __init__(self, api: RepairSink, rules: Rules, memory: FactStore) -> None:
        """Make the handler.

        Args:
            api: the WATS client.
            rules: the configuration.
            memory: the journal, or the part of it that keeps facts.
        """
        self._api = api
        self._rules = rules
        self._memory = memory
        self._context = UnitContext(memory.recall)
        self._keys = NaturalKeys(memory)
        self._lookup = UnitLookup(api.report)

    @property
    def event_types(self) -> tuple[EventType, ...]:
        """Repairs."""
        return (EventType.UNIT_REPAIRED,)

    async def handle(self, event: Event) -> Done | Dropped:
        """Build and submit the report."""
        if self._rules.repair.process is None:
            return Dropped("repairs make no reports (no repair.process is configured)")
        with unfit_data("payload"):
            repaired = cast("UnitRepairedEvent", parse(event))
        if not repaired.repairs and self._rules.repair.no_fault is None:
            return Dropped("a unit without repairs makes no report (no repair.no_fault is configured)")
        known = await self._context.of(event)
        serial = serial_of(
            known,
            unit_ids=self._rules.station(event.source).unit_ids,
            pattern=self._rules.report.composed_serial,
        )
        findings = await self._findings(repaired)
        self._wait_for_findings(
            event, serial, [each for each in finding_ids(repaired) if each not in findings]
        )
        failed = await self._failed(event, serial, known, findings)
        built = build_repair(
            event,
            repaired,
            known=known,
            rules=self._rules,
            serial=serial,
            failed=failed,
            findings=findings,
        )
        moved = await self._keys.settle(built.report, latest=event.metadata.received_at or datetime.now(UTC))
        with wats_failures():
            await self._api.report.submit(built.report)
        _log.debug("repair sent", event_id=event.id, unit_id=serial.value)
        detail: dict[str, Any] = {
            "report": str(built.report.id),
            "serial_number": serial.value,
            "part_number": failed.part_number,
            "failed_report": str(failed.report),
            "failed_process": failed.process,
            "sources": built.sources,
        }
        return Done({**detail, "start_moved_ms": moved} if moved else detail)

    async def _findings(self, repaired: UnitRepairedEvent) -> dict[str, Mapping[str, Any]]:
        wanted = {each: keys.finding(each) for each in finding_ids(repaired)}
        facts = await self._memory.recall(list(wanted.values())) if wanted else {}
        return {each: facts[key] for each, key in wanted.items() if key in facts}

    def _wait_for_findings(self, event: Event, serial: Serial, untold: Sequence[str]) -> None:
        """Wait for results that another queue may still be bringing, before doing without."""
        received, wait = event.metadata.received_at, self._rules.report.give_up_after
        if untold and received is not None and (datetime.now(UTC) - received).total_seconds() < wait:
            raise NotReady(
                f'unit "{serial.value}": the repair names findings that no result has told yet '
                f"({', '.join(untold[:_SHOWN])})",
                facts=tuple(keys.finding(each) for each in untold),
                give_up_after=wait + _WAITED_LONG_AGO,
            )

    async def _failed(
        self, event: Event, serial: Serial, known: Known, findings: Mapping[str, Mapping[str, Any]]
    ) -> FailedReport:
        told = list(dict.fromkeys(each["event"] for each in findings.values()))
        if told:
            found = await self._sent(told)
            if found is not None:
                return found
            raise self._too_early(serial, told)
        helpful = helpful_facts(serial, known)
        facts = await self._memory.recall(helpful)
        earlier = {key: fact for key, fact in facts.items() if _at(fact) <= event.time}
        sent = earlier.pop(keys.failed_report(serial.value), None)
        newest = max(earlier.values(), key=_at, default=None)
        if newest is not None and (sent is None or _at(newest) > _at(sent)):
            found = await self._sent([newest["event"]])
            if found is None:
                raise self._too_early(serial, [newest["event"]])
            return found
        if sent is not None:
            return _read(sent, "the unit's last failed report")
        in_wats = await self._lookup.failed_report_of(serial.value, event.time)
        if in_wats is not None:
            return in_wats
        raise NotReady(
            f'unit "{serial.value}": no failed test report is known that this repair could belong to, '
            "neither here nor in WATS",
            facts=tuple(helpful),
            give_up_after=self._rules.repair.give_up_after,
        )

    async def _sent(self, events: Sequence[str]) -> FailedReport | None:
        wanted = [keys.reported(each) for each in events]
        facts = await self._memory.recall(wanted)
        found = [facts[key] for key in wanted if key in facts]
        # of several, the one that failed last: that is where the unit came from
        return _read(max(found, key=_at), "the report that showed the defect") if found else None

    def _too_early(self, serial: Serial, events: Sequence[str]) -> NotReady:
        return NotReady(
            f'unit "{serial.value}": the report that showed the failure has not been sent yet '
            f"(events {', '.join(events[:_SHOWN])})",
            facts=tuple(keys.reported(each) for each in events),
            give_up_after=self._rules.repair.give_up_after,
        )


def _read(fact: Mapping[str, Any], how: str) -> FailedReport:
    return FailedReport(
        report=UUID(fact["report"]),
        part_number=fact["part_number"],
        revision=fact["revision"],
        process=fact["process"],
        steps=dict(fact["steps"]),
        how=how,
    )


def _at(fact: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(fact["at"])
