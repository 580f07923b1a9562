"""Where the documents of the WATS client import names of reports from."""

from pywats_api import (
    HeaderFilter,
    MiscInfoHeader,
    ReportAttachment,
    ReportHeader,
    ReportType,
    SubmittedReport,
)

__all__ = [
    "HeaderFilter",
    "MiscInfoHeader",
    "ReportAttachment",
    "ReportHeader",
    "ReportType",
    "SubmittedReport",
]
