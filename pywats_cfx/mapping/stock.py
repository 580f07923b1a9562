"""Packages of material: one event for each, with where it lies and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pywats_cfx.mapping.origin import Origin
from pywats_cfx.mapping.values import details, finite, kind_of, said, seconds, text
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.payloads import (
    MaterialChangedEvent,
    MaterialLoadedEvent,
    MaterialUnloadedEvent,
    Package,
    Place,
)

if TYPE_CHECKING:
    from pywats_cfx.messages import (
        MaterialCarriersLoaded,
        MaterialCarriersUnloaded,
        MaterialsChainSplit,
        MaterialsEmpty,
        MaterialsExpired,
        MaterialsInitialized,
        MaterialsJoined,
        MaterialsLoaded,
        MaterialsModified,
        MaterialsOpened,
        MaterialsPlacedInDryStorage,
        MaterialsRemovedFromDryStorage,
        MaterialsRestored,
        MaterialsRetired,
        MaterialsSplit,
        MaterialsUnloaded,
        SplicePointDetected,
    )


def loaded(message: MaterialsLoaded, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_LOADED for each package."""
    for index, each in enumerate(message.materials):
        content = None if each.material_package is None else package(each.material_package)
        yield _loaded(origin, index, content, place(each))


def carriers_loaded(message: MaterialCarriersLoaded, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_LOADED for each carrier, without a package."""
    for index, each in enumerate(message.carriers):
        yield _loaded(origin, index, None, place(each))


def _loaded(origin: Origin, index: int, content: Package | None, where: Place | None) -> Event:
    payload = MaterialLoadedEvent(asset_id=origin.source, package=content, place=where)
    key = (content.id if content else None) or (where.carrier_id if where else None)
    return origin.event(EventType.MATERIAL_LOADED, payload, part=index, key=key or "")


def unloaded(message: MaterialsUnloaded, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_UNLOADED for each package."""
    for index, identifier in enumerate(message.material_package_identifiers):
        if known := text(identifier):
            payload = MaterialUnloadedEvent(asset_id=origin.source, package_id=known)
            yield origin.event(EventType.MATERIAL_UNLOADED, payload, part=index, key=known)


def carriers_unloaded(message: MaterialCarriersUnloaded, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_UNLOADED for each carrier."""
    for index, identifier in enumerate(message.carrier_identifiers):
        if known := text(identifier):
            payload = MaterialUnloadedEvent(asset_id=origin.source, carrier_id=known)
            yield origin.event(EventType.MATERIAL_UNLOADED, payload, part=index, key=known)


def emptied(message: MaterialsEmpty, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_CHANGED for each package that ran out."""
    for index, each in enumerate(message.empty_materials):
        yield _changed(origin, index, "emptied", package(each.material_package), place=place(each))


def spliced(message: SplicePointDetected, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_CHANGED for the package that ran out, and one for that behind it."""
    old, new = message.depleted_material, message.newly_active_material
    for index, (change, each, other) in enumerate((("emptied", old, new), ("activated", new, old))):
        if each is not None:
            related = package(other.material_package).id if other else None
            content = package(each.material_package)
            yield _changed(origin, index, change, content, place=place(each), related=related)


def initialized(message: MaterialsInitialized, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_CHANGED for each package that is new to the factory."""
    yield from _all_changed(origin, "initialized", message.materials)


def modified(message: MaterialsModified, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_CHANGED for each package of which something else is known now."""
    unset = cfx.MaterialModifyReason.Unspecified
    yield from _all_changed(origin, "modified", message.materials, reason=said(message.reason, unset=unset))


def retired(message: MaterialsRetired, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_CHANGED for each package that left the factory's stock."""
    yield from _all_changed(origin, "retired", message.materials)


def opened(message: MaterialsOpened, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_CHANGED for each package that was opened."""
    yield from _all_changed(origin, "opened", message.materials)


def expired(message: MaterialsExpired, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_CHANGED for each package that lay open too long."""
    yield from _all_changed(origin, "expired", message.materials)


def stored_dry(message: MaterialsPlacedInDryStorage, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_CHANGED for each package that was put into dry storage."""
    yield from _all_changed(origin, "stored_dry", message.materials)


def taken_from_dry_storage(message: MaterialsRemovedFromDryStorage, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_CHANGED for each package that was taken out of dry storage."""
    yield from _all_changed(origin, "taken_from_dry_storage", message.materials)


def restored(message: MaterialsRestored, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_CHANGED for each package that was dried."""
    yield from _all_changed(origin, "restored", message.materials)


def joined(message: MaterialsJoined, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_CHANGED for each of the two packages."""
    yield from _pair(
        origin, ("joined", message.leading_material_package), ("joined", message.trailing_material_package)
    )


def chain_split(message: MaterialsChainSplit, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_CHANGED for what remains, and one for what was split off."""
    yield from _pair(
        origin,
        ("split", message.remaining_material_package),
        ("split_off", message.splitted_material_package),
    )


def split(message: MaterialsSplit, origin: Origin) -> Iterator[Event]:
    """One MATERIAL_CHANGED for the package that is divided, and one for the new one."""
    source = cfx.MaterialPackage(
        unique_identifier=message.source_material_package_identifier,
        quantity=message.source_material_package_remaining_quantity,
    )
    new = cfx.MaterialPackage(
        unique_identifier=message.new_material_package_identifier,
        quantity=message.new_material_package_quantity,
    )
    yield from _pair(origin, ("split", source), ("split_off", new))


def _pair(
    origin: Origin,
    first: tuple[str, cfx.MaterialPackage | None],
    second: tuple[str, cfx.MaterialPackage | None],
) -> Iterator[Event]:
    contents = [package(first[1]), package(second[1])]
    for index, (change, given) in enumerate((first, second)):
        if given is not None and (contents[0].id or contents[1].id):
            yield _changed(origin, index, change, contents[index], related=contents[1 - index].id)


def _all_changed(
    origin: Origin,
    change: str,
    packages: Iterable[cfx.MaterialPackageDetail | cfx.MaterialPackage],
    *,
    reason: str | None = None,
) -> Iterator[Event]:
    for index, each in enumerate(packages):
        yield _changed(
            origin,
            index,
            change,
            package(each),
            place=_stored(each) if isinstance(each, cfx.MaterialPackageDetail) else None,
            reason=reason,
            details=_kept(each),
        )


def _changed(origin: Origin, index: int, change: str, content: Package, **members: Any) -> Event:
    payload = MaterialChangedEvent.model_validate(
        {"asset_id": origin.source, "change": change, "package": content, **members}
    )
    return origin.event(EventType.MATERIAL_CHANGED, payload, part=index, key=content.id or "")


def _kept(given: cfx.MaterialPackageDetail | cfx.MaterialPackage) -> dict[str, Any]:
    """Give how material is packed, which some kinds of packing say."""
    packing = given.packaging_info if isinstance(given, cfx.MaterialPackageDetail) else None
    if packing is None:
        return {}
    own = details(packing, cfx.PackagingInfo)
    kind = kind_of(packing, cfx.PackagingInfo)
    return {"packaging": {**own, "kind": kind} if kind else own} if own or kind else {}


def package(given: cfx.MaterialPackageDetail | cfx.MaterialPackage | None) -> Package:
    """Give the domain's form of a package; one that is not told of is empty of facts."""
    if given is None:
        return Package()
    short = {
        "id": text(given.unique_identifier),
        "part_number": text(given.internal_part_number),
        "batch": text(given.batch_id),
        "quantity": finite(given.quantity),
    }
    if isinstance(given, cfx.MaterialPackage):
        return Package(**short)
    moisture = given.material_data
    wet = moisture if isinstance(moisture, cfx.MaterialPackageMSDData) else None
    return Package(
        **short,
        unit=text(given.units),
        initial_quantity=finite(given.initial_quantity),
        status=said(given.status),
        manufacturer=text(given.manufacturer),
        manufacturer_part_number=text(given.manufacturer_part_number),
        vendor=text(given.vendor),
        vendor_part_number=text(given.vendor_part_number),
        lot=text(given.manufacturer_lot_code),
        created_at=given.created,
        manufactured_at=given.manufacture_date,
        received_at=given.received_date,
        expires_at=given.expiry_date,
        hazard=said(given.hazardous_material_type),
        msd_level=said(wet.msd_level) if wet else None,
        msd_state=said(wet.msd_state) if wet else None,
        exposed_until=wet.expiration_date_time if wet else None,
        exposure_seconds_left=seconds(wet.remaining_exposure_time) if wet else None,
    )


def place(given: cfx.MaterialLocation | cfx.MaterialCarrierLocation | None) -> Place | None:
    """Give the place that material lies in, and what carries it there; None where nothing is said."""
    if given is None:
        return None
    carrier = given.carrier_information
    lane = getattr(carrier, "lane_number", None)
    found = Place(
        location_id=text(given.location_identifier),
        location=text(given.location_name),
        resource=_resource(given.resource_location),
        carrier_id=text(carrier.unique_identifier) if carrier else None,
        carrier=text(carrier.name) if carrier else None,
        carrier_kind=kind_of(carrier, cfx.MaterialCarrier) if carrier else None,
        carrier_lane=lane if isinstance(lane, int) else None,
    )
    return found if found.model_dump(exclude_none=True) else None


def _stored(given: cfx.MaterialPackageDetail) -> Place | None:
    where = given.resource_location
    detail = where.location_detail if where else None
    found = Place(
        location_id=text(detail.location_identifier) if detail else None,
        location=text(detail.location_name) if detail else None,
        resource=_resource(where),
    )
    return found if found.model_dump(exclude_none=True) else None


def _resource(given: cfx.ResourceLocation | None) -> str | None:
    resource = given.resource if given else None
    return (text(resource.unique_identifier) or text(resource.name)) if resource else None
