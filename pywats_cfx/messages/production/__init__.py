"""``CFX.Production`` and the namespaces below it."""

from pywats_cfx.messages.production import assembly, test_and_inspection
from pywats_cfx.messages.production.flow import (
    RecipeActivated,
    UnitsArrived,
    UnitsDeparted,
    UnitsDisqualified,
    UnitsInitialized,
    WorkCompleted,
    WorkStarted,
)

__all__ = [
    "RecipeActivated",
    "UnitsArrived",
    "UnitsDeparted",
    "UnitsDisqualified",
    "UnitsInitialized",
    "WorkCompleted",
    "WorkStarted",
    "assembly",
    "test_and_inspection",
]
