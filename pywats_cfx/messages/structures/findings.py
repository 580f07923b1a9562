"""Tests and inspections of units, with their symptoms and defects."""

from __future__ import annotations

from pydantic import Field

from pywats_cfx.messages.structures.enumerations import (
    IssueStatus,
    SamplingMethod,
    TestResult,
    VerificationResult,
)
from pywats_cfx.messages.structures.general import ComponentDesignator
from pywats_cfx.messages.structures.measurements import AnyCondition, AnyMeasurement, Image, Region
from pywats_cfx.messages.wire import CFXStructure, Many, Moment, Open


class SamplingInformation(CFXStructure):
    """How the units were chosen from their lot."""

    CFX_NAME = "CFX.Structures.SamplingInformation"

    sampling_method: Open[SamplingMethod] = None
    lot_size: float | None = None
    sample_size: float | None = None


class Symptom(CFXStructure):
    """A failure whose cause is not known yet."""

    CFX_NAME = "CFX.Structures.Symptom"

    unique_identifier: str | None = None
    symptom_code: str | None = None
    symptom_category: str | None = None
    description: str | None = None
    comments: str | None = None
    status: Open[IssueStatus] = None
    components_of_interest: Many[ComponentDesignator] = Field(default_factory=list)
    region_of_interest: Region | None = None
    priority: int | None = None
    related_measurements: Many[AnyMeasurement] = Field(default_factory=list)


class Defect(CFXStructure):
    """A flaw of the unit."""

    CFX_NAME = "CFX.Structures.Defect"

    unique_identifier: str | None = None
    defect_code: str | None = None
    defect_category: str | None = None
    description: str | None = None
    comments: str | None = None
    component_of_interest: ComponentDesignator | None = None
    region_of_interest: Region | None = None
    defect_images: Many[Image] = Field(default_factory=list)
    priority: int | None = None
    confidence_level: float | None = None
    related_measurements: Many[AnyMeasurement] = Field(default_factory=list)
    related_symptoms: Many[Symptom] = Field(default_factory=list)
    verification: Open[VerificationResult] = None
    verification_detail: str | None = None


class Test(CFXStructure):
    """One test of a unit."""

    __test__ = False  # not a test of ours
    CFX_NAME = "CFX.Structures.Test"

    unique_identifier: str | None = None
    test_name: str | None = None
    test_start_time: Moment = None
    test_end_time: Moment = None
    test_conditions: Many[AnyCondition] = Field(default_factory=list)
    test_procedure: str | None = None
    comments: str | None = None
    result: Open[TestResult] = None
    error: str | None = None
    symptoms_found: Many[Symptom] = Field(default_factory=list)
    defects_found: Many[Defect] = Field(default_factory=list)
    measurements: Many[AnyMeasurement] = Field(default_factory=list)


class Inspection(CFXStructure):
    """One inspection of a unit."""

    CFX_NAME = "CFX.Structures.Inspection"

    unique_identifier: str | None = None
    inspection_name: str | None = None
    inspection_start_time: Moment = None
    inspection_end_time: Moment = None
    test_procedure: str | None = None
    comments: str | None = None
    result: Open[TestResult] = None
    verification: Open[VerificationResult] = None
    verification_detail: str | None = None
    error: str | None = None
    defects_found: Many[Defect] = Field(default_factory=list)
    symptoms: Many[Symptom] = Field(default_factory=list)
    measurements: Many[AnyMeasurement] = Field(default_factory=list)
    ref_no: int | None = None


class TestedUnit(CFXStructure):
    """What was found of one unit by test."""

    __test__ = False  # not a test of ours
    CFX_NAME = "CFX.Structures.TestedUnit"

    unit_identifier: str | None = None
    unit_position_number: int | None = None
    overall_result: Open[TestResult] = None
    tests: Many[Test] = Field(default_factory=list)


class InspectedUnit(CFXStructure):
    """What was found of one unit by inspection."""

    CFX_NAME = "CFX.Structures.InspectedUnit"

    unit_identifier: str | None = None
    unit_position_number: int | None = None
    overall_result: Open[TestResult] = None
    inspections: Many[Inspection] = Field(default_factory=list)
    verification: Open[VerificationResult] = None
    total_inspection_count: int | None = None


class FiducialInfo(CFXStructure):
    """Where a fiducial mark was seen."""

    CFX_NAME = "CFX.Structures.FiducialInfo"

    fiducial_x: float | None = None
    fiducial_y: float | None = None
    fiducial_rxy: float | None = Field(default=None, alias="FiducialRXY")
    unique_identifier: str | None = None


class InspectedPanel(CFXStructure):
    """What was found of the panel as a whole."""

    CFX_NAME = "CFX.Structures.InspectedPanel"

    unit_identifier: str | None = None
    overall_result: Open[TestResult] = None
    inspections: Many[Inspection] = Field(default_factory=list)
    verification: Open[VerificationResult] = None
    total_inspection_count: int | None = None
    stretch: float | None = None
    recognized_stroke_direction: str | None = None
    fiducials: Many[FiducialInfo] = Field(default_factory=list)
    pcb_variant: str | None = Field(default=None, alias="PCBVariant")
