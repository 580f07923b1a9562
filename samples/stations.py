"""What the stations of the sample line say, as CFX messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final, Literal
from uuid import UUID

from pywats_cfx import messages as cfx
from samples import product

LASER: Final = "//Acme/Line1/LASER01"
SPI: Final = "//Acme/Line1/SPI01"
PLACER: Final = "//Acme/Line1/PLACE01"
AOI: Final = "//Acme/Line1/AOI01"
ICT: Final = "//Acme/Line1/ICT01"
FCT: Final = "//Acme/Line1/FCT01"
STATIONS: Final = (LASER, SPI, PLACER, AOI, ICT, FCT)

Verdict = Literal["Passed", "Failed", "Skipped"]

OPERATOR: Final = cfx.Operator(
    operator_identifier="OP-0417",
    actor_type=cfx.ActorType.Human,
    last_name="Lindqvist",
    first_name="Åsa",
    login_name="asa.lindqvist",
)


@dataclass(frozen=True, slots=True)
class Circuit:
    """One board on a panel.

    Attributes:
        serial: the number that the laser gave it.
        position: its place on the panel.
        skipped: marked bad before the line began; nobody works on it.
    """

    serial: str
    position: int
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel and the boards on it."""

    name: str
    circuits: tuple[Circuit, ...]


