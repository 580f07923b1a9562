"""Symptoms, defects and the second look at them."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter

from pywats_cfx.mapping.measurements import measurement, picture
from pywats_cfx.mapping.values import finite, said, text
from pywats_cfx.messages import structures as cfx
from pywats_events.payloads import Defect, Measurement, Symptom, Verification

_MEASUREMENTS: Final = TypeAdapter(list[Measurement])


def symptom(given: cfx.Symptom) -> Symptom:
    """Give the domain's form of a symptom."""
    components = given.components_of_interest
    return Symptom(
        id=given.unique_identifier,
        code=text(given.symptom_code),
        category=text(given.symptom_category),
        description=text(given.description),
        comments=text(given.comments),
        status=said(given.status),
        priority=given.priority,
        designators=[name for each in components if (name := text(each.reference_designator))],
        part_numbers=[number for each in components if (number := text(each.part_number))],
        region=region(given.region_of_interest),
        measurement_ids=[
            each.unique_identifier for each in given.related_measurements if each.unique_identifier
        ],
    )


def defect(given: cfx.Defect) -> Defect:
    """Give the domain's form of a defect."""
    component = given.component_of_interest
    return Defect(
        id=given.unique_identifier,
        code=text(given.defect_code),
        category=text(given.defect_category),
        description=text(given.description),
        comments=text(given.comments),
        designator=text(component.reference_designator) if component else None,
        part_number=text(component.part_number) if component else None,
        region=region(given.region_of_interest),
        images=[shown for image in given.defect_images if (shown := picture(image))],
        priority=given.priority,
        confidence=finite(given.confidence_level),
        measurements=_MEASUREMENTS.validate_python(
            [measurement(each) for each in given.related_measurements]
        ),
        symptoms=[symptom(each) for each in given.related_symptoms],
        verification=verification(given.verification, given.verification_detail),
    )


def verification(verdict: str | None, detail: str | None = None) -> Verification | None:
    """Give what the second look said; None when nothing was said of one."""
    return None if verdict is None else Verification(verdict=str(verdict), detail=text(detail))


def region(given: cfx.Region | None) -> dict[str, Any] | None:
    """Give an area as its starting point and outline; None for the unset one."""
    if given is None:
        return None
    points = [{"x": finite(point.x), "y": finite(point.y)} for point in given.region_segments]
    if not points and not given.start_point_x and not given.start_point_y:
        return None
    return {"x": finite(given.start_point_x), "y": finite(given.start_point_y), "outline": points}
