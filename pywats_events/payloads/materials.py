"""What was built into units, taken out of them, and used up on them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from pywats_events.payloads.common import DomainModel


class Placement(DomainModel):
    """One place on the unit where material was installed, or was to be.

    Attributes:
        designator: reference designator such as ``R1``.
        unit_id: serial number of the installed part, where it has one.
        installed_at: when.
        reason: why it was not installed, for those that were not.
    """

    designator: str | None = None
    unit_id: str | None = None
    installed_at: datetime | None = None
    reason: str | None = None


class InstalledMaterial(DomainModel):
    """Material from one package, built into one unit.

    Attributes:
        package_id: reel, tray or other package.
        part_number: part number of the material.
        batch: lot of the material.
        quantity: how many were installed.
        quantity_not_installed: how many were rejected or lost.
        location: where on the machine it came from (slot, feeder).
    """

    package_id: str | None = None
    part_number: str | None = None
    batch: str | None = None
    quantity: float | None = None
    quantity_not_installed: float | None = None
    location: str | None = None
    carrier: str | None = None
    placements: list[Placement] = Field(default_factory=list)
    not_installed: list[Placement] = Field(default_factory=list)


class MaterialInstalledEvent(DomainModel):
    """Everything that one message says was installed into one unit."""

    unit_id: str
    position: int | None = None
    transaction_id: str | None = None
    materials: list[InstalledMaterial] = Field(default_factory=list)


class RemovedMaterial(DomainModel):
    """Material from one package, taken out of one unit.

    Attributes:
        package_id: the package that it once came from.
        quantity: how much was taken out.
        reason: ``DefectiveMaterial``, ``DefectiveInstallation``, ``IncorrectMaterial``, ``Other``, or the
            source's own word.
        placements: the places it was taken from.
    """

    package_id: str | None = None
    part_number: str | None = None
    batch: str | None = None
    quantity: float | None = None
    reason: str | None = None
    placements: list[Placement] = Field(default_factory=list)


class MaterialRemovedEvent(DomainModel):
    """Everything that one message says was taken out of one unit.

    Attributes:
        bulk: True for material without places of its own, such as glue or paste.
    """

    unit_id: str
    position: int | None = None
    transaction_id: str | None = None
    bulk: bool = False
    materials: list[RemovedMaterial] = Field(default_factory=list)


class UsedMaterial(DomainModel):
    """Material that was used up.

    Attributes:
        quantity: how much, in ``unit`` where the source says one.
        expected: how much it should have been, with the bounds ``low`` and ``high``; units likewise.
        spoiled: how much of it was lost.
        remaining: how much is left in the package.
        location: where on the machine it lay.
        placements: where on the unit it went.
    """

    package_id: str | None = None
    part_number: str | None = None
    batch: str | None = None
    quantity: float | None = None
    unit: str | None = None
    expected: float | None = None
    expected_unit: str | None = None
    low: float | None = None
    low_unit: str | None = None
    high: float | None = None
    high_unit: str | None = None
    spoiled: float | None = None
    remaining: float | None = None
    location: str | None = None
    carrier: str | None = None
    placements: list[Placement] = Field(default_factory=list)
    not_installed: list[Placement] = Field(default_factory=list)


class MaterialConsumedEvent(DomainModel):
    """Material was used up: on one unit, or at a station by work that no unit is named of.

    Attributes:
        asset_id: the station.
        unit_id: the unit that it went into; None when only the station's use is told.
        materials: on a unit all that one message says of it; else of one package.
    """

    asset_id: str
    unit_id: str | None = None
    position: int | None = None
    transaction_id: str | None = None
    materials: list[UsedMaterial] = Field(default_factory=list)