def new_id(rng: Random) -> str:
    """Give a guid that depends on nothing but the random numbers."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def positions(panel: Panel, *, by_serial: bool) -> list[cfx.UnitPosition]:
    """Give the table of units that flow messages carry.

    Args:
        panel: the panel.
        by_serial: True for a station that reads every board's number, False where only the panel's is read.
    """
    return [
        cfx.UnitPosition(
            unit_identifier=circuit.serial if by_serial else panel.name,
            position_number=circuit.position,
            position_name=f"CIRCUIT{circuit.position}",
            x=12.5 + 60.0 * ((circuit.position - 1) % 2),
            y=20.0 + 45.0 * ((circuit.position - 1) // 2),
            z=None,
            rotation=0.0,
            flip_x=False,
            flip_y=False,
            status=cfx.UnitStatus.Skip if circuit.skipped else cfx.UnitStatus.Pass,
        )
        for circuit in panel.circuits
    ]


def work_order() -> cfx.WorkOrderIdentifier:
    """Give the work order that the line runs."""
    return cfx.WorkOrderIdentifier(work_order_id=product.WORK_ORDER, batch=product.BATCH)


def units_initialized(panel: Panel, transaction: str) -> cfx.UnitsInitialized:
    """The laser has marked the boards of a panel."""
    return cfx.UnitsInitialized(
        transaction_id=transaction,
        primary_identifier=panel.name,
        work_order_identifier=work_order(),
        unit_count=len(panel.circuits),
        units=positions(panel, by_serial=True),
    )


def recipe_activated(recipe: str, revision: str) -> cfx.RecipeActivated:
    """A recipe was made ready."""
    return cfx.RecipeActivated(
        recipe_name=recipe,
        revision=revision,
        lane=1,
        expected_cycle_time=24.0,
        expected_work_time=20.0,
        expected_units_per_work_transaction=1.0,
        number_of_components_per_unit=float(len(product.PARTS)),
        work_order_identifier=work_order(),
        target_quantity=500.0,
        relevant_surface=cfx.Surface.PrimarySurface,
    )


def work_started(
    panel: Panel, transaction: str, recipe: str, revision: str, *, by_serial: bool = False
) -> cfx.WorkStarted:
    """A station begins with a panel."""
    return cfx.WorkStarted(
        primary_identifier=panel.name,
        transaction_id=transaction,
        lane=1,
        unit_count=len(panel.circuits),
        units=positions(panel, by_serial=by_serial),
        recipe_name=recipe,
        revision=revision,
        relevant_surface=cfx.Surface.PrimarySurface,
        work_order_identifier=work_order(),
    )


def work_completed(
    panel: Panel, transaction: str, result: cfx.WorkResult = cfx.WorkResult.Completed
) -> cfx.WorkCompleted:
    """A station is done with a panel; which units those were it said when it began."""
    return cfx.WorkCompleted(
        transaction_id=transaction, result=result, primary_identifier=panel.name, unit_count=0
    )


def units_disqualified(panel: Panel, circuit: Circuit) -> cfx.UnitsDisqualified:
    """A board is scrapped."""
    single = Panel(panel.name, (circuit,))
    return cfx.UnitsDisqualified(
        primary_identifier=panel.name,
        reason=cfx.DisqualificationReason.DefectiveRepairNotFeasible,
        comments="failed the in-circuit test twice",
        unit_count=1,
        units=positions(single, by_serial=True),
    )


def numeric(
    rng: Random, name: str, value: float, unit: str, limits: tuple[float, float], *, sequence: int, crds: str
) -> cfx.NumericMeasurement:
    """Give a measured number with its verdict."""
    low, high = limits
    return cfx.NumericMeasurement(
        unique_identifier=new_id(rng),
        measurement_name=name,
        sequence=sequence,
        result=cfx.TestResult.Passed if low <= value <= high else cfx.TestResult.Failed,
        crds=crds or None,
        measured_value=cfx.NumericValue(
            value=value,
            value_units=unit,
            expected_value=round((low + high) / 2, 6),
            expected_value_units=unit,
            minimum_acceptable_value=low,
            minimum_acceptable_value_units=unit,
            maximum_acceptable_value=high,
            maximum_acceptable_value_units=unit,
        ),
    )


def ict_unit(
    rng: Random, panel: Panel, circuit: Circuit, verdict: Verdict, begin: datetime
) -> cfx.TestedUnit:
    """Measure the passive parts of one board in circuit."""
    if verdict == "Skipped":
        return cfx.TestedUnit(
            unit_identifier=panel.name,
            unit_position_number=circuit.position,
            overall_result=cfx.TestResult.Skipped,
        )
    measured = [part for part in product.PARTS if part.nominal is not None]
    culprit = rng.choice(measured) if verdict == "Failed" else None
    measurements = []
    for sequence, part in enumerate(measured, start=1):
        nominal = part.nominal or 0.0
        span = nominal * part.tolerance
        off = 1.5 * span if part is culprit else max(-0.8 * span, min(0.8 * span, rng.gauss(0.0, span / 4)))
        limits = (round(nominal - span, 4), round(nominal + span, 4))
        value = round(nominal + off, 4)
        measurements.append(
            numeric(rng, part.designator, value, part.unit, limits, sequence=sequence, crds=part.designator)
        )
    symptoms = [] if culprit is None else [symptom(rng, culprit)]
    result = cfx.TestResult(verdict)
    test = cfx.Test(
        unique_identifier=new_id(rng),
        test_name="PASSIVE_PARTS",
        test_start_time=begin,
        test_end_time=begin + timedelta(seconds=4, milliseconds=rng.randrange(1000)),
        result=result,
        error=None if culprit is None else f"{culprit.designator} out of tolerance",
        symptoms_found=symptoms,
        measurements=measurements,
    )
    return cfx.TestedUnit(
        unit_identifier=panel.name,
        unit_position_number=circuit.position,
        overall_result=result,
        tests=[test],
    )


def symptom(rng: Random, part: product.Part) -> cfx.Symptom:
    """Say that a part measures wrong."""
    return cfx.Symptom(
        unique_identifier=new_id(rng),
        symptom_code="ICT-201",
        symptom_category="Electrical",
        description=f"{part.designator} above its upper limit",
        status=cfx.IssueStatus.NewlyDiscovered,
        components_of_interest=[
            cfx.ComponentDesignator(reference_designator=part.designator, part_number=part.part_number)
        ],
        priority=1,
    )


def fct_unit(rng: Random, circuit: Circuit, verdict: Verdict, begin: datetime) -> cfx.TestedUnit:
    """Try out one board, cut from its panel and known by its own number."""
    failing = rng.choice(product.RAILS) if verdict == "Failed" else None
    measurements: list[cfx.Measurement] = []
    for sequence, rail in enumerate(product.RAILS, start=1):
        middle, span = (rail.low + rail.high) / 2, (rail.high - rail.low) / 2
        off = -1.4 * span if rail is failing else max(-0.8 * span, min(0.8 * span, rng.gauss(0.0, span / 4)))
        value = round(middle + off, 3)
        measurements.append(
            numeric(rng, rail.name, value, rail.unit, (rail.low, rail.high), sequence=sequence, crds="")
        )
    passed = cfx.TestResult.Passed
    measurements += [
        cfx.TextMeasurement(
            unique_identifier=new_id(rng),
            measurement_name="Firmware",
            sequence=len(measurements) + 1,
            result=passed,
            value=product.FIRMWARE,
            expected_value=product.FIRMWARE,
        ),
        cfx.BooleanMeasurement(
            unique_identifier=new_id(rng),
            measurement_name="Status LED lit",
            sequence=len(measurements) + 2,
            result=passed,
            value=True,
            expected_value=True,
        ),
    ]
    result = cfx.TestResult(verdict)
    test = cfx.Test(
        unique_identifier=new_id(rng),
        test_name="FUNCTION",
        test_start_time=begin,
        test_end_time=begin + timedelta(seconds=9, milliseconds=rng.randrange(1000)),
        test_conditions=[
            cfx.Temperature(mean_value=23.4, median_value=23.4, max_value=23.9, min_value=23.1),
            cfx.Humidity(mean_value=41.0, median_value=41.0, max_value=42.5, min_value=40.2),
        ],
        result=result,
        error=None if failing is None else f"{failing.name} too low",
        measurements=measurements,
    )
    return cfx.TestedUnit(unit_identifier=circuit.serial, overall_result=result, tests=[test])


def units_tested(
    units: Sequence[cfx.TestedUnit], transaction: str, method: cfx.TestMethod, recipe: str, revision: str
) -> cfx.UnitsTested:
    """Tell the results of a test station."""
    return cfx.UnitsTested(
        transaction_id=transaction,
        test_method=method,
        tester=OPERATOR,
        recipe_name=recipe,
        recipe_revision=revision,
        sampling_information=cfx.SamplingInformation(sampling_method=cfx.SamplingMethod.NoSampling),
        tested_units=list(units),
    )


def spi_unit(rng: Random, panel: Panel, circuit: Circuit, verdict: Verdict) -> cfx.InspectedUnit:
    """Measure the paste on the pads of one board."""
    deposits = []
    pads = [f"{part.designator}.{pad}" for part in product.PARTS[:3] for pad in (1, 2)]
    for sequence, pad in enumerate(pads, start=1):
        scanty = verdict == "Failed" and sequence == 1
        height = 0.061 if scanty else round(0.120 + rng.uniform(-0.012, 0.012), 4)
        deposits.append(
            cfx.SolderPasteMeasurement(
                unique_identifier=new_id(rng),
                measurement_name=pad,
                sequence=sequence,
                result=cfx.TestResult.Failed if scanty else cfx.TestResult.Passed,
                crds=pad,
                x=round(0.8 + rng.uniform(-0.02, 0.02), 4),
                ex=0.8,
                y=round(0.9 + rng.uniform(-0.02, 0.02), 4),
                ey=0.9,
                z=height,
                ez=0.12,
                dx=round(rng.uniform(-0.03, 0.03), 4),
                dy=round(rng.uniform(-0.03, 0.03), 4),
                vol=round(0.8 * 0.9 * height / 1000, 9),
                e_vol=0.0000864,
                a=0.72,
                ea=0.72,
                px=round(10.0 + sequence * 1.6, 3),
                py=24.0,
                rxy=0.0,
                ar=1.0,
            )
        )
    result = cfx.TestResult(verdict)
    skipped = verdict == "Skipped"
    inspection = cfx.Inspection(
        unique_identifier=new_id(rng),
        inspection_name="PASTE",
        result=result,
        verification=cfx.VerificationResult.NotVerifiedYet,
        measurements=deposits,
    )
    return inspected(panel, circuit, result, [] if skipped else [inspection])


def aoi_unit(
    rng: Random, panel: Panel, circuit: Circuit, verdict: Verdict, defects: Sequence[cfx.Defect] = ()
) -> cfx.InspectedUnit:
    """Look at the parts of one board."""
    result = cfx.TestResult(verdict)
    if verdict == "Skipped":
        return inspected(panel, circuit, result, [])
    found = list(defects)
    if verdict == "Failed" and not found:
        found = [tombstone(rng, rng.choice(product.PARTS[:4]))]
    blamed = {
        defect.component_of_interest.reference_designator for defect in found if defect.component_of_interest
    }
    inspections = [
        cfx.Inspection(
            unique_identifier=new_id(rng),
            inspection_name=f"INSPECT_{part.designator}",
            result=cfx.TestResult.Failed if part.designator in blamed else cfx.TestResult.Passed,
            verification=cfx.VerificationResult.NotVerifiedYet,
            defects_found=[
                defect
                for defect in found
                if defect.component_of_interest
                and defect.component_of_interest.reference_designator == part.designator
            ],
        )
        for part in product.PARTS[:5]
    ]
    return inspected(panel, circuit, result, inspections)


def tombstone(rng: Random, part: product.Part, images: Sequence[cfx.Image] = ()) -> cfx.Defect:
    """Say that a part stands on one end."""
    return cfx.Defect(
        unique_identifier=new_id(rng),
        defect_code="AOI-TOMB",
        defect_category="Placement",
        description=f"{part.designator} stands on one end",
        component_of_interest=cfx.ComponentDesignator(
            reference_designator=part.designator, part_number=part.part_number
        ),
        region_of_interest=cfx.Region(
            start_point_x=18.2,
            start_point_y=24.0,
            region_segments=[
                cfx.Segment(x=19.8, y=24.0),
                cfx.Segment(x=19.8, y=25.1),
                cfx.Segment(x=18.2, y=25.1),
            ],
        ),
        defect_images=list(images),
        priority=1,
        confidence_level=96.5,
        verification=cfx.VerificationResult.DefectConfirmed,
    )


def inspected(
    panel: Panel, circuit: Circuit, result: cfx.TestResult, inspections: Sequence[cfx.Inspection]
) -> cfx.InspectedUnit:
    """Give the result of one board of a panel."""
    return cfx.InspectedUnit(
        unit_identifier=panel.name,
        unit_position_number=circuit.position,
        overall_result=result,
        inspections=list(inspections),
        verification=cfx.VerificationResult.NotVerifiedYet,
        total_inspection_count=len(inspections),
    )


def units_inspected(
    units: Sequence[cfx.InspectedUnit],
    transaction: str,
    method: cfx.InspectionMethod,
    recipe: str,
    panel: cfx.InspectedPanel | None = None,
) -> cfx.UnitsInspected:
    """Tell the results of an inspection station."""
    return cfx.UnitsInspected(
        transaction_id=transaction,
        inspection_method=method,
        sampling_information=cfx.SamplingInformation(sampling_method=cfx.SamplingMethod.NoSampling),
        inspector=OPERATOR,
        recipe_name=recipe,
        recipe_revision="5",
        inspected_units=list(units),
        inspected_panel=panel,
    )


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
