"""Material packages, their carriers, and what of them went onto units."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import Field

from pywats_cfx.messages.structures.enumerations import NonInstalledComponentLocation, RejectionReason
from pywats_cfx.messages.structures.general import Stage
from pywats_cfx.messages.structures.measurements import NumericValue
from pywats_cfx.messages.wire import CFXStructure, Descendants, Many, Moment, Open


class MaterialPackage(CFXStructure):
    """A reel, tray, stick or other package of material."""

    CFX_NAME = "CFX.Structures.MaterialPackage"

    unique_identifier: str | None = None
    internal_part_number: str | None = None
    internal_package_name: str | None = None
    quantity: float | None = None
    leading_material_package: MaterialPackage | None = None
    batch_id: str | None = None
    batch_material_package: MaterialPackage | None = None
    grey_zone: float | None = None


class MaterialCarrier(CFXStructure):
    """A feeder or other carrier of packages."""

    CFX_NAME = "CFX.Structures.MaterialCarrier"

    unique_identifier: str | None = None
    name: str | None = None
    parent_carrier: MaterialCarrier | None = None


class SMDTapeFeeder(MaterialCarrier):
    """A feeder of taped components."""

    CFX_NAME = "CFX.Structures.SMTPlacement.SMDTapeFeeder"
    LABELLED = True

    base_unique_identifier: str | None = None
    base_name: str | None = None
    lane_number: int | None = None
    tape_width: float | None = None
    tape_pitch: float | None = None


class SMDTubeFeeder(MaterialCarrier):
    """A feeder of components in tubes."""

    CFX_NAME = "CFX.Structures.SMTPlacement.SMDTubeFeeder"
    LABELLED = True

    base_unique_identifier: str | None = None
    base_name: str | None = None
    lane_number: int | None = None
    width: float | None = None
    pitch: float | None = None


class SMDTrayFeeder(MaterialCarrier):
    """A tray with cells."""

    CFX_NAME = "CFX.Structures.SMTPlacement.SMDTrayFeeder"
    LABELLED = True

    cell_dimension_x: float | None = None
    cell_dimension_y: float | None = None
    cell_count_x: int | None = None
    cell_count_y: int | None = None
    cell_pitch_x: float | None = None
    cell_pitch_y: float | None = None
    cell_number_x: float | None = None
    cell_number_y: float | None = None


AnyCarrier: TypeAlias = Annotated[MaterialCarrier, Descendants(SMDTapeFeeder, SMDTubeFeeder, SMDTrayFeeder)]


class MaterialCarrierLocation(CFXStructure):
    """A slot of the machine and the carrier in it."""

    CFX_NAME = "CFX.Structures.MaterialCarrierLocation"

    resource_location: dict[str, Any] | None = None
    location_identifier: str | None = None
    location_name: str | None = None
    carrier_information: AnyCarrier | None = None


class MaterialLocation(CFXStructure):
    """A slot of the machine, the package and the carrier in it."""

    CFX_NAME = "CFX.Structures.MaterialLocation"

    resource_location: dict[str, Any] | None = None
    location_identifier: str | None = None
    location_name: str | None = None
    material_package: MaterialPackage | None = None
    carrier_information: AnyCarrier | None = None


class InstalledComponent(CFXStructure):
    """One component that was installed."""

    CFX_NAME = "CFX.Structures.InstalledComponent"

    reference_designator: str | None = None
    installed_unit_identifier: str | None = None
    installation_time: Moment = None
    stage: Stage | None = None
    electrical_test: dict[str, Any] | None = None
    tests: dict[str, Any] | None = None


class SMTInstalledComponent(InstalledComponent):
    """One component that a placement machine installed."""

    CFX_NAME = "CFX.Structures.SMTPlacement.SMTInstalledComponent"
    LABELLED = True

    head_and_nozzle: dict[str, Any] | None = None
    picking_time: Moment = None
    picking_sequence: int | None = None
    installation_sequence: int | None = None
    cycle_sequence: int | None = None


class AppliedComponent(InstalledComponent):
    """One place to which bulk material was applied."""

    CFX_NAME = "CFX.Structures.AppliedComponent"
    LABELLED = True

    quantity_applied: NumericValue | None = None


class NonInstalledComponent(CFXStructure):
    """One component that should have been installed and was not."""

    CFX_NAME = "CFX.Structures.NonInstalledComponent"

    reference_designator: str | None = None
    non_installation_time: Moment = None
    location: Open[NonInstalledComponentLocation] = None
    stage: Stage | None = None
    rejection_box_id: str | None = None
    rejection_comment: str | None = None
    rejection_reason: Open[RejectionReason] = None
    rejection_details: Any = None


class SMTNonInstalledComponent(NonInstalledComponent):
    """One component that a placement machine did not install."""

    CFX_NAME = "CFX.Structures.SMTPlacement.SMTNonInstalledComponent"
    LABELLED = True

    head_and_nozzle: dict[str, Any] | None = None
    picking_time: Moment = None
    picking_sequence: int | None = None
    cycle_sequence: int | None = None


class InstalledMaterial(CFXStructure):
    """What of one package went onto one unit."""

    CFX_NAME = "CFX.Structures.InstalledMaterial"

    unit_identifier: str | None = None
    unit_position_number: int | None = None
    quantity_installed: float | None = None
    quantity_non_installed: float | None = None
    material: MaterialPackage | None = None
    carrier_location: MaterialCarrierLocation | None = None
    installed_components: Many[
        Annotated[InstalledComponent, Descendants(SMTInstalledComponent, AppliedComponent)]
    ] = Field(default_factory=list)
    non_installed_components: Many[
        Annotated[NonInstalledComponent, Descendants(SMTNonInstalledComponent)]
    ] = Field(default_factory=list)
    reference_part_number: str | None = None
