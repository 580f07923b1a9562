"""The WSJF report: typed models of what ``POST /api/Report/WSJF`` takes.

Attributes are snake_case, the wire names are aliases, and both are accepted when a model is built. The
models refuse what the server refuses, so that a bad report is noticed where it is built and not as a 400
somewhere later. `Report.to_wire` gives the JSON object to post.

Everything is loaded when first asked for: who only cleans a text needs no models.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pywats_api.wsjf.parts import (
        AdditionalData,
        ArrayElement,
        AssetUse,
        Attachment,
        Failure,
        FileData,
        MiscInfo,
        Property,
        PropertyArray,
        SubUnit,
        UurInfo,
        UutInfo,
    )
    from pywats_api.wsjf.report import Report
    from pywats_api.wsjf.steps import (
        BooleanMeas,
        CallExe,
        Chart,
        ChartSeries,
        Loop,
        MessagePopup,
        NumericMeas,
        SeqCall,
        Step,
        StringMeas,
    )
    from pywats_api.wsjf.text import clean_text, find_forbidden
    from pywats_api.wsjf.values import (
        CompOp,
        MeasStatus,
        ReportResult,
        ReportType,
        StepGroup,
        StepStatus,
        StringCompOp,
    )

_HOME: Final = {
    "AdditionalData": "parts",
    "ArrayElement": "parts",
    "AssetUse": "parts",
    "Attachment": "parts",
    "BooleanMeas": "steps",
    "CallExe": "steps",
    "Chart": "steps",
    "ChartSeries": "steps",
    "CompOp": "values",
    "Failure": "parts",
    "FileData": "parts",
    "Loop": "steps",
    "MeasStatus": "values",
    "MessagePopup": "steps",
    "MiscInfo": "parts",
    "NumericMeas": "steps",
    "Property": "parts",
    "PropertyArray": "parts",
    "Report": "report",
    "ReportResult": "values",
    "ReportType": "values",
    "SeqCall": "steps",
    "Step": "steps",
    "StepGroup": "values",
    "StepStatus": "values",
    "StringCompOp": "values",
    "StringMeas": "steps",
    "SubUnit": "parts",
    "UurInfo": "parts",
    "UutInfo": "parts",
    "clean_text": "text",
    "find_forbidden": "text",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    member = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = member
    return member


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "AdditionalData",
    "ArrayElement",
    "AssetUse",
    "Attachment",
    "BooleanMeas",
    "CallExe",
    "Chart",
    "ChartSeries",
    "CompOp",
    "Failure",
    "FileData",
    "Loop",
    "MeasStatus",
    "MessagePopup",
    "MiscInfo",
    "NumericMeas",
    "Property",
    "PropertyArray",
    "Report",
    "ReportResult",
    "ReportType",
    "SeqCall",
    "Step",
    "StepGroup",
    "StepStatus",
    "StringCompOp",
    "StringMeas",
    "SubUnit",
    "UurInfo",
    "UutInfo",
    "clean_text",
    "find_forbidden",
]
