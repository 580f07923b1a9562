"""What becomes of each message: which function makes events of it. Others travel as they are.

The page docs/messages.md says why.

The functions are named, not imported, because each brings the models of its messages along. A line that only
tests never loads those of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import Any, Final, TypeAlias

from pywats_cfx.mapping.origin import Origin
from pywats_events.event import Event, EventType
from pywats_events.message import Unreadable

#: Makes the events of one message.
Maker: TypeAlias = Callable[[Any, Origin], Iterable[Event | Unreadable]]


class Key(StrEnum):
    """What the deliveries of a message's events are put in order by."""

    STATION = "station"
    UNIT = "unit"
    PACKAGE = "package"
    ORDER = "work order"
    TRANSPORT_ORDER = "transport order"


@dataclass(frozen=True, slots=True)
class Mapped:
    """A message that becomes domain events.

    Attributes:
        maker: the function, as module of this package and name.
        event_type: type of all its events.
        key: what they are put in order by; the station where the message does not name it.
        subject: the field that says what the message is about. Without it the message is unreadable: it can't
            be told from one whose field is misspelt. Where there is none, a message that names nothing
            travels as it is.
    """

    maker: str
    event_type: EventType
    key: Key = Key.STATION
    subject: str | None = None


def _under(namespace: str, mapped: Mapping[str, Mapped]) -> dict[str, Mapped]:
    return {f"CFX.{namespace}{'.' if namespace else ''}{name}": each for name, each in mapped.items()}


