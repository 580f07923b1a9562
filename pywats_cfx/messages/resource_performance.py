"""``CFX.ResourcePerformance``: what machines say of their own state."""

from __future__ import annotations

from pywats_cfx.messages.structures.enumerations import ResourceState
from pywats_cfx.messages.structures.faults import AnyFault
from pywats_cfx.messages.structures.general import Operator
from pywats_cfx.messages.wire import CFXMessage, Open, Span


class FaultOccurred(CFXMessage):
    """A fault happened."""

    CFX_NAME = "CFX.ResourcePerformance.FaultOccurred"

    fault: AnyFault | None = None


class FaultCleared(CFXMessage):
    """A fault is over."""

    CFX_NAME = "CFX.ResourcePerformance.FaultCleared"

    fault_occurrence_id: str | None = None
    operator: Operator | None = None


class StationStateChanged(CFXMessage):
    """A station went from one state to another."""

    CFX_NAME = "CFX.ResourcePerformance.StationStateChanged"

    old_state: Open[ResourceState] = None
    old_state_duration: Span = None
    new_state: Open[ResourceState] = None
    related_fault: AnyFault | None = None
