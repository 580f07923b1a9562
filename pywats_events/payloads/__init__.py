"""The domain payloads: one typed model for each event type that has one."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from pywats_events.event import Event, EventType
from pywats_events.payloads.assets import AssetFaultClearedEvent, AssetFaultEvent, AssetStateChangedEvent
from pywats_events.payloads.common import DomainModel, Outcome, Person, Stage, WorkOrder
from pywats_events.payloads.flow import (
    RecipeActivatedEvent,
    UnitArrivedEvent,
    UnitDepartedEvent,
    UnitDisqualifiedEvent,
    UnitInitializedEvent,
    UnitPersonalizedEvent,
    UnitPlace,
    UnitsMoved,
    WorkCompletedEvent,
    WorkStartedEvent,
)
from pywats_events.payloads.materials import InstalledMaterial, MaterialInstalledEvent, Placement
from pywats_events.payloads.results import (
    BooleanMeasurement,
    Condition,
    Defect,
    FeatureMeasurement,
    InspectionResultEvent,
    Measurement,
    NumericMeasurement,
    OtherMeasurement,
    Picture,
    Quantity,
    Sampling,
    Symptom,
    TestResultEvent,
    TestStep,
    TextMeasurement,
    Verification,
)

#: The model of each event type; types that are missing here carry free JSON data.
MODELS: Final[dict[EventType, type[DomainModel]]] = {
    EventType.TEST_RESULT: TestResultEvent,
    EventType.INSPECTION_RESULT: InspectionResultEvent,
    EventType.ASSET_FAULT: AssetFaultEvent,
    EventType.ASSET_FAULT_CLEARED: AssetFaultClearedEvent,
    EventType.ASSET_STATE_CHANGED: AssetStateChangedEvent,
    EventType.MATERIAL_INSTALLED: MaterialInstalledEvent,
    EventType.WORK_STARTED: WorkStartedEvent,
    EventType.WORK_COMPLETED: WorkCompletedEvent,
    EventType.UNIT_INITIALIZED: UnitInitializedEvent,
    EventType.UNIT_ARRIVED: UnitArrivedEvent,
    EventType.UNIT_DEPARTED: UnitDepartedEvent,
    EventType.UNIT_PERSONALIZED: UnitPersonalizedEvent,
    EventType.UNIT_DISQUALIFIED: UnitDisqualifiedEvent,
    EventType.RECIPE_ACTIVATED: RecipeActivatedEvent,
}


def parse(event: Event) -> BaseModel:
    """Give the typed payload of an event.

    Raises:
        LookupError: this event type has no model.
        pydantic.ValidationError: the payload does not fit its model.
    """
    model = MODELS.get(event.event_type)
    if model is None:
        raise LookupError(f"{event.event_type.value} events carry free data; there is no model for them")
    return model.model_validate(event.payload)


__all__ = [
    "MODELS",
    "AssetFaultClearedEvent",
    "AssetFaultEvent",
    "AssetStateChangedEvent",
    "BooleanMeasurement",
    "Condition",
    "Defect",
    "DomainModel",
    "FeatureMeasurement",
    "InspectionResultEvent",
    "InstalledMaterial",
    "MaterialInstalledEvent",
    "Measurement",
    "NumericMeasurement",
    "OtherMeasurement",
    "Outcome",
    "Person",
    "Picture",
    "Placement",
    "Quantity",
    "RecipeActivatedEvent",
    "Sampling",
    "Stage",
    "Symptom",
    "TestResultEvent",
    "TestStep",
    "TextMeasurement",
    "UnitArrivedEvent",
    "UnitDepartedEvent",
    "UnitDisqualifiedEvent",
    "UnitInitializedEvent",
    "UnitPersonalizedEvent",
    "UnitPlace",
    "UnitsMoved",
    "Verification",
    "WorkCompletedEvent",
    "WorkOrder",
    "WorkStartedEvent",
    "parse",
]
