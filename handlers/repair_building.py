"""From one repaired unit to one repair report (UUR), without any input or output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from handlers import fact_keys as keys
from handlers.names import short
from handlers.patterns import fits
from handlers.report_building import Built, report_id
from handlers.report_header import operator_of
from handlers.report_rules import FailureCode, FailureRule
from handlers.report_steps import moment
from handlers.rules import Rules
from handlers.serials import Serial
from handlers.unit_context import Known
from handlers.wats import describe
from handlers.wats_units import FailedReport
from pywats_api.wsjf import Failure, Report, ReportResult, ReportType, SubUnit, UurInfo
from pywats_events.errors import PermanentError
from pywats_events.event import Event
from pywats_events.payloads import Repair, UnitRepairedEvent

_COMMENT_LENGTH: Final = 5000
_REF_LENGTH: Final = 50
_NAME_LENGTH: Final = 100


def finding_ids(repaired: UnitRepairedEvent) -> list[str]:
    """Give the ids of all defects and symptoms that the repairs refer to, in order."""
    named = (each for repair in repaired.repairs for each in (*repair.defect_ids, *repair.symptom_ids))
    return list(dict.fromkeys(each for each in named if each.strip()))


def build_repair(  # each is another thing that is known
    event: Event,
    repaired: UnitRepairedEvent,
    *,
    known: Known,
    rules: Rules,
    serial: Serial,
    failed: FailedReport,
    findings: Mapping[str, Mapping[str, Any]],
) -> Built:
    """Make the report of a repair.

    Args:
        event: a UNIT_REPAIRED.
        repaired: its payload.
        known: what earlier events taught.
        rules: the configuration; ``rules.repair.process`` is given.
        serial: the unit.
        failed: the report that showed the failure.
        findings: the facts of the findings that the repairs refer to, by the ids of these.

    Raises:
        PermanentError: it can't become a report as it is.
    """
    station = rules.station(event.source)
    repair_process = rules.repair.process
    if repair_process is None:
        raise PermanentError("repairs make no reports without repair.process")
    start, end = _times(event, repaired, known)
    failures = [_failure(each, rules, failed, findings) for each in repaired.repairs]
    if not failures and rules.repair.no_fault:
        none_found = rules.repair.no_fault
        failures = [Failure(category=none_found.category, code=none_found.code)]
    try:
        report = Report(
            id=report_id(event),
            type=ReportType.REPAIR,
            pn=failed.part_number,
            sn=serial.value,
            rev=failed.revision or rules.report.default_revision,
            process_code=repair_process,
            result=ReportResult.PASSED,
            machine_name=station.named(station.machine_name, event.source),
            location=station.named(station.location, event.source),
            purpose=rules.repair.purpose or station.purpose,
            start=start,
            uur=UurInfo(
                process_code=failed.process,
                user=operator_of(repaired.operator, rules.report),
                comment=_comment(repaired),
                ref_uut=failed.report,
                confirm_date=end,
                finalize_date=end,
                exec_time=max((end - start).total_seconds(), 0.0),
            ),
            sub_units=[
                SubUnit(
                    part_type="Main",
                    pn=failed.part_number,
                    sn=serial.value,
                    rev=failed.revision or rules.report.default_revision,
                    idx=0,
                    failures=failures,
                )
            ],
        )
    except ValidationError as error:
        raise PermanentError(
            f'unit "{serial.value}": no repair report can be made: {describe(error)}'
        ) from error
    return Built(
        report=report,
        serial=serial,
        sources={"failed_report": failed.how, "serial_number": serial.how},
    )


def _times(event: Event, repaired: UnitRepairedEvent, known: Known) -> tuple[datetime, datetime]:
    zone = event.time.tzinfo
    assert zone is not None  # noqa: S101  # an event's time always has one
    begins = [when for each in repaired.repairs if (when := moment(each.started_at, zone))]
    ends = [when for each in repaired.repairs if (when := moment(each.ended_at, zone))]
    work = known.work
    begun = work.started_at if work and work.started_at and work.started_at <= event.time else None
    start = min(begins, default=begun or event.time)
    received = event.metadata.received_at
    if received is not None and start > received:  # it would be hidden in quarantine
        start = received.astimezone(start.tzinfo)
    start = start.replace(microsecond=start.microsecond // 1000 * 1000)
    return start, max(ends, default=max(event.time, start))


def _comment(repaired: UnitRepairedEvent) -> str | None:
    names = [" ".join(filter(None, (each.name, each.designator))) for each in repaired.repairs]
    said = [repaired.result or "", "; ".join(filter(None, names))]
    return short(": ".join(filter(None, said)), _COMMENT_LENGTH)


def _failure(
    repair: Repair, rules: Rules, failed: FailedReport, findings: Mapping[str, Mapping[str, Any]]
) -> Failure:
    ids = [*repair.defect_ids, *repair.symptom_ids]
    found = [findings[each] for each in ids if each in findings]
    first = found[0] if found else {}
    code = _code(repair, found, rules)
    found_out = repair.reclassified_defects
    designator = repair.designator or _said(found_out, "designator") or first.get("designator")
    part_number = repair.part_number or _said(found_out, "part_number") or first.get("part_number")
    comments = (repair.name, repair.comments, repair.error, _not_done(repair.result))
    return Failure(
        category=code.category,
        code=code.code,
        comment=short(". ".join(text.strip() for text in comments if text and text.strip()), _COMMENT_LENGTH),
        com_ref=short(designator, _REF_LENGTH),
        art_number=short(part_number, _NAME_LENGTH),
        ref_step_id=next((failed.steps[each] for each in ids if each in failed.steps), None),
    )


def _code(repair: Repair, found: Sequence[Mapping[str, Any]], rules: Rules) -> FailureRule | FailureCode:
    reclassified = [text for each in repair.reclassified_defects for text in (each.code, each.category)]
    told = [each.get(name) for each in found for name in ("code", "category")]
    defects = [text for text in (reclassified if any(reclassified) else told) if text]
    for rule in rules.repair.failures:
        if rule.defect is not None and any(fits(rule.defect, text.strip()) for text in defects):
            return rule
    name = (repair.name or "").strip()
    for rule in rules.repair.failures:
        if rule.repair is not None and fits(rule.repair, name):
            return rule
    if rules.repair.other is not None:
        return rules.repair.other
    about = ", ".join(f'"{text}"' for text in defects) or "none known"
    raise PermanentError(
        f'repair "{name}" (defects: {about}): no failure code of WATS is configured for it; '
        "add it under [[repair.failures]], or give repair.other"
    )


def _said(defects: Iterable[Any], member: str) -> str | None:
    return next((value for each in defects if (value := getattr(each, member))), None)


def _not_done(result: str | None) -> str | None:
    return result if result and result.strip().lower() != "repairsuccessful" else None


def helpful_facts(serial: Serial, known: Known) -> list[str]:
    """Give the keys of the facts that name the unit's last failed result."""
    return list(
        dict.fromkeys(
            [
                keys.failed(known.identifier, known.position),
                keys.failed(serial.value, None),
                *([keys.failed(known.panel, known.position)] if known.panel else []),
                keys.failed_report(serial.value),
            ]
        )
    )
