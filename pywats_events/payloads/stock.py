"""Packages of material: where they are and in what condition."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from pywats_events.payloads.common import DomainModel, Person


class Package(DomainModel):
    """A reel, tray or other package of material.

    Attributes:
        id: identity of the package; None when the source does not tell it.
        quantity: how much is in it, in ``unit`` where the source says one.
        initial_quantity: how much was in it when it was new.
        status: ``Active``, ``Blocked``, ``Depleted``, or the source's own word.
        lot: lot code of the manufacturer; ``batch`` is the lot that the factory counts it to.
        expires_at: until when it may be used at all.
        msd_level: how sensitive to moisture it is (``MSL3``).
        msd_state: ``Exposed``, ``InDryStorage`` and so on.
        exposed_until: until when opened material may be used.
        exposure_seconds_left: how long it may still lie open.
    """

    id: str | None = None
    part_number: str | None = None
    batch: str | None = None
    quantity: float | None = None
    unit: str | None = None
    initial_quantity: float | None = None
    status: str | None = None
    manufacturer: str | None = None
    manufacturer_part_number: str | None = None
    vendor: str | None = None
    vendor_part_number: str | None = None
    lot: str | None = None
    created_at: datetime | None = None
    manufactured_at: datetime | None = None
    received_at: datetime | None = None
    expires_at: datetime | None = None
    hazard: str | None = None
    msd_level: str | None = None
    msd_state: str | None = None
    exposed_until: datetime | None = None
    exposure_seconds_left: float | None = None


class Place(DomainModel):
    """A place that material lies in.

    Attributes:
        location_id: identity of the place.
        location: its name (slot, lane).
        resource: the machine, rack or store that it belongs to.
        carrier_id: the feeder, tray or other carrier that holds the material there.
        carrier: its name.
        carrier_kind: what kind of carrier, by the name of the standard (``SMDTapeFeeder``).
        carrier_lane: lane of a carrier that has several.
    """

    location_id: str | None = None
    location: str | None = None
    resource: str | None = None
    carrier_id: str | None = None
    carrier: str | None = None
    carrier_kind: str | None = None
    carrier_lane: int | None = None


class MaterialLoadedEvent(DomainModel):
    """A package, or an empty carrier when ``package`` is None, was put into a place of a station."""

    asset_id: str
    package: Package | None = None
    place: Place | None = None


class MaterialUnloadedEvent(DomainModel):
    """A package or a carrier was taken out of a station; one of the two is named."""

    asset_id: str
    package_id: str | None = None
    carrier_id: str | None = None


class MaterialChangedEvent(DomainModel):
    """Something became of one package.

    Attributes:
        change: what became of it. ``emptied`` and ``activated``: it ran out, or is the one used now;
            ``joined``, ``split`` and ``split_off``: its strip was joined to that of the package ``related``,
            or divided; ``opened``, ``expired``, ``stored_dry``, ``taken_from_dry_storage``, ``restored``:
            its moisture.
        package: the package, as it is now.
        place: where it lies, where that is told.
        related: identity of the other package of a join, split or splice.
        reason: why it was modified.
    """

    asset_id: str
    change: Literal[
        "initialized",
        "modified",
        "retired",
        "emptied",
        "activated",
        "joined",
        "split",
        "split_off",
        "opened",
        "expired",
        "stored_dry",
        "taken_from_dry_storage",
        "restored",
    ]
    package: Package
    place: Place | None = None
    related: str | None = None
    reason: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class MaterialTransportedEvent(DomainModel):
    """Material is on its way through the factory.

    Attributes:
        order_id: the transport order.
        step: ``started``, ``checkpoint``, ``status`` or ``completed``.
        status: ``Kitting``, ``InTransit``, ``Delivered`` and so on, or the source's own word.
        work_order_id: the work order that it is meant for.
        origin: where it comes from.
        checkpoint: where it is.
        next_checkpoint: where it is expected next.
        destination: where it goes.
        person: who started, tracked, changed or accepted it.
        packages: what is transported, where that is told.
    """

    order_id: str | None = None
    step: Literal["started", "checkpoint", "status", "completed"]
    status: str | None = None
    work_order_id: str | None = None
    origin: str | None = None
    checkpoint: str | None = None
    next_checkpoint: str | None = None
    destination: str | None = None
    person: Person | None = None
    comments: str | None = None
    packages: list[Package] = Field(default_factory=list)
