"""What was built into units."""

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
