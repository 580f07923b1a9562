"""Which step of a report shows which finding, for the repair that will refer to it."""

from __future__ import annotations

from pywats_api.wsjf import Report


def finding_places(report: Report) -> dict[str, int]:
    """Give the numbers of the steps that show defects and symptoms, by the ids of these.

    Steps are numbered as they are sent: depth-first, the root is 0.
    """
    places: dict[str, int] = {}
    for number, (_, step) in enumerate(report.root.walk() if report.root else ()):
        for group in step.additional_results or ():
            if group.name.split(" ", 1)[0] in {"Defect", "Symptom"}:
                for prop in group.props:
                    if prop.name == "id" and prop.value:
                        places.setdefault(prop.value, number)
    return places
