"""Reports, built step by step: verdicts worked out, and refused before sending what the server would refuse.

`UutBuilder` makes the report of a test, `UurBuilder` that of a repair. Both end with ``build()``, which gives
a `pywats_api.wsjf.Report` to hand to ``api.report.submit``. See ``docs/reports.md``.
"""

from pywats_api.building.chart import ChartStep
from pywats_api.building.details import StepDetails
from pywats_api.building.errors import ReportError
from pywats_api.building.files import FileContent, file_content
from pywats_api.building.free_data import free_data
from pywats_api.building.sequence import Sequence
from pywats_api.building.several import SeveralNumbers, SeveralTexts, SeveralVerdicts
from pywats_api.building.uur import RepairedUnit, UurBuilder
from pywats_api.building.uut import UutBuilder
from pywats_api.building.verdicts import is_failing, number_passes, text_passes, worst

__all__ = [
    "ChartStep",
    "FileContent",
    "RepairedUnit",
    "ReportError",
    "Sequence",
    "SeveralNumbers",
    "SeveralTexts",
    "SeveralVerdicts",
    "StepDetails",
    "UurBuilder",
    "UutBuilder",
    "file_content",
    "free_data",
    "is_failing",
    "number_passes",
    "text_passes",
    "worst",
]
