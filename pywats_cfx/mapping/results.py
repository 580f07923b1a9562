"""UnitsTested and UnitsInspected: one event for each unit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pywats_cfx.mapping.findings import defect, symptom, verification
from pywats_cfx.mapping.measurements import condition, measurement, outcome
from pywats_cfx.mapping.origin import Origin, known_guid
from pywats_cfx.mapping.units import name_units
from pywats_cfx.mapping.values import finite, moment, person, said, text, without_none
from pywats_events.event import Event, EventType
from pywats_events.message import Unreadable
from pywats_events.payloads import InspectionResultEvent, Sampling, TestResultEvent

if TYPE_CHECKING:
    from pywats_cfx.messages import UnitsInspected, UnitsTested
    from pywats_cfx.messages import structures as cfx


def units_tested(message: UnitsTested, origin: Origin) -> Iterator[Event | Unreadable]:
    """One TEST_RESULT for each unit."""
    transaction = known_guid(message.transaction_id)
    shared: dict[str, Any] = {
        "method": said(message.test_method),
        "transaction_id": transaction,
        "operator": person(message.tester),
        "recipe": text(message.recipe_name),
        "recipe_revision": text(message.recipe_revision),
        "sampling": _sampling(message.sampling_information),
    }
    units = message.tested_units
    for named in name_units(origin, "TestedUnits", units, [each.unit_position_number for each in units]):
        if isinstance(named, Unreadable):
            yield named
            continue
        result, word = outcome(named.unit.overall_result)
        payload = TestResultEvent(
            unit_id=named.unit_id,
            position=named.position,
            siblings=named.siblings,
            repeat=named.repeat,
            result=result,
            result_said=word,
            **shared,
        ).to_payload()
        payload["tests"] = [_test(each) for each in named.unit.tests]
        yield origin.event(
            EventType.TEST_RESULT, payload, part=named.index, key=named.key, correlation_id=transaction
        )


def units_inspected(message: UnitsInspected, origin: Origin) -> Iterator[Event | Unreadable]:
    """One INSPECTION_RESULT for each unit, and one for the panel as a whole where the message has one."""
    transaction = known_guid(message.transaction_id)
    shared: dict[str, Any] = {
        "method": said(message.inspection_method),
        "transaction_id": transaction,
        "operator": person(message.inspector),
        "recipe": text(message.recipe_name),
        "recipe_revision": text(message.recipe_revision),
        "sampling": _sampling(message.sampling_information),
    }
    panel = message.inspected_panel
    panel_id = text(panel.unit_identifier) if panel else None
    units = message.inspected_units
    positions = [each.unit_position_number for each in units]
    for named in name_units(origin, "InspectedUnits", units, positions, panel_id):
        if isinstance(named, Unreadable):
            yield named
            continue
        unit = named.unit
        result, word = outcome(unit.overall_result)
        payload = InspectionResultEvent(
            unit_id=named.unit_id,
            position=named.position,
            siblings=named.siblings,
            repeat=named.repeat,
            result=result,
            result_said=word,
            **shared,
            verification=verification(unit.verification),
            total_inspections=unit.total_inspection_count,
        ).to_payload()
        payload["tests"] = [_inspection(each) for each in unit.inspections]
        yield origin.event(
            EventType.INSPECTION_RESULT,
            payload,
            part=named.index,
            key=named.key,
            correlation_id=transaction,
        )
    if panel is not None:
        yield _panel(panel, shared, origin)


def _panel(panel: cfx.InspectedPanel, shared: dict[str, Any], origin: Origin) -> Event | Unreadable:
    panel_id = text(panel.unit_identifier)
    if panel_id is None:
        return origin.unreadable("InspectedPanel.UnitIdentifier", "is missing")
    result, word = outcome(panel.overall_result)
    payload = InspectionResultEvent(
        unit_id=panel_id,
        result=result,
        result_said=word,
        **shared,
        scope="panel",
        verification=verification(panel.verification),
        total_inspections=panel.total_inspection_count,
        details=_panel_details(panel),
    ).to_payload()
    payload["tests"] = [_inspection(each) for each in panel.inspections]
    return origin.event(
        EventType.INSPECTION_RESULT,
        payload,
        part="panel",
        key=panel_id,
        correlation_id=shared["transaction_id"],
    )


def _panel_details(panel: cfx.InspectedPanel) -> dict[str, Any]:
    fiducials = [
        {
            "id": each.unique_identifier,
            "x": finite(each.fiducial_x),
            "y": finite(each.fiducial_y),
            "rotation": finite(each.fiducial_rxy),
        }
        for each in panel.fiducials
    ]
    details = {
        "stretch": finite(panel.stretch),
        "stroke_direction": text(panel.recognized_stroke_direction),
        "variant": text(panel.pcb_variant),
        "fiducials": [without_none(each) for each in fiducials] or None,
    }
    return without_none(details)


def _sampling(given: cfx.SamplingInformation | None) -> Sampling | None:
    if given is None:
        return None
    return Sampling(
        method=said(given.sampling_method),
        lot_size=finite(given.lot_size),
        sample_size=finite(given.sample_size),
    )


def _test(given: cfx.Test) -> dict[str, Any]:
    """Give a test as payload data, the same as ``payloads.TestStep`` would give."""
    result, word = outcome(given.result)
    return without_none(
        {
            "id": given.unique_identifier,
            "name": text(given.test_name),
            "started_at": moment(given.test_start_time),
            "ended_at": moment(given.test_end_time),
            "result": result.value,
            "result_said": word,
            "procedure": text(given.test_procedure),
            "comments": text(given.comments),
            "error": text(given.error),
            "conditions": [condition(each).to_payload() for each in given.test_conditions],
            "symptoms": [symptom(each).to_payload() for each in given.symptoms_found],
            "defects": [defect(each).to_payload() for each in given.defects_found],
            "measurements": [measurement(each) for each in given.measurements],
        }
    )


def _inspection(given: cfx.Inspection) -> dict[str, Any]:
    """Give an inspection as payload data, the same as ``payloads.TestStep`` would give."""
    result, word = outcome(given.result)
    second_look = verification(given.verification, given.verification_detail)
    return without_none(
        {
            "id": given.unique_identifier,
            "name": text(given.inspection_name),
            "started_at": moment(given.inspection_start_time),
            "ended_at": moment(given.inspection_end_time),
            "result": result.value,
            "result_said": word,
            "procedure": text(given.test_procedure),
            "comments": text(given.comments),
            "error": text(given.error),
            "conditions": [],
            "symptoms": [symptom(each).to_payload() for each in given.symptoms],
            "defects": [defect(each).to_payload() for each in given.defects_found],
            "measurements": [measurement(each) for each in given.measurements],
            "verification": second_look and second_look.to_payload(),
            "reference": given.ref_no,
        }
    )
