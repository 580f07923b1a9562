"""What any step may carry beside its measurements."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

from pywats_api.building.free_data import Value, free_data
from pywats_api.building.verdicts import READ_AS
from pywats_api.wsjf import StepGroup, StepStatus


class StepDetails(TypedDict, total=False):
    """Options of every method that adds a step.

    Attributes:
        status: what the caller knows of the verdict: it can make it worse, never better.
        group: part of the sequence: ``S`` setup, ``M`` main (the default), ``C`` cleanup.
        start: when the step began, with offset.
        duration: seconds.
        error_code: whole number, 32 bits.
        error_message: at most 200 characters; what is longer belongs in `report_text`.
        report_text: free text below the step.
        results: named groups of free data.
    """

    status: StepStatus | str | None
    group: StepGroup | str
    start: datetime | None
    duration: float | None
    error_code: int | None
    error_message: str | None
    report_text: str | None
    results: Mapping[str, Mapping[str, Value]]


def given_status(details: StepDetails) -> StepStatus | None:
    """The status that the caller says, None where it is left to be worked out."""
    status = details.get("status")
    return None if status is None else READ_AS.get(StepStatus(status), StepStatus(status))


def step_members(details: StepDetails, *notes: str) -> dict[str, Any]:
    """The details as members of a step; `notes` go below the report text."""
    results = details.get("results") or {}
    return {
        "group": details.get("group", StepGroup.MAIN),
        "start": details.get("start"),
        "tot_time": details.get("duration"),
        "error_code": details.get("error_code"),
        "error_message": details.get("error_message"),
        "report_text": "\n".join(filter(None, [details.get("report_text"), *notes])) or None,
        "additional_results": [free_data(name, members) for name, members in results.items()] or None,
    }
