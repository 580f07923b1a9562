"""What becomes of domain events in WATS: reports, entries in assets' logs, and what earlier events teach."""

from handlers.asset import FaultHandler
from handlers.memory import FactStore
from handlers.report import Built, ReportHandler, build_report, reason_to_drop, report_id, result_of
from handlers.rules import Rules
from handlers.unit_context import Known, UnitContext, facts_of

__all__ = [
    "Built",
    "FactStore",
    "FaultHandler",
    "Known",
    "ReportHandler",
    "Rules",
    "UnitContext",
    "build_report",
    "facts_of",
    "reason_to_drop",
    "report_id",
    "result_of",
]
