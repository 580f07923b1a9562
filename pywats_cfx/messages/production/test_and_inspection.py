"""``CFX.Production.TestAndInspection``."""

from __future__ import annotations

from pydantic import Field

from pywats_cfx.messages.structures.enumerations import InspectionMethod, TestMethod
from pywats_cfx.messages.structures.findings import (
    InspectedPanel,
    InspectedUnit,
    SamplingInformation,
    TestedUnit,
)
from pywats_cfx.messages.structures.general import Operator
from pywats_cfx.messages.wire import CFXMessage, Many, Open


class UnitsTested(CFXMessage):
    """Units were tested, with all that was measured and found."""

    CFX_NAME = "CFX.Production.TestAndInspection.UnitsTested"

    transaction_id: str | None = None
    test_method: Open[TestMethod] = None
    tester: Operator | None = None
    recipe_name: str | None = None
    recipe_revision: str | None = None
    sampling_information: SamplingInformation | None = None
    tested_units: Many[TestedUnit] = Field(default_factory=list)


class UnitsInspected(CFXMessage):
    """Units were inspected, with all that was measured and found."""

    CFX_NAME = "CFX.Production.TestAndInspection.UnitsInspected"

    transaction_id: str | None = None
    inspection_method: Open[InspectionMethod] = None
    sampling_information: SamplingInformation | None = None
    inspector: Operator | None = None
    recipe_name: str | None = None
    recipe_revision: str | None = None
    inspected_units: Many[InspectedUnit] = Field(default_factory=list)
    inspected_panel: InspectedPanel | None = None
