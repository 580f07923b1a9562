"""What the placement machine says: materials, faults, states."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from pywats_cfx import messages as cfx
from samples import product
from samples.panels import Panel, new_id


def materials_installed(panel: Panel, transaction: str, at: datetime) -> cfx.MaterialsInstalled:
    """Tell what of which reel went onto which board."""
    by_reel: dict[str, list[product.Part]] = {}
    for part in product.PARTS:
        if part.designator not in product.THROUGH_HOLE:
            by_reel.setdefault(part.reel, []).append(part)
    return cfx.MaterialsInstalled(
        transaction_id=transaction,
        installed_materials=[
            installed(panel.name, circuit.position, parts, at)
            for circuit in panel.circuits
            if not circuit.skipped
            for parts in by_reel.values()
        ],
    )


def installed(unit: str, position: int, parts: Sequence[product.Part], at: datetime) -> cfx.InstalledMaterial:
    """Tell what of one reel went onto one board."""
    first = parts[0]
    return cfx.InstalledMaterial(
        unit_identifier=unit,
        unit_position_number=position,
        quantity_installed=float(len(parts)),
        quantity_non_installed=0.0,
        material=package(first),
        carrier_location=cfx.MaterialCarrierLocation(
            location_identifier=f"PLACE01-{first.slot}",
            location_name=first.slot,
            carrier_information=feeder(first),
        ),
        installed_components=[
            cfx.InstalledComponent(reference_designator=part.designator, installation_time=at)
            for part in parts
        ],
    )


def package(part: product.Part) -> cfx.MaterialPackage:
    """Give the package that a part comes from."""
    return cfx.MaterialPackage(
        unique_identifier=part.reel,
        internal_part_number=part.part_number,
        quantity=4870.0,
        batch_id=f"LOT-{part.reel[-5:]}",
        grey_zone=0.0,
    )


def feeder(part: product.Part) -> cfx.MaterialCarrier:
    """Give the feeder that a part's package is in."""
    name = f"FEEDER-{part.slot}"
    if part.slot.startswith("TRAY"):
        return cfx.SMDTrayFeeder(
            unique_identifier=name,
            name=name,
            cell_dimension_x=14.0,
            cell_dimension_y=14.0,
            cell_count_x=10,
            cell_count_y=5,
            cell_pitch_x=15.0,
            cell_pitch_y=15.0,
            cell_number_x=0.0,
            cell_number_y=0.0,
        )
    if part.slot.startswith("TUBE"):
        return cfx.SMDTubeFeeder(unique_identifier=name, name=name, lane_number=1, width=16.0, pitch=20.0)
    return cfx.SMDTapeFeeder(unique_identifier=name, name=name, lane_number=1, tape_width=8.0, tape_pitch=4.0)


def feeder_fault(
    rng: Random, part: product.Part, at: datetime, transaction: str | None
) -> cfx.SMTPlacementFault:
    """Say that a reel is empty."""
    return cfx.SMTPlacementFault(
        transaction_id=transaction,
        cause=cfx.FaultCause.Refill,
        severity=cfx.FaultSeverity.Error,
        fault_code="PLACE-1042",
        fault_occurrence_id=new_id(rng),
        lane=1,
        stage=cfx.Stage(stage_sequence=1, stage_name="GANTRY1", stage_type=cfx.StageType.Work),
        side_location=cfx.SideLocation.Right,
        access_type=cfx.AccessType.Local,
        description=f"{part.slot}: reel is empty",
        description_translations={"sv-SE": f"{part.slot}: rullen är tom"},
        occurred_at=at,
        placement_fault_type="PartsExhaust",
        program_step=118,
        designator=cfx.ComponentDesignator(
            reference_designator=part.designator, part_number=part.part_number
        ),
        material_location=cfx.MaterialLocation(
            location_identifier=f"PLACE01-{part.slot}",
            location_name=part.slot,
            material_package=package(part),
            carrier_information=feeder(part),
        ),
        head_and_nozzle={
            "HeadId": "H1",
            "HeadNozzleNumber": 3,
            "NozzleType": "505",
            "UniqueIdentifier": "NZL-0093",
            "Name": None,
        },
        number_of_tries_before_error=3,
        reference_part_number=part.part_number,
    )


def state_changed(
    old: cfx.ResourceState,
    new: cfx.ResourceState,
    lasted: timedelta,
    fault: cfx.Fault | None = None,
) -> cfx.StationStateChanged:
    """Say that a machine's state is another now."""
    return cfx.StationStateChanged(
        old_state=old, old_state_duration=lasted, new_state=new, related_fault=fault
    )
