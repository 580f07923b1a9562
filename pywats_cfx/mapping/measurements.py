"""Measurements and environmental conditions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

from pywats_cfx.mapping.values import finite, plain, text
from pywats_cfx.messages import structures as cfx
from pywats_cfx.messages.wire import short_type
from pywats_cfx.messages.writing import to_wire, write_not_finite
from pywats_events.payloads import (
    BooleanMeasurement,
    Condition,
    FeatureMeasurement,
    Measurement,
    NumericMeasurement,
    OtherMeasurement,
    Outcome,
    Picture,
    Quantity,
    TextMeasurement,
)

OUTCOMES: Final = {
    cfx.TestResult.Passed: Outcome.PASSED,
    cfx.TestResult.Failed: Outcome.FAILED,
    cfx.TestResult.Error: Outcome.ERROR,
    cfx.TestResult.Aborted: Outcome.ABORTED,
    cfx.TestResult.Skipped: Outcome.SKIPPED,
}
_SEPARATORS: Final = re.compile(r"[,;\s]+")


def outcome(result: str | None) -> tuple[Outcome, str | None]:
    """Give the verdict, and the sender's word for it where that is none of the standard's.

    A missing verdict is unknown: nothing passes because nothing was said.
    """
    known = OUTCOMES.get(result) if isinstance(result, cfx.TestResult) else None
    if known is not None:
        return known, None
    return Outcome.UNKNOWN, result


def designators(crds: str | None) -> list[str]:
    """Give the components that a list such as ``R1, R2;C4`` names."""
    return [name for name in _SEPARATORS.split(crds) if name] if crds else []


def measurement(given: cfx.Measurement) -> Measurement:
    """Give the domain's form of a measurement."""
    return _FORMS.get(type(given), _other)(given, _common(given))


def _common(given: cfx.Measurement) -> dict[str, Any]:
    result, word = outcome(given.result) if given.result is not None else (None, None)
    return {
        "id": given.unique_identifier,
        "name": text(given.measurement_name),
        "sequence": given.sequence,
        "recorded_at": given.time_recorded,
        "result": result,
        "result_said": word,
        "designators": designators(given.crds),
    }


def _numeric(given: cfx.NumericMeasurement, common: dict[str, Any]) -> Measurement:
    said_value = given.measured_value
    if said_value is None:
        return NumericMeasurement(**common)
    value = said_value.value
    odd = value is not None and not math.isfinite(value)
    return NumericMeasurement(
        **common,
        value=None if odd else value,
        value_text=write_not_finite(value) if odd and value is not None else None,
        unit=text(said_value.value_units),
        expected=finite(said_value.expected_value),
        expected_unit=text(said_value.expected_value_units),
        low=finite(said_value.minimum_acceptable_value),
        low_unit=text(said_value.minimum_acceptable_value_units),
        high=finite(said_value.maximum_acceptable_value),
        high_unit=text(said_value.maximum_acceptable_value_units),
    )


def _boolean(given: cfx.BooleanMeasurement, common: dict[str, Any]) -> Measurement:
    return BooleanMeasurement(**common, value=given.value, expected=given.expected_value)


def _text(given: cfx.TextMeasurement, common: dict[str, Any]) -> Measurement:
    return TextMeasurement(**common, value=given.value, expected=given.expected_value)


def _quantity(
    name: str, value: float | None, expected: float | None = None, unit: str | None = None
) -> Quantity:
    return Quantity(name=name, value=finite(value), expected=finite(expected), unit=unit)


def _said_only(quantities: list[Quantity]) -> list[Quantity]:
    return [each for each in quantities if each.value is not None or each.expected is not None]


def _paste(given: cfx.SolderPasteMeasurement, common: dict[str, Any]) -> Measurement:
    quantities = [
        _quantity("X", given.x, given.ex, "mm"),
        _quantity("Y", given.y, given.ey, "mm"),
        _quantity("Z", given.z, given.ez, "mm"),
        _quantity("Volume", given.vol, given.e_vol, "ml"),
        _quantity("Area", given.a, given.ea, "mm2"),
        _quantity("DX", given.dx),
        _quantity("DY", given.dy),
        _quantity("PX", given.px),
        _quantity("PY", given.py),
        _quantity("RXY", given.rxy),
        _quantity("AR", given.ar),
    ]
    return FeatureMeasurement(
        **common, feature="paste", quantities=_said_only(quantities), image=picture(given.image)
    )


