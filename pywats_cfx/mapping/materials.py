"""MaterialsInstalled: one event for each unit."""

from __future__ import annotations

from collections.abc import Iterator

from pywats_cfx.mapping.origin import Origin, known_guid
from pywats_cfx.mapping.units import NamedUnit, name_units
from pywats_cfx.mapping.values import finite, said, text
from pywats_cfx.messages import MaterialsInstalled
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.message import Unreadable
from pywats_events.payloads import InstalledMaterial, MaterialInstalledEvent, Placement


def materials_installed(message: MaterialsInstalled, origin: Origin) -> Iterator[Event | Unreadable]:
    """One MATERIAL_INSTALLED for each unit, in the order in which the message names the units first."""
    transaction = known_guid(message.transaction_id)
    rows = message.installed_materials
    by_unit: dict[tuple[str, int | None], list[NamedUnit[cfx.InstalledMaterial]]] = {}
    for named in name_units(origin, "InstalledMaterials", rows, [each.unit_position_number for each in rows]):
        if isinstance(named, Unreadable):
            yield named
        else:
            by_unit.setdefault((named.unit_id, named.position), []).append(named)
    for (unit_id, position), installed in by_unit.items():
        payload = MaterialInstalledEvent(
            unit_id=unit_id,
            position=position,
            transaction_id=transaction,
            materials=[_material(each.unit) for each in installed],
        )
        first = installed[0]
        yield origin.event(
            EventType.MATERIAL_INSTALLED, payload, part=first.index, key=first.key, correlation_id=transaction
        )


def _material(given: cfx.InstalledMaterial) -> InstalledMaterial:
    package, place = given.material, given.carrier_location
    carrier = place.carrier_information if place else None
    return InstalledMaterial(
        package_id=text(package.unique_identifier) if package else None,
        part_number=(text(package.internal_part_number) if package else None)
        or text(given.reference_part_number),
        batch=text(package.batch_id) if package else None,
        quantity=finite(given.quantity_installed),
        quantity_not_installed=finite(given.quantity_non_installed),
        location=(text(place.location_name) or text(place.location_identifier)) if place else None,
        carrier=(text(carrier.name) or text(carrier.unique_identifier)) if carrier else None,
        placements=[
            Placement(
                designator=text(each.reference_designator),
                unit_id=text(each.installed_unit_identifier),
                installed_at=each.installation_time,
            )
            for each in given.installed_components
        ],
        not_installed=[
            Placement(designator=text(each.reference_designator), reason=_why_not(each))
            for each in given.non_installed_components
        ],
    )


def _why_not(component: cfx.NonInstalledComponent) -> str | None:
    unset = cfx.RejectionReason.Unknown
    return (
        said(component.rejection_reason, unset=unset)
        or text(component.rejection_comment)
        or said(component.location)
    )
