"""What the inspection machines say: paste, and parts."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from pywats_cfx import messages as cfx
from samples import product
from samples.panels import OPERATOR, Circuit, Panel, Verdict, new_id


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
