"""Test and inspection results of one unit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AliasChoices, Discriminator, Field, Tag

from pywats_events.payloads.common import DomainModel, Outcome, Person


class Condition(DomainModel):
    """An environmental condition during a test, such as temperature in degrees Celsius."""

    name: str
    mean: float | None = None
    median: float | None = None
    maximum: float | None = None
    minimum: float | None = None
    unit: str | None = None


class _Measured(DomainModel):
    """What every measurement has.

    Attributes:
        id: identity that the source gave it.
        name: name of the measured thing.
        sequence: order within its test, where the source counts.
        recorded_at: when it was taken.
        result: verdict; None when the source gave none.
        result_said: the source's word for it, where that is not one of ours.
        designators: components that it concerns (``R1``, ``U7.3``).
    """

    id: str | None = None
    name: str | None = None
    sequence: int | None = None
    recorded_at: datetime | None = None
    result: Outcome | None = None
    result_said: str | None = None
    designators: list[str] = Field(default_factory=list)


class NumericMeasurement(_Measured):
    """A number with limits. Each limit may have a unit of its own.

    Attributes:
        value: None when the number is not finite; then ``value_text`` says what it is.
        value_text: ``NaN``, ``Infinity``, ``-Infinity``.
        unit: unit of the value.
        expected: nominal value, in ``expected_unit``.
        low: smallest acceptable value, in ``low_unit`` (else ``expected_unit``, else ``unit``).
        high: largest acceptable value, in ``high_unit`` (else ``expected_unit``, else ``unit``).
    """

    kind: Literal["numeric"] = "numeric"
    value: float | None = None
    value_text: str | None = None
    unit: str | None = None
    expected: float | None = None
    expected_unit: str | None = None
    low: float | None = None
    low_unit: str | None = None
    high: float | None = None
    high_unit: str | None = None


class BooleanMeasurement(_Measured):
    """A yes or no, with the one that was expected."""

    kind: Literal["boolean"] = "boolean"
    value: bool | None = None
    expected: bool | None = None


class TextMeasurement(_Measured):
    """A text, with the one that was expected."""

    kind: Literal["text"] = "text"
    value: str | None = None
    expected: str | None = None


class Quantity(DomainModel):
    """One of several numbers of a measured feature, with its limits where it has any."""

    name: str
    value: float | None = None
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str | None = None


class Picture(DomainModel):
    """An image of a defect: inside the message (base64 ``data``) or elsewhere (``url``)."""

    mime_type: str | None = None
    data: str | None = None
    url: str | None = None


class FeatureMeasurement(_Measured):
    """Several numbers of one feature: a paste deposit, the offset of a component, a coating.

    Attributes:
        feature: what kind of feature, such as ``paste`` or ``offset``.
        quantities: the numbers, each with its expected value where known.
        image: picture of the feature.
    """

    kind: Literal["feature"] = "feature"
    feature: str = ""
    quantities: list[Quantity] = Field(default_factory=list)
    image: Picture | None = None


class OtherMeasurement(_Measured):
    """A measurement of a type that we do not know; everything it said is in ``fields``."""

    kind: str = "other"
    type_name: str | None = None
    fields: dict[str, Any] = Field(default_factory=dict)


def _kind(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if kind in ("numeric", "boolean", "text", "feature") else "other"


Measurement: TypeAlias = Annotated[
    Annotated[NumericMeasurement, Tag("numeric")]
    | Annotated[BooleanMeasurement, Tag("boolean")]
    | Annotated[TextMeasurement, Tag("text")]
    | Annotated[FeatureMeasurement, Tag("feature")]
    | Annotated[OtherMeasurement, Tag("other")],
    Discriminator(_kind),
]


class Symptom(DomainModel):
    """A failure that was seen and whose cause is not known yet."""

    id: str | None = None
    code: str | None = None
    category: str | None = None
    description: str | None = None
    comments: str | None = None
    status: str | None = None
    priority: int | None = None
    designators: list[str] = Field(default_factory=list)
    part_numbers: list[str] = Field(default_factory=list)
    region: dict[str, Any] | None = None
    measurement_ids: list[str] = Field(default_factory=list)


class Verification(DomainModel):
    """What the second look (a person, a verification station) said of a finding.

    Attributes:
        verdict: ``NotVerifiedYet``, ``DefectConfirmed``, ``DefectRejected``, ``DefectAccepted``,
            ``DefectRepaired``, ``DefectClosed``, or the source's own word.
        detail: free text.
    """

    verdict: str
    detail: str | None = None


class Defect(DomainModel):
    """A flaw that was found on the unit."""

    id: str | None = None
    code: str | None = None
    category: str | None = None
    description: str | None = None
    comments: str | None = None
    designator: str | None = None
    part_number: str | None = None
    region: dict[str, Any] | None = None
    images: list[Picture] = Field(default_factory=list)
    priority: int | None = None
    confidence: float | None = None
    measurements: list[Measurement] = Field(default_factory=list)
    symptoms: list[Symptom] = Field(default_factory=list)
    verification: Verification | None = None


class TestStep(DomainModel):
    """One test or inspection of a unit, with what it measured and found."""

    __test__ = False  # not a test of ours

    id: str | None = None
    name: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    result: Outcome = Outcome.UNKNOWN
    result_said: str | None = None
    procedure: str | None = None
    comments: str | None = None
    error: str | None = None
    conditions: list[Condition] = Field(default_factory=list)
    symptoms: list[Symptom] = Field(default_factory=list)
    defects: list[Defect] = Field(default_factory=list)
    measurements: list[Measurement] = Field(default_factory=list)
    verification: Verification | None = None
    reference: int | None = None


class Sampling(DomainModel):
    """How the tested units were chosen."""

    method: str | None = None
    lot_size: float | None = None
    sample_size: float | None = None


class TestResultEvent(DomainModel):
    """What a test station says of one unit.

    Attributes:
        unit_id: identifier as the station gave it: the unit's own, or its panel's or carrier's.
        position: place on that panel or carrier, where the station said one.
        siblings: how many units of the message share ``unit_id`` (more than 1: it names a panel).
        repeat: 0 for the first result of this identifier and position in the message, 1 for the second...
        result: the station's verdict on the unit.
        result_said: the station's word for it, where that is not one of ours.
        method: how it was tested (``ICT``, ``FCT``, ``AOI``...).
        transaction_id: the work that this test was part of.
        operator: who tested or inspected.
        recipe: test program or recipe.
        recipe_revision: its version.
        started_at: when the unit's test began, if the source says so for the whole unit.
        ended_at: when it ended, likewise.
        tests: what was done, in order.
    """

    __test__ = False  # not a test of ours

    unit_id: str
    position: int | None = None
    siblings: int = 1
    repeat: int = 0
    result: Outcome = Field(default=Outcome.UNKNOWN)
    result_said: str | None = None
    method: str | None = None
    transaction_id: str | None = None
    operator: Person | None = None
    recipe: str | None = Field(default=None, validation_alias=AliasChoices("recipe", "recipe_name"))
    recipe_revision: str | None = None
    sampling: Sampling | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    tests: list[TestStep] = Field(default_factory=list)


class InspectionResultEvent(TestResultEvent):
    """What an inspection station says of one unit, or of a whole panel.

    Attributes:
        scope: ``unit``, or ``panel`` when the result is the panel's as a whole.
        verification: the second look's word on the unit.
        total_inspections: how many inspections were made, where fewer are listed.
        details: what else was found of a panel (stretch, fiducial marks, variant).
    """

    scope: Literal["unit", "panel"] = "unit"
    verification: Verification | None = None
    total_inspections: int | None = None
    details: dict[str, Any] = Field(default_factory=dict)