#: The messages that become domain events, by full name.
MAPPED: Final[Mapping[str, Mapped]] = {
    **_under(
        "",
        {
            "EndpointConnected": Mapped("presence:endpoint_connected", EventType.ASSET_CONNECTED),
            "EndpointShuttingDown": Mapped("presence:endpoint_shutting_down", EventType.ASSET_DISCONNECTED),
            "Heartbeat": Mapped("presence:heartbeat", EventType.ASSET_HEARTBEAT),
        },
    ),
    **_under(
        "InformationSystem.ProductionScheduling",
        {
            "WorkOrdersScheduled": Mapped(
                "orders:work_orders_scheduled", EventType.WORK_ORDER_SCHEDULED, Key.ORDER
            ),
            "WorkOrdersUnscheduled": Mapped(
                "orders:work_orders_unscheduled", EventType.WORK_ORDER_UNSCHEDULED, Key.ORDER
            ),
        },
    ),
    **_under(
        "InformationSystem.WorkOrderManagement",
        {
            "WorkOrdersCreated": Mapped(
                "orders:work_orders_created", EventType.WORK_ORDER_CREATED, Key.ORDER
            ),
            "WorkOrdersUpdated": Mapped(
                "orders:work_orders_updated", EventType.WORK_ORDER_UPDATED, Key.ORDER
            ),
            "WorkOrdersDeleted": Mapped(
                "orders:work_orders_deleted", EventType.WORK_ORDER_DELETED, Key.ORDER
            ),
            "WorkOrderQuantityUpdated": Mapped(
                "orders:quantity_updated", EventType.WORK_ORDER_UPDATED, Key.ORDER
            ),
            "WorkOrderStatusUpdated": Mapped(
                "orders:status_updated", EventType.WORK_ORDER_UPDATED, Key.ORDER
            ),
        },
    ),
    **_under(
        "Maintenance",
        {
            "ResourceInformationEvent": Mapped(
                "maintenance:resource_information", EventType.ASSET_MAINTENANCE
            ),
            "ResourceMaintenanceAndServiceEvent": Mapped(
                "maintenance:resource_service", EventType.ASSET_MAINTENANCE
            ),
            "ResourceMaintenanceStatusEvent": Mapped(
                "maintenance:resource_status", EventType.ASSET_MAINTENANCE
            ),
            "ResourceSetupEvent": Mapped("maintenance:resource_setup", EventType.ASSET_MAINTENANCE),
        },
    ),
    **_under(
        "Materials.Management.MSDManagement",
        {
            "MaterialsExpired": Mapped("stock:expired", EventType.MATERIAL_CHANGED, Key.PACKAGE),
            "MaterialsOpened": Mapped("stock:opened", EventType.MATERIAL_CHANGED, Key.PACKAGE),
            "MaterialsPlacedInDryStorage": Mapped(
                "stock:stored_dry", EventType.MATERIAL_CHANGED, Key.PACKAGE
            ),
            "MaterialsRemovedFromDryStorage": Mapped(
                "stock:taken_from_dry_storage", EventType.MATERIAL_CHANGED, Key.PACKAGE
            ),
            "MaterialsRestored": Mapped("stock:restored", EventType.MATERIAL_CHANGED, Key.PACKAGE),
        },
    ),
    **_under(
        "Materials.Management",
        {
            "MaterialsChainSplit": Mapped("stock:chain_split", EventType.MATERIAL_CHANGED, Key.PACKAGE),
            "MaterialsConsumed": Mapped(
                "materials:materials_consumed", EventType.MATERIAL_CONSUMED, Key.PACKAGE
            ),
            "MaterialsInitialized": Mapped("stock:initialized", EventType.MATERIAL_CHANGED, Key.PACKAGE),
            "MaterialsJoined": Mapped("stock:joined", EventType.MATERIAL_CHANGED, Key.PACKAGE),
            "MaterialsModified": Mapped("stock:modified", EventType.MATERIAL_CHANGED, Key.PACKAGE),
            "MaterialsRetired": Mapped("stock:retired", EventType.MATERIAL_CHANGED, Key.PACKAGE),
            "MaterialsSplit": Mapped("stock:split", EventType.MATERIAL_CHANGED, Key.PACKAGE),
        },
    ),
    **_under(
        "Materials.Storage",
        {
            "MaterialCarriersLoaded": Mapped("stock:carriers_loaded", EventType.MATERIAL_LOADED, Key.PACKAGE),
            "MaterialCarriersUnloaded": Mapped(
                "stock:carriers_unloaded", EventType.MATERIAL_UNLOADED, Key.PACKAGE
            ),
            "MaterialsEmpty": Mapped("stock:emptied", EventType.MATERIAL_CHANGED, Key.PACKAGE),
            "MaterialsLoaded": Mapped("stock:loaded", EventType.MATERIAL_LOADED, Key.PACKAGE),
            "MaterialsUnloaded": Mapped("stock:unloaded", EventType.MATERIAL_UNLOADED, Key.PACKAGE),
            "SplicePointDetected": Mapped("stock:spliced", EventType.MATERIAL_CHANGED, Key.PACKAGE),
        },
    ),
    **_under(
        "Materials.Transport",
        {
            "CheckpointReached": Mapped(
                "transport:checkpoint", EventType.MATERIAL_TRANSPORTED, Key.TRANSPORT_ORDER
            ),
            "TransportOrderCompleted": Mapped(
                "transport:completed", EventType.MATERIAL_TRANSPORTED, Key.TRANSPORT_ORDER
            ),
            "TransportOrderStarted": Mapped(
                "transport:started", EventType.MATERIAL_TRANSPORTED, Key.TRANSPORT_ORDER
            ),
            "TransportOrderStatusChanged": Mapped(
                "transport:status_changed", EventType.MATERIAL_TRANSPORTED, Key.TRANSPORT_ORDER
            ),
        },
    ),
    **_under(
        "Production",
        {
            "ActivitiesExecuted": Mapped("work:activities", EventType.WORK_ACTIVITIES),
            "LocalRecipeChanged": Mapped("recipes:locally_changed", EventType.RECIPE_CHANGED_LOCALLY),
            "OperatorActivated": Mapped("operators:activated", EventType.OPERATOR_ACTIVATED),
            "OperatorDeactivated": Mapped("operators:deactivated", EventType.OPERATOR_DEACTIVATED),
            "ReadingsRecorded": Mapped(
                "readings:readings_recorded", EventType.READINGS_RECORDED, Key.UNIT, "Readings"
            ),
            "RecipeActivated": Mapped("recipes:activated", EventType.RECIPE_ACTIVATED),
            "RecipeDeactivated": Mapped("recipes:deactivated", EventType.RECIPE_DEACTIVATED),
            "RecipeModified": Mapped("recipes:modified", EventType.RECIPE_MODIFIED),
            "ToolsCleaned": Mapped("tools:cleaned", EventType.TOOL_CLEANED),
            "ToolsLoaded": Mapped("tools:loaded", EventType.TOOL_CHANGED),
            "ToolsUnloaded": Mapped("tools:unloaded", EventType.TOOL_CHANGED),
            "ToolsUsed": Mapped("tools:used", EventType.TOOL_USED, Key.UNIT),
            "UnitsArrived": Mapped("flow:units_arrived", EventType.UNIT_ARRIVED),
            "UnitsDeparted": Mapped("flow:units_departed", EventType.UNIT_DEPARTED),
            "UnitsDisqualified": Mapped(
                "flow:units_disqualified", EventType.UNIT_DISQUALIFIED, Key.UNIT, "Units"
            ),
            "UnitsInitialized": Mapped("flow:units_initialized", EventType.UNIT_INITIALIZED),
            "WorkCompleted": Mapped("flow:work_completed", EventType.WORK_COMPLETED),
            "WorkOrderActionExecuted": Mapped(
                "orders:action_executed", EventType.WORK_ORDER_ACTION, Key.ORDER
            ),
            "WorkStageCompleted": Mapped("work:stage_completed", EventType.WORK_STAGE_COMPLETED),
            "WorkStagePaused": Mapped("work:stage_paused", EventType.WORK_STAGE_PAUSED),
            "WorkStageResumed": Mapped("work:stage_resumed", EventType.WORK_STAGE_RESUMED),
            "WorkStageStarted": Mapped("work:stage_started", EventType.WORK_STAGE_STARTED),
            "WorkStarted": Mapped("flow:work_started", EventType.WORK_STARTED),
        },
    ),
    **_under(
        "Production.Application",
        {
            "MaterialsApplied": Mapped(
                "materials:materials_applied", EventType.MATERIAL_CONSUMED, Key.UNIT, "AppliedMaterials"
            ),
            "MaterialsUnapplied": Mapped(
                "materials:materials_unapplied", EventType.MATERIAL_REMOVED, Key.UNIT, "UnappliedMaterials"
            ),
            "Solder.PCBSelectiveSoldered": Mapped(
                "processing:selective_soldered", EventType.UNIT_PROCESSED, Key.UNIT
            ),
        },
    ),
    **_under(
        "Production.Assembly",
        {
            "MaterialsInstalled": Mapped(
                "materials:materials_installed", EventType.MATERIAL_INSTALLED, Key.UNIT, "InstalledMaterials"
            ),
            "MaterialsUninstalled": Mapped(
                "materials:materials_uninstalled",
                EventType.MATERIAL_REMOVED,
                Key.UNIT,
                "UninstalledMaterials",
            ),
            "UnitsPersonalized": Mapped(
                "flow:units_personalized", EventType.UNIT_PERSONALIZED, subject="PersonalizedUnits"
            ),
        },
    ),
    **_under(
        "Production.Hermes",
        {
            "MagazineArrived": Mapped("magazines:arrived", EventType.MAGAZINE_ARRIVED),
            "MagazineDeparted": Mapped("magazines:departed", EventType.MAGAZINE_DEPARTED),
        },
    ),
    **_under(
        "Production.LoadingAndUnloading",
        {
            "UnitsLoaded": Mapped("flow:units_loaded", EventType.UNIT_LOADED),
            "UnitsUnloaded": Mapped("flow:units_unloaded", EventType.UNIT_UNLOADED),
        },
    ),
    **_under(
        "Production.Processing",
        {"UnitsProcessed": Mapped("processing:units_processed", EventType.UNIT_PROCESSED, Key.UNIT)},
    ),
    **_under(
        "Production.ReworkAndRepair",
        {
            "UnitsRepaired": Mapped(
                "repairs:units_repaired", EventType.UNIT_REPAIRED, Key.UNIT, "RepairedUnits"
            ),
        },
    ),
    **_under(
        "Production.TestAndInspection",
        {
            "UnitsInspected": Mapped(
                "results:units_inspected", EventType.INSPECTION_RESULT, Key.UNIT, "InspectedUnits"
            ),
            "UnitsTested": Mapped("results:units_tested", EventType.TEST_RESULT, Key.UNIT, "TestedUnits"),
        },
    ),
    **_under(
        "ResourcePerformance",
        {
            "CalibrationPerformed": Mapped(
                "maintenance:calibration_performed", EventType.ASSET_CALIBRATION, subject="Calibration"
            ),
            "EnergyConsumed": Mapped("figures:energy_consumed", EventType.ASSET_ENERGY),
            "FaultAcknowledged": Mapped("faults:fault_acknowledged", EventType.ASSET_FAULT_ACKNOWLEDGED),
            "FaultCleared": Mapped("faults:fault_cleared", EventType.ASSET_FAULT_CLEARED),
            "FaultOccurred": Mapped("faults:fault_occurred", EventType.ASSET_FAULT, subject="Fault"),
            "LogEntryRecorded": Mapped("figures:log_entry_recorded", EventType.ASSET_LOG),
            "MaintenancePerformed": Mapped("maintenance:maintenance_performed", EventType.ASSET_MAINTENANCE),
            "PressInsertion.ComponentsPressed": Mapped(
                "figures:components_pressed", EventType.ASSET_COUNTERS
            ),
            "ProcessDataRecorded": Mapped("readings:process_data_recorded", EventType.READINGS_RECORDED),
            "SMTPlacement.ComponentsPlaced": Mapped("figures:components_placed", EventType.ASSET_COUNTERS),
            "SleepStateChanged": Mapped("states:sleep_state_changed", EventType.ASSET_SLEEP_CHANGED),
            "SolderPastePrinting.SqueegeeCleaned": Mapped("tools:squeegee_cleaned", EventType.TOOL_CLEANED),
            "SolderPastePrinting.StencilCleaned": Mapped("tools:stencil_cleaned", EventType.TOOL_CLEANED),
            "StageStateChanged": Mapped("states:stage_state_changed", EventType.ASSET_STATE_CHANGED),
            "StationOffline": Mapped("states:station_offline", EventType.ASSET_OFFLINE),
            "StationOnline": Mapped("states:station_online", EventType.ASSET_ONLINE),
            "StationParametersModified": Mapped(
                "figures:parameters_modified", EventType.ASSET_PARAMETERS_CHANGED
            ),
            "StationStateChanged": Mapped("states:station_state_changed", EventType.ASSET_STATE_CHANGED),
            "THTInsertion.ComponentsInserted": Mapped(
                "figures:components_inserted", EventType.ASSET_COUNTERS
            ),
            "ToolChanged": Mapped("tools:changed", EventType.TOOL_CHANGED),
        },
    ),
    **_under(
        "Sensor.Identification",
        {
            "IdentifiersNotRead": Mapped("identification:not_read", EventType.UNIT_NOT_IDENTIFIED),
            "IdentifiersRead": Mapped("identification:read", EventType.UNIT_IDENTIFIED),
            "IdentifyUnitsResponse": Mapped("identification:asked_and_read", EventType.UNIT_IDENTIFIED),
        },
    ),
}


@cache
def maker_of(mapped: Mapped) -> Maker:
    """Load the function that makes events of a message."""
    module, _, function = mapped.maker.partition(":")
    maker: Maker = getattr(import_module(f"pywats_cfx.mapping.{module}"), function)
    return maker
