"""The WSJF report: typed models of what ``POST /api/Report/WSJF`` takes.

Attributes are snake_case, the wire names are aliases, and both are accepted when a model is built. The
models refuse what the server refuses, so that a bad report is noticed where it is built and not as a 400
somewhere later. `Report.to_wire` gives the JSON object to post.
"""

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
