"""From one result to one report, without any input or output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, cast
from uuid import UUID, uuid5

import structlog
from pydantic import ValidationError

from handlers.names import short
from handlers.pictures import Album
from handlers.report_header import misc_infos, operator_of, timing_of
from handlers.report_steps import Bench, test_steps
from handlers.rules import Rules, StationRule
from handlers.serials import Serial, left_out, serial_of
from handlers.sources import PartSource, Question, default_sources, find_part, find_process, with_revision
from handlers.unit_context import Known, Recipe
from handlers.verdicts import LETTERS, WORDS, is_failing, meas_status, takes_back, unreadable, worst
from handlers.wats import describe
from pywats_api.wsjf import (
    AssetUse,
    BooleanMeas,
    NumericMeas,
    Report,
    ReportResult,
    SeqCall,
    Step,
    StepStatus,
    UutInfo,
    find_forbidden,
)
from pywats_api.wsjf.values import MeasStatus
from pywats_events.errors import PermanentError
from pywats_events.event import Event
from pywats_events.payloads import InspectionResultEvent, Outcome, Person, TestResultEvent, parse

_log = structlog.get_logger(__name__)

#: Ids of reports are made in this namespace from the ids of events. Changing it doubles every report.
REPORT_NAMESPACE: Final = UUID("0b6c6f0e-3a55-5c0e-9a53-8d3f6c1f1d27")

_SERIAL_LENGTH: Final = 100
_INT16: Final = 2**15
_TROUBLESOME: Final = frozenset("*%?[]^!/\\")
_PANEL_SIDES: Final = frozenset({"primarysurface", "secondarysurface"})


@dataclass(frozen=True, slots=True)
class Built:
    """A report and how it came about.

    Attributes:
        report: what is sent.
        serial: the serial number and how it was found.
        sources: which rule gave what (part number, process, serial number).
        notes: what a person should know: what was overruled, corrected or left out.
    """

    report: Report
    serial: Serial
    sources: dict[str, str]
    notes: tuple[str, ...] = field(default=())


def report_id(event: Event) -> UUID:
    """Give the id of an event's report: the same whenever and however often it is asked."""
    return uuid5(REPORT_NAMESPACE, event.id)


def result_of(event: Event) -> TestResultEvent:
    """Give the typed payload of a test or inspection result.

    Raises:
        pydantic.ValidationError: the payload does not fit its model.
    """
    return cast("TestResultEvent", parse(event))


def reason_to_drop(payload: TestResultEvent, known: Known, rules: Rules) -> str | None:
    """Give the rule by which a result makes no report; None when it makes one."""
    if (
        isinstance(payload, InspectionResultEvent)
        and payload.scope == "panel"
        and not rules.report.panel_reports
    ):
        return "results of whole panels make no report (panel_reports is off)"
    if payload.result is Outcome.SKIPPED and rules.report.skipped_units == "drop":
        return 'a unit that was skipped makes no report (skipped_units is "drop")'
    status = left_out(known)
    if status and rules.report.skipped_positions == "drop":
        return f'a position marked {status} in its transaction makes no report (skipped_positions is "drop")'
    return None


