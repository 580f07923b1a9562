"""Measured features by the thousand (paste deposits): the failed ones in full, the passed ones in short."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from handlers.free_data import free_data
from handlers.names import Siblings, report_text
from handlers.report_rules import ReportRules
from pywats_api.wsjf import Attachment, Step, StepStatus
from pywats_events.payloads import FeatureMeasurement, Quantity

_PASSED: Final = StepStatus.PASSED


def passed_features(
    features: Sequence[FeatureMeasurement], siblings: Siblings, rules: ReportRules
) -> list[Step]:
    """Give the steps that stand for features that passed: one per component, or one table of all."""
    if not features:
        return []
    if rules.passed_pads == "attachment":
        return [_table(features, siblings)]
    components: dict[str, list[FeatureMeasurement]] = {}
    for feature in features:
        components.setdefault(_component(feature), []).append(feature)
    return [_summary(name, group, siblings) for name, group in components.items()]


def _component(feature: FeatureMeasurement) -> str:
    """Give the component that a feature belongs to: ``R1`` for pad ``R1.2``."""
    place = feature.designators[0] if feature.designators else feature.name or ""
    return place.split(".", 1)[0].strip() or "Features"


def _summary(name: str, group: Sequence[FeatureMeasurement], siblings: Siblings) -> Step:
    spans: dict[str, list[Quantity]] = {}
    for feature in group:
        for quantity in feature.quantities:
            spans.setdefault(quantity.name, []).append(quantity)
    said = {
        quantity: span for quantity, span in ((key, _span(value)) for key, value in spans.items()) if span
    }
    return Step(
        name=siblings.name(name),
        step_type="Action",
        status=_PASSED,
        report_text=report_text(f"{len(group)} passed"),
        additional_results=free_data("Passed", {"count": len(group), **said}),
    )


def _span(quantities: Iterable[Quantity]) -> dict[str, object] | None:
    given = list(quantities)
    values = [quantity.value for quantity in given if quantity.value is not None]
    if not values:
        return None
    return {
        "minimum": min(values),
        "mean": float(f"{sum(values) / len(values):.6g}"),
        "maximum": max(values),
        "unit": given[0].unit,
    }


def _table(features: Sequence[FeatureMeasurement], siblings: Siblings) -> Step:
    columns = list(dict.fromkeys(quantity.name for feature in features for quantity in feature.quantities))
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["name", "designators", *columns])
    for feature in features:
        values = {quantity.name: quantity.value for quantity in feature.quantities}
        rows.writerow([feature.name, " ".join(feature.designators), *(values.get(name) for name in columns)])
    data = base64.b64encode(text.getvalue().encode()).decode()
    return Step(
        name=siblings.name("Passed features"),
        step_type="WATS_AttachFile",
        status=_PASSED,
        report_text=report_text(f"{len(features)} passed"),
        attachment=Attachment(name="passed-features.csv", content_type="text/csv", data=data),
    )
