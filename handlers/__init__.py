"""What becomes of domain events in WATS: reports, entries in assets' logs, and what earlier events teach.

Everything is loaded when first asked for: reading a configuration needs its rules and no handler.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
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

_HOME: Final = {
    "AssemblyHandler": "assembly",
    "Built": "report",
    "FactStore": "memory",
    "FaultHandler": "asset",
    "Known": "unit_context",
    "MaterialHandler": "material",
    "NotesHandler": "asset_upkeep",
    "ProductionHandler": "production",
    "RepairHandler": "repair",
    "ReportHandler": "report",
    "Rules": "rules",
    "StateHandler": "asset_state",
    "TicketHandler": "tickets",
    "ToolCountHandler": "tool_counts",
    "ToolUseHandler": "tool_uses",
    "UnfitHandler": "own",
    "UnitContext": "unit_context",
    "UpkeepHandler": "asset_upkeep",
    "build_report": "report",
    "facts_of": "unit_context",
    "own_handlers": "own",
    "reason_to_drop": "report",
    "report_id": "report",
    "result_of": "report",
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
