"""UnitsRepaired: one event for each unit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pywats_cfx.mapping.findings import defect, region, symptom
from pywats_cfx.mapping.origin import Origin, known_guid
from pywats_cfx.mapping.units import name_units
from pywats_cfx.mapping.values import person, said, text
from pywats_events.event import Event, EventType
from pywats_events.message import Unreadable
from pywats_events.payloads import Repair, UnitRepairedEvent

if TYPE_CHECKING:
    from pywats_cfx.messages import UnitsRepaired
    from pywats_cfx.messages import structures as cfx


def units_repaired(message: UnitsRepaired, origin: Origin) -> Iterator[Event | Unreadable]:
    """One UNIT_REPAIRED for each unit."""
    transaction = known_guid(message.transaction_id)
    repairer = person(message.repair_operator)
    units = message.repaired_units
    for named in name_units(origin, "RepairedUnits", units, [each.unit_position_number for each in units]):
        if isinstance(named, Unreadable):
            yield named
            continue
        payload = UnitRepairedEvent(
            unit_id=named.unit_id,
            position=named.position,
            siblings=named.siblings,
            repeat=named.repeat,
            result=said(named.unit.overall_result),
            transaction_id=transaction,
            operator=repairer,
            repairs=[_repair(each) for each in named.unit.repairs],
        )
        yield origin.event(
            EventType.UNIT_REPAIRED, payload, part=named.index, key=named.key, correlation_id=transaction
        )


def _repair(given: cfx.Repair) -> Repair:
    component = given.component_of_interest
    return Repair(
        id=text(given.unique_identifier),
        name=text(given.repair_name),
        started_at=given.repair_start_time,
        ended_at=given.repair_end_time,
        result=said(given.result),
        comments=text(given.comments),
        error=text(given.error),
        designator=text(component.reference_designator) if component else None,
        part_number=text(component.part_number) if component else None,
        region=region(given.region_of_interest),
        defect_ids=[known for each in given.related_defect_identifiers if (known := text(each))],
        symptom_ids=[known for each in given.related_symptom_identifiers if (known := text(each))],
        reclassified_defects=[defect(each) for each in given.reclassified_defects],
        reclassified_symptoms=[symptom(each) for each in given.reclassified_symptoms],
    )
