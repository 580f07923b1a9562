"""What the testers say: in circuit, and function."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from pywats_cfx import messages as cfx
from samples import product
from samples.panels import OPERATOR, Circuit, Panel, Verdict, new_id


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