def _lean_paste(given: cfx.InspectionMeasurementLean, common: dict[str, Any]) -> Measurement:
    quantities = [
        _quantity("X", given.x, unit="mm"),
        _quantity("Y", given.y, unit="mm"),
        _quantity("Z", given.z, unit="mm"),
        _quantity("Volume", given.vol, unit="ml"),
        _quantity("Area", given.a, unit="mm2"),
        _quantity("DX", given.dx),
        _quantity("DY", given.dy),
    ]
    return FeatureMeasurement(
        **common, feature="paste", quantities=_said_only(quantities), image=picture(given.image)
    )


def _expected_paste(given: cfx.InspectionMeasurementExpected, common: dict[str, Any]) -> Measurement:
    quantities = [
        _quantity("X", None, given.ex, "mm"),
        _quantity("Y", None, given.ey, "mm"),
        _quantity("Z", None, given.ez, "mm"),
        _quantity("Volume", None, given.e_vol, "ml"),
        _quantity("Area", None, given.ea, "mm2"),
        _quantity("PX", given.px),
        _quantity("PY", given.py),
        _quantity("RXY", given.rxy),
        _quantity("AR", given.ar),
    ]
    return FeatureMeasurement(**common, feature="paste", quantities=_said_only(quantities))


def _offset(given: cfx.OffsetMeasurement, common: dict[str, Any]) -> Measurement:
    quantities = [
        _quantity(name, getattr(given, name.lower())) for name in ("DX", "DY", "DZ", "RXY", "RZX", "RZY")
    ]
    return FeatureMeasurement(**common, feature="offset", quantities=_said_only(quantities))


def _coating(given: cfx.CoatingMeasurement, common: dict[str, Any]) -> Measurement:
    main = Quantity(
        name=" ".join(filter(None, (text(given.measurement_type), text(given.axis)))) or "Value",
        value=finite(given.actual_value),
        expected=finite(given.expected_value),
        low=finite(given.min_acceptable_value),
        high=finite(given.max_acceptable_value),
    )
    settings = [
        _quantity("FluidPressureSetting", given.fluid_pressure),
        _quantity("NozzleWidthSetting", given.nozzle_width),
    ]
    return FeatureMeasurement(**common, feature="coating", quantities=[main, *_said_only(settings)])


def _thickness(given: cfx.CoatingThicknessMeasurement, common: dict[str, Any]) -> Measurement:
    quantities = [_quantity("Thickness", given.thickness), _quantity("Position", given.position)]
    return FeatureMeasurement(**common, feature="coating", quantities=_said_only(quantities))


_COMMON_FIELDS: Final = {
    "$type",
    "UniqueIdentifier",
    "MeasurementName",
    "TimeRecorded",
    "Sequence",
    "Result",
    "CRDs",
}


def _other(given: cfx.Measurement, common: dict[str, Any]) -> Measurement:
    fields = {name: value for name, value in to_wire(given).items() if name not in _COMMON_FIELDS}
    return OtherMeasurement(**common, type_name=short_type(given.type_name), fields=plain(fields))


_FORMS: Final[dict[type[cfx.Measurement], Callable[[Any, dict[str, Any]], Measurement]]] = {
    cfx.NumericMeasurement: _numeric,
    cfx.BooleanMeasurement: _boolean,
    cfx.TextMeasurement: _text,
    cfx.SolderPasteMeasurement: _paste,
    cfx.InspectionMeasurementLean: _lean_paste,
    cfx.InspectionMeasurementExpected: _expected_paste,
    cfx.OffsetMeasurement: _offset,
    cfx.CoatingMeasurement: _coating,
    cfx.CoatingThicknessMeasurement: _thickness,
}


def picture(image: cfx.Image | None) -> Picture | None:
    """Give an image; None when it is neither in the message nor anywhere else."""
    if image is None or not (image.image_data or image.image_url):
        return None
    return Picture(mime_type=text(image.mime_type), data=image.image_data or None, url=text(image.image_url))


_CONDITION_UNITS: Final = {"Temperature": "degC", "Humidity": "%"}


def condition(given: cfx.EnvironmentalCondition) -> Condition:
    """Give an environmental condition; one of an unknown type is named by its type."""
    label = short_type(given.type_name)
    name = label.rpartition(".")[2] if label else type(given).__name__
    return Condition(
        name=name,
        mean=finite(given.mean_value),
        median=finite(given.median_value),
        maximum=finite(given.max_value),
        minimum=finite(given.min_value),
        unit=_CONDITION_UNITS.get(name),
    )
