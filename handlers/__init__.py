"""What becomes of domain events in WATS: reports, entries in assets' logs, and what earlier events teach."""

from handlers.assembly import AssemblyHandler
from handlers.asset import FaultHandler
from handlers.asset_state import StateHandler
from handlers.asset_upkeep import NotesHandler, UpkeepHandler
from handlers.material import MaterialHandler
from handlers.memory import FactStore
from handlers.own import UnfitHandler, own_handlers
from handlers.production import ProductionHandler
from handlers.repair import RepairHandler
from handlers.report import Built, ReportHandler, build_report, reason_to_drop, report_id, result_of
from handlers.rules import Rules
from handlers.tickets import TicketHandler
from handlers.tool_counts import ToolCountHandler
from handlers.tool_uses import ToolUseHandler
from handlers.unit_context import Known, UnitContext, facts_of

__all__ = [
    "AssemblyHandler",
    "Built",
    "FactStore",
    "FaultHandler",
    "Known",
    "MaterialHandler",
    "NotesHandler",
    "ProductionHandler",
    "RepairHandler",
    "ReportHandler",
    "Rules",
    "StateHandler",
    "TicketHandler",
    "ToolCountHandler",
    "ToolUseHandler",
    "UnfitHandler",
    "UnitContext",
    "UpkeepHandler",
    "build_report",
    "facts_of",
    "own_handlers",
    "reason_to_drop",
    "report_id",
    "result_of",
]
