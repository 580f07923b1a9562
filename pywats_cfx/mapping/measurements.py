"""Measurements and environmental conditions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

from pywats_cfx.mapping.values import finite, moment, plain, text
from pywats_cfx.messages import structures as cfx
from pywats_cfx.messages.wire import short_type
from pywats_cfx.messages.writing import to_wire, write_not_finite
from pywats_events.payloads import Condition, Outcome, Picture

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


def measurement(given: cfx.Measurement) -> dict[str, Any]:
    """Give a measurement as payload data, the same as ``payloads.Measurement`` would give.

    Plain data and not the model, because messages hold thousands of these: a model each costs more than
    reading the whole message.
    """
    result, word = (None, None) if given.result is None else outcome(given.result)
    common = {
        "id": given.unique_identifier,
        "name": text(given.measurement_name),
        "sequence": given.sequence,
        "recorded_at": moment(given.time_recorded),
        "result": result and result.value,
        "result_said": word,
        "designators": designators(given.crds),
    }
    form: Callable[[Any], dict[str, Any]] = _FORMS.get(type(given), _other)
    common.update(form(given))
    return {name: value for name, value in common.items() if value is not None}


def _numeric(given: cfx.NumericMeasurement) -> dict[str, Any]:
    return {"kind": "numeric"} if given.measured_value is None else numeric(given.measured_value)


def numeric(numbers: cfx.NumericValue) -> dict[str, Any]:
    """Give a number with its limits as payload data, the part that ``payloads.NumericMeasurement`` adds."""
    value = numbers.value
    odd = value is not None and not math.isfinite(value)
    return {
        "kind": "numeric",
        "value": None if odd else value,
        "value_text": write_not_finite(value) if odd and value is not None else None,
        "unit": text(numbers.value_units),
        "expected": finite(numbers.expected_value),
        "expected_unit": text(numbers.expected_value_units),
        "low": finite(numbers.minimum_acceptable_value),
        "low_unit": text(numbers.minimum_acceptable_value_units),
        "high": finite(numbers.maximum_acceptable_value),
        "high_unit": text(numbers.maximum_acceptable_value_units),
    }


def _boolean(given: cfx.BooleanMeasurement) -> dict[str, Any]:
    return {"kind": "boolean", "value": given.value, "expected": given.expected_value}


def _text(given: cfx.TextMeasurement) -> dict[str, Any]:
    return {"kind": "text", "value": given.value, "expected": given.expected_value}


def _feature(feature: str, *quantities: dict[str, Any], image: cfx.Image | None = None) -> dict[str, Any]:
    shown = picture(image)
    return {
        "kind": "feature",
        "feature": feature,
        "quantities": [each for each in quantities if "value" in each or "expected" in each],
        "image": shown and shown.to_payload(),
    }


def _quantity(
    name: str, value: float | None, expected: float | None = None, *, unit: str | None = None
) -> dict[str, Any]:
    quantity: dict[str, Any] = {"name": name}
    if (number := finite(value)) is not None:
        quantity["value"] = float(number)
    if (number := finite(expected)) is not None:
        quantity["expected"] = float(number)
    if unit is not None:
        quantity["unit"] = unit
    return quantity


def _paste(given: cfx.SolderPasteMeasurement) -> dict[str, Any]:
    return _feature(
        "paste",
        _quantity("X", given.x, given.ex, unit="mm"),
        _quantity("Y", given.y, given.ey, unit="mm"),
        _quantity("Z", given.z, given.ez, unit="mm"),
        _quantity("Volume", given.vol, given.e_vol, unit="ml"),
        _quantity("Area", given.a, given.ea, unit="mm2"),
        _quantity("DX", given.dx),
        _quantity("DY", given.dy),
        _quantity("PX", given.px),
        _quantity("PY", given.py),
        _quantity("RXY", given.rxy),
        _quantity("AR", given.ar),
        image=given.image,
    )


def _lean_paste(given: cfx.InspectionMeasurementLean) -> dict[str, Any]:
    return _feature(
        "paste",
        _quantity("X", given.x, unit="mm"),
        _quantity("Y", given.y, unit="mm"),
        _quantity("Z", given.z, unit="mm"),
        _quantity("Volume", given.vol, unit="ml"),
        _quantity("Area", given.a, unit="mm2"),
        _quantity("DX", given.dx),
        _quantity("DY", given.dy),
        image=given.image,
    )


def _expected_paste(given: cfx.InspectionMeasurementExpected) -> dict[str, Any]:
    return _feature(
        "paste",
        _quantity("X", None, given.ex, unit="mm"),
        _quantity("Y", None, given.ey, unit="mm"),
        _quantity("Z", None, given.ez, unit="mm"),
        _quantity("Volume", None, given.e_vol, unit="ml"),
        _quantity("Area", None, given.ea, unit="mm2"),
        _quantity("PX", given.px),
        _quantity("PY", given.py),
        _quantity("RXY", given.rxy),
        _quantity("AR", given.ar),
    )


def _offset(given: cfx.OffsetMeasurement) -> dict[str, Any]:
    return _feature(
        "offset",
        _quantity("DX", given.dx),
        _quantity("DY", given.dy),
        _quantity("DZ", given.dz),
        _quantity("RXY", given.rxy),
        _quantity("RZX", given.rzx),
        _quantity("RZY", given.rzy),
    )


def _coating(given: cfx.CoatingMeasurement) -> dict[str, Any]:
    name = " ".join(filter(None, (text(given.measurement_type), text(given.axis)))) or "Value"
    main = _quantity(name, given.actual_value, given.expected_value)
    limits = {"low": finite(given.min_acceptable_value), "high": finite(given.max_acceptable_value)}
    main.update((limit, value) for limit, value in limits.items() if value is not None)
    return _feature(
        "coating",
        main,
        _quantity("FluidPressureSetting", given.fluid_pressure),
        _quantity("NozzleWidthSetting", given.nozzle_width),
    )


def _thickness(given: cfx.CoatingThicknessMeasurement) -> dict[str, Any]:
    return _feature("coating", _quantity("Thickness", given.thickness), _quantity("Position", given.position))


_COMMON_FIELDS: Final = {
    "$type",
    "UniqueIdentifier",
    "MeasurementName",
    "TimeRecorded",
    "Sequence",
    "Result",
    "CRDs",
}


def _other(given: cfx.Measurement) -> dict[str, Any]:
    fields = {name: value for name, value in to_wire(given).items() if name not in _COMMON_FIELDS}
    return {"kind": "other", "type_name": short_type(given.type_name), "fields": plain(fields)}


_FORMS: Final[dict[type[cfx.Measurement], Callable[[Any], dict[str, Any]]]] = {
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


_CONDITION_UNITS: Final = {"Temperature": "°C", "Humidity": "%"}


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
