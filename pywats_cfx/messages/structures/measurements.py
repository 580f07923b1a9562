"""Measurements of every kind, and environmental conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from pywats_cfx.messages.structures.enumerations import FileTransferMode, TestResult
from pywats_cfx.messages.wire import CFXStructure, Descendants, Many, Moment, Open


class EnvironmentalCondition(CFXStructure):
    """Base of conditions that were in force during an action."""

    CFX_NAME = "CFX.Structures.EnvironmentalCondition"

    start_time: Moment = None
    end_time: Moment = None
    mean_value: float | None = None
    median_value: float | None = None
    max_value: float | None = None
    min_value: float | None = None


class Temperature(EnvironmentalCondition):
    """Heat, in degrees Celsius."""

    CFX_NAME = "CFX.Structures.Temperature"
    LABELLED = True


class Humidity(EnvironmentalCondition):
    """Relative humidity, in per cent."""

    CFX_NAME = "CFX.Structures.Humidity"
    LABELLED = True


AnyCondition: TypeAlias = Annotated[EnvironmentalCondition, Descendants(Temperature, Humidity)]


class Image(CFXStructure):
    """A picture: base64 text in the message, or an address."""

    CFX_NAME = "CFX.Structures.Image"

    mime_type: str | None = None
    transfer_mode: Open[FileTransferMode] = None
    image_data: str | None = None
    image_url: str | None = Field(default=None, alias="ImageURL")


class Segment(CFXStructure):
    """A point of an outline."""

    CFX_NAME = "CFX.Structures.Segment"

    x: float | None = None
    y: float | None = None


class Region(CFXStructure):
    """An area of the unit."""

    CFX_NAME = "CFX.Structures.Region"

    start_point_x: float | None = None
    start_point_y: float | None = None
    region_segments: Many[Segment] = Field(default_factory=list)


class NumericValue(CFXStructure):
    """A number with what was expected of it. Each limit may be in a unit of its own."""

    CFX_NAME = "CFX.Structures.NumericValue"

    value: float | None = None
    value_units: str | None = None
    expected_value: float | None = None
    expected_value_units: str | None = None
    minimum_acceptable_value: float | None = None
    minimum_acceptable_value_units: str | None = None
    maximum_acceptable_value: float | None = None
    maximum_acceptable_value_units: str | None = None


class Measurement(CFXStructure):
    """Base of all measurements."""

    CFX_NAME = "CFX.Structures.Measurement"

    unique_identifier: str | None = None
    measurement_name: str | None = None
    time_recorded: Moment = None
    sequence: int | None = None
    result: Open[TestResult] = None
    crds: str | None = Field(default=None, alias="CRDs")


class NumericMeasurement(Measurement):
    """A number."""

    CFX_NAME = "CFX.Structures.NumericMeasurement"
    LABELLED = True

    measured_value: NumericValue | None = None


class BooleanMeasurement(Measurement):
    """A yes or no."""

    CFX_NAME = "CFX.Structures.BooleanMeasurement"
    LABELLED = True

    value: bool | None = None
    expected_value: bool | None = None


class TextMeasurement(Measurement):
    """A text."""

    CFX_NAME = "CFX.Structures.TextMeasurement"
    LABELLED = True

    value: str | None = None
    expected_value: str | None = None


class SolderPasteMeasurement(Measurement):
    """A paste deposit: what was measured and what was expected (E...)."""

    CFX_NAME = "CFX.Structures.SolderPasteInspection.SolderPasteMeasurement"
    LABELLED = True

    x: float | None = None
    ex: float | None = Field(default=None, alias="EX")
    y: float | None = None
    ey: float | None = Field(default=None, alias="EY")
    z: float | None = None
    ez: float | None = Field(default=None, alias="EZ")
    dx: float | None = Field(default=None, alias="DX")
    dy: float | None = Field(default=None, alias="DY")
    vol: float | None = None
    e_vol: float | None = Field(default=None, alias="EVol")
    image: Image | None = None
    a: float | None = None
    ea: float | None = Field(default=None, alias="EA")
    px: float | None = Field(default=None, alias="PX")
    py: float | None = Field(default=None, alias="PY")
    rxy: float | None = Field(default=None, alias="RXY")
    ar: float | None = Field(default=None, alias="AR")


class InspectionMeasurementLean(Measurement):
    """A paste deposit, measured values only."""

    CFX_NAME = "CFX.Structures.SolderPasteInspection.InspectionMeasurementLean"
    LABELLED = True

    x: float | None = None
    y: float | None = None
    z: float | None = None
    dx: float | None = Field(default=None, alias="DX")
    dy: float | None = Field(default=None, alias="DY")
    vol: float | None = None
    a: float | None = None
    image: Image | None = None


class InspectionMeasurementExpected(Measurement):
    """A paste deposit, expected values only."""

    CFX_NAME = "CFX.Structures.SolderPasteInspection.InspectionMeasurementExpected"
    LABELLED = True

    ex: float | None = Field(default=None, alias="EX")
    ey: float | None = Field(default=None, alias="EY")
    ez: float | None = Field(default=None, alias="EZ")
    px: float | None = Field(default=None, alias="PX")
    py: float | None = Field(default=None, alias="PY")
    ea: float | None = Field(default=None, alias="EA")
    e_vol: float | None = Field(default=None, alias="EVol")
    ar: float | None = Field(default=None, alias="AR")
    rxy: float | None = Field(default=None, alias="RXY")
    vertices: Many[Segment] = Field(default_factory=list)


class OffsetMeasurement(Measurement):
    """How far a component is from where it should be."""

    CFX_NAME = "CFX.Structures.PCBInspection.OffsetMeasurement"
    LABELLED = True

    dx: float | None = Field(default=None, alias="DX")
    dy: float | None = Field(default=None, alias="DY")
    dz: float | None = Field(default=None, alias="DZ")
    rxy: float | None = Field(default=None, alias="RXY")
    rzx: float | None = Field(default=None, alias="RZX")
    rzy: float | None = Field(default=None, alias="RZY")


class CoatingMeasurement(Measurement):
    """A value measured while coating was dispensed."""

    CFX_NAME = "CFX.Structures.Coating.CoatingMeasurement"
    LABELLED = True

    measurement_type: str | None = None
    actual_value: float | None = None
    expected_value: float | None = None
    min_acceptable_value: float | None = None
    max_acceptable_value: float | None = None
    axis: str | None = None
    fluid_pressure: int | None = None
    nozzle_width: int | None = None


class CoatingThicknessMeasurement(Measurement):
    """Thickness after vacuum coating."""

    CFX_NAME = "CFX.Structures.VacuumDeposition.CoatingThicknessMeasurement"
    LABELLED = True

    position: int | None = None
    thickness: float | None = None


def _measurement_by_shape(  # noqa: PLR0911  # a list of shapes, first that fits
    names: set[str], value: Mapping[str, Any]
) -> type[Measurement] | None:
    if "measuredvalue" in names:
        return NumericMeasurement
    if "value" in names:
        said = next(member for name, member in value.items() if name.lower() == "value")
        return {bool: BooleanMeasurement, str: TextMeasurement}.get(type(said))
    if "ex" in names or "evol" in names:
        measured = "x" in names or "vol" in names
        return SolderPasteMeasurement if measured else InspectionMeasurementExpected
    if "vol" in names:
        return InspectionMeasurementLean
    if "rzx" in names or "dz" in names:
        return OffsetMeasurement
    if "thickness" in names:
        return CoatingThicknessMeasurement
    return CoatingMeasurement if "actualvalue" in names else None


AnyMeasurement: TypeAlias = Annotated[
    Measurement,
    Descendants(
        NumericMeasurement,
        BooleanMeasurement,
        TextMeasurement,
        SolderPasteMeasurement,
        InspectionMeasurementLean,
        InspectionMeasurementExpected,
        OffsetMeasurement,
        CoatingMeasurement,
        CoatingThicknessMeasurement,
        guess=_measurement_by_shape,
    ),
]
