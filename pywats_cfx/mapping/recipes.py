"""Recipes: which is active at a station, and how it was changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pywats_cfx.mapping.origin import Origin, known_guid
from pywats_cfx.mapping.values import details, person, said, stage, stage_name, text, work_order
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.payloads import (
    LocalChange,
    RecipeActivatedEvent,
    RecipeChangedLocallyEvent,
    RecipeDeactivatedEvent,
    RecipeModifiedEvent,
)

if TYPE_CHECKING:
    from pywats_cfx.messages import LocalRecipeChanged, RecipeActivated, RecipeDeactivated, RecipeModified

_NO_SURFACE = cfx.Surface.Unspecified
_NO_REASON = cfx.RecipeModificationReason.Unspecified


def activated(message: RecipeActivated, origin: Origin) -> Iterator[Event]:
    """One RECIPE_ACTIVATED."""
    payload = RecipeActivatedEvent(
        asset_id=origin.source,
        recipe=text(message.recipe_name),
        recipe_revision=text(message.revision),
        lane=message.lane,
        stage=stage_name(message.stage),
        surface=said(message.relevant_surface, unset=_NO_SURFACE),
        work_order=work_order(message.work_order_identifier),
    )
    yield origin.event(EventType.RECIPE_ACTIVATED, payload)


def deactivated(message: RecipeDeactivated, origin: Origin) -> Iterator[Event]:
    """One RECIPE_DEACTIVATED."""
    payload = RecipeDeactivatedEvent(
        asset_id=origin.source,
        recipe=text(message.recipe_name),
        recipe_revision=text(message.revision),
        lane=message.lane,
        stage=stage_name(message.stage),
        work_order=work_order(message.work_order_identifier),
    )
    yield origin.event(EventType.RECIPE_DEACTIVATED, payload)


def modified(message: RecipeModified, origin: Origin) -> Iterator[Event]:
    """One RECIPE_MODIFIED."""
    payload = RecipeModifiedEvent(
        asset_id=origin.source,
        recipe=text(message.recipe_name),
        recipe_revision=text(message.revision),
        operator=person(message.modified_by),
        reason=said(message.reason, unset=_NO_REASON),
        comments=text(message.notes),
        work_order=work_order(message.work_order_identifier),
    )
    yield origin.event(EventType.RECIPE_MODIFIED, payload)


def locally_changed(message: LocalRecipeChanged, origin: Origin) -> Iterator[Event]:
    """One RECIPE_CHANGED_LOCALLY; none where no change is named."""
    if not message.local_recipe_changes:
        return
    transaction = known_guid(message.transaction_id)
    payload = RecipeChangedLocallyEvent(
        asset_id=origin.source,
        transaction_id=transaction,
        lane=message.lane,
        stage=stage(message.stage),
        changes=[
            LocalChange(
                change=said(each.type), state=said(each.state), details=details(each, cfx.LocalRecipeChange)
            )
            for each in message.local_recipe_changes
        ],
    )
    yield origin.event(EventType.RECIPE_CHANGED_LOCALLY, payload, correlation_id=transaction)
