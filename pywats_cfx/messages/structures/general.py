"""Structures that messages of every kind use: people, places, units, work orders."""

from __future__ import annotations

from pywats_cfx.messages.structures.enumerations import ActorType, StageType, UnitStatus
from pywats_cfx.messages.wire import CFXStructure, Open


class Operator(CFXStructure):
    """A person or system that acts."""

    CFX_NAME = "CFX.Structures.Operator"

    operator_identifier: str | None = None
    actor_type: Open[ActorType] = None
    last_name: str | None = None
    first_name: str | None = None
    login_name: str | None = None


class Stage(CFXStructure):
    """A place of its own within a station. Descendants come unlabelled more often than not."""

    CFX_NAME = "CFX.Structures.Stage"

    stage_sequence: int | None = None
    stage_name: str | None = None
    stage_type: Open[StageType] = None


class UnitPosition(CFXStructure):
    """A unit and where on its panel or carrier it is."""

    CFX_NAME = "CFX.Structures.UnitPosition"

    unit_identifier: str | None = None
    position_number: int | None = None
    position_name: str | None = None
    x: float | None = None
    y: float | None = None
    z: float | None = None
    rotation: float | None = None
    flip_x: bool | None = None
    flip_y: bool | None = None
    status: Open[UnitStatus] = None


class WorkOrderIdentifier(CFXStructure):
    """A work order, or a batch of one."""

    CFX_NAME = "CFX.Structures.WorkOrderIdentifier"

    work_order_id: str | None = None
    batch: str | None = None


class Characteristic(CFXStructure):
    """A named value that was given to a unit."""

    CFX_NAME = "CFX.Structures.Characteristic"

    name: str | None = None
    value: str | None = None


class ComponentDesignator(CFXStructure):
    """A component on a unit."""

    CFX_NAME = "CFX.Structures.ComponentDesignator"

    reference_designator: str | None = None
    unit_position: UnitPosition | None = None
    part_number: str | None = None
