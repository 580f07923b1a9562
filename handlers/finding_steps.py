"""Symptoms and defects: what a test found, with its images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from handlers.free_data import free_data
from handlers.names import Siblings, report_text, short
from handlers.pictures import Album
from handlers.report_rules import ReportRules
from handlers.verdicts import meas_status, takes_back
from pywats_api.wsjf import AdditionalData, Attachment, BooleanMeas, Step, StepStatus
from pywats_events.payloads import Defect, Symptom

_ERROR_LENGTH: Final = 200
_INT32: Final = 2**31


def symptom_title(symptom: Symptom) -> str:
    """Give a symptom in a few words: code and description."""
    return _title(symptom.code, symptom.description, symptom.category)


def symptom_lines(symptoms: Sequence[Symptom]) -> Iterable[str | None]:
    """Give a line of text for each symptom."""
    for symptom in symptoms:
        about = ", ".join(symptom.designators)
        yield _line("Symptom", symptom_title(symptom), about, symptom.comments)


def symptom_data(symptoms: Sequence[Symptom]) -> list[AdditionalData]:
    """Give everything said of the symptoms."""
    found: list[AdditionalData] = []
    for number, symptom in enumerate(symptoms, start=1):
        found += free_data(f"Symptom {number}", _everything(symptom)) or []
    return found


def numeric_code(*codes: str | None) -> int | None:
    """Give the first code, if it is purely a number that the report can hold."""
    code = next((code.strip() for code in codes if code and code.strip()), "")
    return int(code) if code.isascii() and code.isdigit() and int(code) < _INT32 else None


def defect_steps(
    defect: Defect, siblings: Siblings, *, number: int, rules: ReportRules, album: Album, taken_back: bool
) -> list[Step]:
    """Give the step of a defect, followed by one for each of its images.

    Args:
        defect: what was found.
        siblings: gives names below the same parent.
        number: which defect of its test it is.
        rules: the configuration of reports.
        album: the images of this report.
        taken_back: the second look at the whole inspection says that nothing was wrong.
    """
    closed_passes = rules.closed_defects == "passed"
    cleared = taken_back or takes_back(defect.verification, closed_passes=closed_passes)
    letter = StepStatus.PASSED if cleared else StepStatus.FAILED
    title = _title(defect.code or defect.category, defect.description)
    name = siblings.name(f"{defect.code or defect.category or f'Defect {number}'} {defect.designator or ''}")
    pictures: list[Step] = []
    lines = [
        _line("Defect", title, defect.designator, defect.comments),
        _verified(defect),
        *symptom_lines(defect.symptoms),
    ]
    for index, picture in enumerate(defect.images, start=1):
        attached = album.attach(picture, f"{name}-{index}")
        if isinstance(attached, Attachment):
            pictures.append(
                Step(
                    name=siblings.name(f"{name} image {index}"),
                    step_type="WATS_AttachFile",
                    status=StepStatus.PASSED,
                    attachment=attached,
                )
            )
        else:
            lines.append(f"Image {index} of {len(defect.images)}: {attached}")
    step = Step(
        name=name,
        step_type="ET_PFT",
        status=letter,
        boolean_meas=[BooleanMeas(status=meas_status(letter))],
        error_code=None if cleared else numeric_code(defect.code),
        error_message=None if cleared else short(title, _ERROR_LENGTH),
        report_text=report_text(*lines),
        additional_results=[
            *(free_data("Defect", _everything(defect, but={"images", "measurements", "symptoms"})) or []),
            *symptom_data(defect.symptoms),
        ]
        or None,
    )
    return [step, *pictures]


def _title(code: str | None, *texts: str | None) -> str:
    said = [code.strip()] if code and code.strip() else []
    said += [text.strip() for text in texts[:1] if text and text.strip()]
    return " ".join(said) or next((text for text in texts if text), "") or "no code"


def _line(what: str, title: str, about: str | None, comments: str | None) -> str:
    place = f" at {about}" if about else ""
    return f"{what}: {title}{place}{f' ({comments})' if comments else ''}"


def _verified(defect: Defect) -> str | None:
    if defect.verification is None:
        return None
    detail = defect.verification.detail
    return f"Verification: {defect.verification.verdict}{f' ({detail})' if detail else ''}"


def _everything(finding: Symptom | Defect, *, but: Iterable[str] = ()) -> dict[str, Any]:
    return finding.model_dump(mode="json", exclude_none=True, exclude=set(but))