def build_report(
    event: Event,
    known: Known,
    rules: Rules,
    *,
    payload: TestResultEvent | None = None,
    sources: Sequence[PartSource] | None = None,
) -> Built:
    """Make the report of a test or inspection result.

    Args:
        event: a TEST_RESULT or INSPECTION_RESULT.
        known: what earlier events taught.
        rules: the configuration.
        payload: what ``result_of`` gave, when it was asked already.
        sources: where part numbers come from, in order.

    Raises:
        NotReady: nobody told yet which product or process this is.
        PermanentError: the result can't become a report as it is.
        pydantic.ValidationError: the payload does not fit its model.
    """
    payload = payload or result_of(event)
    station = rules.station(event.source)
    notes: list[str] = []
    serial = _serial(payload, known, station, rules, notes)
    program = _program(payload, known)
    question = Question(
        rules=rules,
        station=station,
        known=known,
        serial=serial.value,
        said_recipe=_said_recipe(payload),
        method=payload.method,
    )
    part = with_revision(
        find_part(question, sources or default_sources()), station, rules.report.default_revision
    )
    process, process_rule = find_process(question, part)
    timing = timing_of(event, payload, known)
    if timing.ahead:
        notes.append(f"The station's clock is {timing.ahead} ahead; start set to the time of receipt.")
    root, overruled = _root(event, payload, known, station, program, rules, notes)
    failing = _cause(root)
    order = known.work_order
    operator, told_by = _operator(payload, known, rules)
    position = payload.position
    machine = station.named(station.machine_name, event.source)
    try:
        report = Report(
            id=report_id(event),
            pn=part.part_number,
            sn=serial.value,
            rev=part.revision or rules.report.default_revision,
            process_code=process,
            result=ReportResult(root.status.value),
            machine_name=machine,
            location=station.named(station.location, event.source),
            purpose=station.purpose,
            start=timing.start + timedelta(milliseconds=payload.repeat),
            root=root,
            uut=UutInfo(
                user=operator,
                comment=short(" ".join(notes), 5000),
                exec_time=timing.seconds,
                fixture_id=station.fixture,
                test_socket_index=position if position is not None and abs(position) < _INT16 else None,
                batch_sn=short(order.batch if order else None, _SERIAL_LENGTH),
                error_code=failing.error_code if failing else None,
                error_message=failing.error_message if failing else None,
            ),
            misc_infos=misc_infos(payload, known, serial, program, overruled, rules.report) or None,
            assets=_assets(known, station, machine, rules) or None,
        )
    except ValidationError as error:
        raise PermanentError(f'unit "{serial.value}": no report can be made: {describe(error)}') from error
    return Built(
        report=report,
        serial=serial,
        sources={
            "part_number": part.rule,
            "revision": part.revision_rule or part.rule,
            "process": process_rule,
            "serial_number": serial.how,
            **({"work_order": order.said_by} if order else {}),
            **({"program": program.said_by} if program else {}),
            **({"operator": told_by} if operator else {}),
        },
        notes=tuple(notes),
    )


def _operator(payload: TestResultEvent, known: Known, rules: Rules) -> tuple[str | None, str]:
    """Give the operator that the configuration lets be known, and who told."""
    said = operator_of(payload.operator, rules.report)
    if said or payload.operator or known.operator is None:
        return said, "the message"
    return operator_of(Person.model_validate(known.operator), rules.report), "who began work at the station"


def _assets(known: Known, station: StationRule, machine: str, rules: Rules) -> list[AssetUse]:
    uses = {station.asset or machine: 1} if station.count_asset else {}
    for tool in known.tools if rules.assets.tools else ():
        name = short(tool.get("id") or tool.get("name"), _SERIAL_LENGTH)
        if name:
            uses[name] = uses.get(name, 0) + max(int(tool.get("cycles") or 1), 0)
    return [AssetUse(asset_sn=name, usage_count=count) for name, count in uses.items()]


def _serial(
    payload: TestResultEvent, known: Known, station: StationRule, rules: Rules, notes: list[str]
) -> Serial:
    if isinstance(payload, InspectionResultEvent) and payload.scope == "panel":
        serial = Serial(known.identifier, "identifier of the panel")
    else:
        serial = serial_of(known, unit_ids=station.unit_ids, pattern=rules.report.composed_serial)
    value = serial.value
    if not value:
        raise PermanentError(f'station "{known.handle}": the result names no unit')
    if len(value) > _SERIAL_LENGTH:
        raise PermanentError(
            f'unit "{value[:40]}...": its serial number has {len(value)} characters, '
            f"WATS takes {_SERIAL_LENGTH}"
        )
    forbidden = find_forbidden(value)
    if forbidden:
        raise PermanentError(f"unit {value!r}: its serial number holds {forbidden}, which WATS can't store")
    if troublesome := sorted(_TROUBLESOME & set(value)):
        notes.append(f"The serial number holds {' '.join(troublesome)}, which makes it hard to search for.")
    return serial


def _said_recipe(payload: TestResultEvent) -> Recipe | None:
    name = (payload.recipe or "").strip()
    return Recipe(name, payload.recipe_revision, "the message") if name else None


def _program(payload: TestResultEvent, known: Known) -> Recipe | None:
    return _said_recipe(payload) or next(iter(known.recipes), None)


