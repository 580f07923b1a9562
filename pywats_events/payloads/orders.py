"""Work orders, recipes, and the steps of a work."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from pywats_events.payloads.common import DomainModel, Person, Stage, WorkOrder


class WorkOrderChangedEvent(DomainModel):
    """A work order was created, changed or deleted.

    Attributes:
        order: which one.
        status: ``InProcess``, ``OnHold`` and so on, or the source's own word.
        part_number: what is made.
        part_revision: revision of what is made.
        quantity: how many, in ``quantity_unit``.
        previous_status: what the status was before.
        previous_quantity: what the quantity was before.
        route: name of the way through the factory.
        depends_on: orders that must be done first.
    """

    order: WorkOrder
    status: str | None = None
    previous_status: str | None = None
    part_number: str | None = None
    part_revision: str | None = None
    quantity: float | None = None
    quantity_unit: str | None = None
    previous_quantity: float | None = None
    lot: str | None = None
    description: str | None = None
    route: str | None = None
    route_revision: str | None = None
    customer: str | None = None
    department: str | None = None
    created_at: datetime | None = None
    starts_at: datetime | None = None
    required_at: datetime | None = None
    depends_on: list[WorkOrder] = Field(default_factory=list)


class WorkOrderScheduledEvent(DomainModel):
    """A work order was given a place and a time, or lost them.

    Attributes:
        area: line or area that it is made in.
        resources: identifiers of the stations that are reserved.
        tools: identifiers, else names, of the tools that are reserved.
        packages: material packages that are reserved.
    """

    order: WorkOrder
    area: str | None = None
    scheduler: Person | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    resources: list[str] = Field(default_factory=list)
    tools: list[str] = Field(default_factory=list)
    operators: list[Person] = Field(default_factory=list)
    packages: list[str] = Field(default_factory=list)


class WorkOrderActionEvent(DomainModel):
    """Something was done for a work order, such as setting up feeders.

    Attributes:
        id: joins beginning and end of one action.
        action: what kind of action.
        state: ``Started``, ``Completed``, ``Aborted``, or the source's own word.
        performed_at: when, as the message says it beside its own time.
    """

    asset_id: str
    order: WorkOrder
    id: str | None = None
    action: str | None = None
    state: str | None = None
    performed_at: datetime | None = None
    comments: str | None = None
    surface: str | None = None
    recipe: str | None = None
    recipe_revision: str | None = None
    units_per_board: float | None = None


class WorkStageEvent(DomainModel):
    """One stage of a station began its part of a work, paused, went on, or is done.

    Attributes:
        result: ``Completed``, ``Failed``, ``Aborted``, ``Skipped``, or the source's own word; for one
            that is done.
        reason: why it paused.
        impacts: why it took longer than it should.
    """

    transaction_id: str | None = None
    stage: Stage | None = None
    result: str | None = None
    reason: str | None = None
    impacts: list[str] = Field(default_factory=list)


class Activity(DomainModel):
    """One thing that a station did during a work.

    Attributes:
        id: joins beginning and end of one activity.
        state: ``Started``, ``Completed``, ``Aborted``, ``On``, ``Off``, or the source's own word.
        kind: what kind of activity, by the name of the standard (``UnitLoadActivity``); None for a plain one.
        value_add: whether it adds value to the product, in the source's word.
        details: what only its kind says.
    """

    id: str | None = None
    name: str | None = None
    state: str | None = None
    kind: str | None = None
    performed_at: datetime | None = None
    comments: str | None = None
    value_add: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class WorkActivitiesEvent(DomainModel):
    """What a station did during a work, step by step."""

    transaction_id: str | None = None
    stage: Stage | None = None
    activities: list[Activity] = Field(default_factory=list)


class RecipeDeactivatedEvent(DomainModel):
    """A recipe is no longer active at a station."""

    asset_id: str
    recipe: str | None = None
    recipe_revision: str | None = None
    lane: int | None = None
    stage: str | None = None
    work_order: WorkOrder | None = None


class RecipeModifiedEvent(DomainModel):
    """Somebody changed a recipe at a station; ``recipe_revision`` is the new one."""

    asset_id: str
    recipe: str | None = None
    recipe_revision: str | None = None
    operator: Person | None = None
    reason: str | None = None
    comments: str | None = None
    work_order: WorkOrder | None = None


class LocalChange(DomainModel):
    """One departure from the recipe.

    Attributes:
        change: ``UnitSkip``, ``ComponentRemoval``, ``ComponentAlternative``..., or the source's own word.
        state: ``Activated`` or ``Deactivated``.
        details: what is skipped, removed or replaced.
    """

    change: str | None = None
    state: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class RecipeChangedLocallyEvent(DomainModel):
    """A station departs from its recipe for the units of one work."""

    asset_id: str
    transaction_id: str | None = None
    lane: int | None = None
    stage: Stage | None = None
    changes: list[LocalChange] = Field(default_factory=list)
