"""How units and work move through the line."""

from __future__ import annotations

from pydantic import Field

from pywats_events.payloads.common import DomainModel, WorkOrder


class UnitPlace(DomainModel):
    """A unit and its place on a panel or carrier.

    Attributes:
        unit_id: identifier as given: the unit's own or its panel's.
        position: place number; None when not given.
        name: name of the place.
        status: ``Pass``, ``Fail``, ``Scrap``, ``Skip``, or the source's own word.
        characteristics: named values given to the unit (serial number, MAC address...).
    """

    unit_id: str | None = None
    position: int | None = None
    name: str | None = None
    status: str | None = None
    characteristics: dict[str, str] = Field(default_factory=dict)


class UnitsMoved(DomainModel):
    """What all flow messages say: which units, on which panel, in which work.

    Attributes:
        panel_id: identifier of the panel or carrier as a whole.
        hermes_id: identifier that the board handling (IPC-HERMES-9852) gave the panel.
        transaction_id: the work that these units are in.
        lane: lane of the station.
        units: the units, each with its place.
    """

    panel_id: str | None = None
    hermes_id: str | None = None
    transaction_id: str | None = None
    lane: int | None = None
    units: list[UnitPlace] = Field(default_factory=list)
    work_order: WorkOrder | None = None


class WorkStartedEvent(UnitsMoved):
    """A station begins to work on units; opens the transaction."""

    recipe: str | None = None
    recipe_revision: str | None = None
    surface: str | None = None


class WorkCompletedEvent(UnitsMoved):
    """A station is done with a transaction.

    Attributes:
        result: ``Completed``, ``Failed``, ``Aborted``, ``Skipped``, or the source's own word.
        impacts: why the work took longer than it should.
    """

    result: str | None = None
    impacts: list[str] = Field(default_factory=list)


class UnitInitializedEvent(UnitsMoved):
    """Units enter the flow for the first time."""


class UnitArrivedEvent(UnitsMoved):
    """Units reached a station."""


class UnitDepartedEvent(UnitsMoved):
    """Units left a station."""


class UnitPersonalizedEvent(UnitsMoved):
    """Units were given values of their own, such as a serial number."""


class UnitDisqualifiedEvent(DomainModel):
    """One unit was scrapped or otherwise ruled out."""

    unit_id: str
    position: int | None = None
    panel_id: str | None = None
    reason: str | None = None
    comments: str | None = None
    status: str | None = None


class RecipeActivatedEvent(DomainModel):
    """A recipe became active at a station."""

    asset_id: str
    recipe: str | None = None
    recipe_revision: str | None = None
    lane: int | None = None
    stage: str | None = None
    surface: str | None = None
    work_order: WorkOrder | None = None


class UnitIdentifiedEvent(UnitsMoved):
    """A scanner read the identifiers of units."""


class UnitNotIdentifiedEvent(DomainModel):
    """A scanner could not read identifiers.

    Attributes:
        asset_id: the scanner, as it names itself.
        positions: the places that it could not read; empty when it could read none.
    """

    asset_id: str
    positions: list[int] = Field(default_factory=list)


class UnitLoadedEvent(UnitsMoved):
    """Units were put onto a carrier, which ``panel_id`` names."""


class UnitUnloadedEvent(UnitsMoved):
    """Units were taken off a carrier, which ``panel_id`` names."""


class Board(DomainModel):
    """A board in a slot of a magazine, as board handling (IPC-HERMES-9852) knows it.

    Attributes:
        slot: place in the magazine.
        hermes_id: identity that board handling gave it.
        product: what kind of product it is.
        top_barcode: code on its upper side.
        bottom_barcode: code on its lower side.
        failed: ``unknown``, ``good``, ``failed``, or the source's own number.
        flipped: ``unknown``, ``top side up``, ``bottom side up``, or the source's own number.
    """

    slot: int | None = None
    hermes_id: str | None = None
    product: str | None = None
    top_barcode: str | None = None
    bottom_barcode: str | None = None
    failed: str | None = None
    flipped: str | None = None
    work_order: WorkOrder | None = None


class MagazineMovedEvent(DomainModel):
    """A magazine of boards reached a station or left it."""

    asset_id: str
    magazine_id: str | None = None
    boards: list[Board] = Field(default_factory=list)