def _root(  # noqa: PLR0917
    event: Event,
    payload: TestResultEvent,
    known: Known,
    station: StationRule,
    program: Recipe | None,
    rules: Rules,
    notes: list[str],
) -> tuple[Step, str | None]:
    """Give the root step, and the station's verdict where that was overruled."""
    inspection = payload if isinstance(payload, InspectionResultEvent) else None
    given = LETTERS[payload.result]
    if given is StepStatus.SKIPPED:
        given = StepStatus.TERMINATED  # a report knows no Skipped
    overall, overruled = given, None
    verification = inspection.verification if inspection else None
    if given is StepStatus.FAILED and takes_back(
        verification, closed_passes=rules.report.closed_defects == "passed"
    ):
        overall, overruled = StepStatus.PASSED, WORDS[given]
        notes.append("The second look took the unit's failure back.")
    album = Album(rules.report.images)
    bench = Bench(
        rules=rules.report,
        album=album,
        zone=event.time.tzinfo,  # type: ignore[arg-type]  # an event's time always has a zone
        unit_passed=overall is StepStatus.PASSED,
        unit_verification=verification,
        kind="Inspection" if inspection else "Test",
    )
    steps = test_steps(payload.tests, bench)
    if inspection and inspection.total_inspections is not None:
        steps.append(_total(inspection.total_inspections))
    if album.left_out:
        notes.append(f"{album.left_out} images were left out.")
    below = worst(step.status for step in steps)
    letter = overall
    if overall is StepStatus.PASSED and below and is_failing(below):
        notes.append(f"The station said {WORDS[given]}; what it tested says {WORDS[below]}.")
        overruled = WORDS[given]
        if rules.report.verdict == "worst":
            letter = below
        _log.info("verdicts disagree", event_id=event.id, station=WORDS[given], tests=WORDS[below])
    elif is_failing(overall) and not (below and is_failing(below)):
        steps.append(_overall_step(payload, event, overall))
    name, version = _program_name(payload, known, station, program, rules)
    root = Step(
        name="MainSequence Callback",
        step_type="SequenceCall",
        status=letter,
        seq_call=SeqCall(name=name, version=version),
        steps=steps,
    )
    return root, overruled


def _overall_step(payload: TestResultEvent, event: Event, letter: StepStatus) -> Step:
    """Give a failure that no test shows a place of its own."""
    said = payload.result_said
    if payload.result is Outcome.UNKNOWN:
        word = event.payload.get("result")
        if said is None and isinstance(word, str) and word.lower() != Outcome.UNKNOWN.value:
            said = word
        reason = unreadable(said)
    else:
        reason = f"the station said {said or payload.result.value}, and none of its tests did"
    return Step(
        name="Overall result",
        step_type="ET_PFT",
        status=letter,
        boolean_meas=[BooleanMeas(status=meas_status(letter))],
        error_message=short(reason, 200),
        report_text=short(reason, 10_000),
    )


def _total(count: int) -> Step:
    return Step(
        name="Total inspections",
        step_type="ET_NLT",
        status=StepStatus.PASSED,
        numeric_meas=[NumericMeas(value=float(count), status=MeasStatus.PASSED)],
    )


def _program_name(
    payload: TestResultEvent, known: Known, station: StationRule, program: Recipe | None, rules: Rules
) -> tuple[str, str | None]:
    name = (
        program.name
        if program
        else station.program or payload.method or station.named("{name}", known.handle)
    )
    surface = known.surface
    if (
        rules.report.surface_in_program
        and isinstance(payload, InspectionResultEvent)
        and surface
        and surface.lower() in _PANEL_SIDES
    ):
        name = f"{name} {surface}"
    return short(name, 200) or "-", short(program.revision, 30) if program else None


def _cause(root: Step) -> Step | None:
    """Find and mark the first failing step that no step below it explains."""
    if not is_failing(root.status):
        return None
    for _, step in root.walk():
        if step is not root and is_failing(step.status):
            if any(is_failing(child.status) for child in step.steps or ()):
                continue
            step.caused_seq_failure = True
            step.caused_uut_failure = True
            return step
    return None
