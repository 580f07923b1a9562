"""What goes into units, comes out of them, and is used up: by unit where units are named, else by package."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pywats_cfx.mapping.origin import Origin, known_guid
from pywats_cfx.mapping.stock import place
from pywats_cfx.mapping.units import group_units
from pywats_cfx.mapping.values import finite, said, text
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.message import Unreadable
from pywats_events.payloads import (
    InstalledMaterial,
    MaterialConsumedEvent,
    MaterialInstalledEvent,
    MaterialRemovedEvent,
    Placement,
    RemovedMaterial,
    UsedMaterial,
)

if TYPE_CHECKING:
    from pywats_cfx.messages import (
        MaterialsApplied,
        MaterialsConsumed,
        MaterialsInstalled,
        MaterialsUnapplied,
        MaterialsUninstalled,
    )


def materials_installed(message: MaterialsInstalled, origin: Origin) -> Iterator[Event | Unreadable]:
    """One MATERIAL_INSTALLED for each unit."""
    transaction = known_guid(message.transaction_id)
    rows = message.installed_materials
    places = [each.unit_position_number for each in rows]
    for group in group_units(origin, "InstalledMaterials", rows, places):
        if isinstance(group, Unreadable):
            yield group
            continue
        first = group[0]
        payload = MaterialInstalledEvent(
            unit_id=first.unit_id,
            position=first.position,
            transaction_id=transaction,
            materials=[InstalledMaterial(**_installed(each.unit)) for each in group],
        )
        yield origin.event(
            EventType.MATERIAL_INSTALLED, payload, part=first.index, key=first.key, correlation_id=transaction
        )


def materials_applied(message: MaterialsApplied, origin: Origin) -> Iterator[Event | Unreadable]:
    """One MATERIAL_CONSUMED for each unit: glue, paste and the like have no places of their own."""
    transaction = known_guid(message.transaction_id)
    rows = message.applied_materials
    places = [each.unit_position_number for each in rows]
    for group in group_units(origin, "AppliedMaterials", rows, places):
        if isinstance(group, Unreadable):
            yield group
            continue
        first = group[0]
        payload = MaterialConsumedEvent(
            asset_id=origin.source,
            unit_id=first.unit_id,
            position=first.position,
            transaction_id=transaction,
            materials=[_applied(each.unit) for each in group],
        )
        yield origin.event(
            EventType.MATERIAL_CONSUMED, payload, part=first.index, key=first.key, correlation_id=transaction
        )


def materials_uninstalled(message: MaterialsUninstalled, origin: Origin) -> Iterator[Event | Unreadable]:
    """One MATERIAL_REMOVED for each unit."""
    transaction = known_guid(message.transaction_id)
    yield from _removed(
        origin, "UninstalledMaterials", message.uninstalled_materials, transaction, bulk=False
    )


def materials_unapplied(message: MaterialsUnapplied, origin: Origin) -> Iterator[Event | Unreadable]:
    """One MATERIAL_REMOVED for each unit: what was taken off it again is not used up on it."""
    transaction = known_guid(message.transaction_id)
    yield from _removed(origin, "UnappliedMaterials", message.unapplied_materials, transaction, bulk=True)


def _removed(
    origin: Origin, field: str, rows: list[cfx.UninstalledMaterial], transaction: str | None, *, bulk: bool
) -> Iterator[Event | Unreadable]:
    for group in group_units(origin, field, rows, [each.unit_position_number for each in rows]):
        if isinstance(group, Unreadable):
            yield group
            continue
        first = group[0]
        payload = MaterialRemovedEvent(
            unit_id=first.unit_id,
            position=first.position,
            transaction_id=transaction,
            bulk=bulk,
            materials=[
                RemovedMaterial(
                    **_package(each.unit.material),
                    quantity=finite(each.unit.quantity_uninstalled),
                    reason=said(each.unit.reason),
                    placements=_placements(each.unit.uninstalled_components),
                )
                for each in group
            ],
        )
        yield origin.event(
            EventType.MATERIAL_REMOVED, payload, part=first.index, key=first.key, correlation_id=transaction
        )


def materials_consumed(message: MaterialsConsumed, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_CONSUMED for each entry, keyed by its package."""
    for index, each in enumerate(message.consumed_materials):
        used = consumed(each)
        payload = MaterialConsumedEvent(asset_id=origin.source, materials=[used])
        yield origin.event(EventType.MATERIAL_CONSUMED, payload, part=index, key=used.package_id or "")


def consumed(given: cfx.ConsumedMaterial) -> UsedMaterial:
    """Give the domain's form of material that was used up."""
    where = given.material_location
    lying = place(where)
    return UsedMaterial(
        **_package(where.material_package if where else None),
        quantity=finite(given.quantity_used),
        spoiled=finite(given.quantity_spoiled),
        remaining=finite(given.remaining_quantity),
        location=(lying.location or lying.location_id) if lying else None,
        carrier=(lying.carrier or lying.carrier_id) if lying else None,
    )


def _installed(given: cfx.InstalledMaterial) -> dict[str, Any]:
    lying = place(given.carrier_location)
    package = _package(given.material)
    return {
        **package,
        "part_number": package["part_number"] or text(given.reference_part_number),
        "quantity": finite(given.quantity_installed),
        "quantity_not_installed": finite(given.quantity_non_installed),
        "location": (lying.location or lying.location_id) if lying else None,
        "carrier": (lying.carrier or lying.carrier_id) if lying else None,
        "placements": _placements(given.installed_components),
        "not_installed": [
            Placement(designator=text(each.reference_designator), reason=_why_not(each))
            for each in given.non_installed_components
        ],
    }


def _applied(given: cfx.InstalledMaterial) -> UsedMaterial:
    """Give material that was applied; newer senders give its quantity with a unit, older ones without."""
    members = _installed(given)
    spoiled = members.pop("quantity_not_installed")
    applied = given.quantity_applied if isinstance(given, cfx.AppliedMaterial) else None
    if applied is not None:
        members |= {
            "quantity": finite(applied.value),
            "unit": text(applied.value_units),
            "expected": finite(applied.expected_value),
            "expected_unit": text(applied.expected_value_units),
            "low": finite(applied.minimum_acceptable_value),
            "low_unit": text(applied.minimum_acceptable_value_units),
            "high": finite(applied.maximum_acceptable_value),
            "high_unit": text(applied.maximum_acceptable_value_units),
        }
    return UsedMaterial(**members, spoiled=spoiled)


def _package(given: cfx.MaterialPackage | None) -> dict[str, Any]:
    return {
        "package_id": text(given.unique_identifier) if given else None,
        "part_number": text(given.internal_part_number) if given else None,
        "batch": text(given.batch_id) if given else None,
    }


def _placements(components: Iterable[cfx.InstalledComponent]) -> list[Placement]:
    return [
        Placement(
            designator=text(each.reference_designator),
            unit_id=text(each.installed_unit_identifier),
            installed_at=each.installation_time,
        )
        for each in components
    ]


def _why_not(component: cfx.NonInstalledComponent) -> str | None:
    unset = cfx.RejectionReason.Unknown
    return (
        said(component.rejection_reason, unset=unset)
        or text(component.rejection_comment)
        or said(component.location)
    )
