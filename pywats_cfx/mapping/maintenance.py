"""Calibration and maintenance: what was done to machines, and how they say they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from pywats_cfx.mapping.materials import consumed
from pywats_cfx.mapping.measurements import numeric
from pywats_cfx.mapping.origin import Origin, known_guid
from pywats_cfx.mapping.values import details, finite, kind_of, person, said, text, without_none
from pywats_cfx.messages import structures as cfx
from pywats_events.event import Event, EventType
from pywats_events.payloads import (
    AssetCalibrationEvent,
    AssetMaintenanceEvent,
    Calibration,
    Check,
    Counter,
    MaintenanceTask,
    NumericMeasurement,
    PartOfAsset,
)

if TYPE_CHECKING:
    from pywats_cfx.messages import (
        CalibrationPerformed,
        MaintenancePerformed,
        ResourceInformationEvent,
        ResourceMaintenanceAndServiceEvent,
        ResourceMaintenanceStatusEvent,
        ResourceSetupEvent,
    )


def calibration_performed(message: CalibrationPerformed, origin: Origin) -> Iterator[Event]:
    """One ASSET_CALIBRATION."""
    if message.calibration is not None:
        transaction = known_guid(message.transaction_id)
        payload = AssetCalibrationEvent(
            asset_id=origin.source, transaction_id=transaction, **_calibrated(message.calibration)
        )
        yield origin.event(EventType.ASSET_CALIBRATION, payload, correlation_id=transaction)


#: The standard's own spelling of "not known".
_UNSET: Final = "Unkwnown"


def _calibrated(given: cfx.Calibration) -> dict[str, Any]:
    return {
        "code": text(given.calibration_code),
        "kind": said(given.calibration_type, unset=_UNSET),
        "status": said(given.status),
        "performed_at": given.calibration_time,
        "comments": text(given.comments),
        "measurements": [
            NumericMeasurement.model_validate(
                without_none(
                    {"name": text(each.measurement_name)}
                    | numeric(each.measurement_value or cfx.NumericValue())
                )
            )
            for each in given.measurements
        ],
    }


def maintenance_performed(message: MaintenancePerformed, origin: Origin) -> Iterator[Event]:
    """One ASSET_MAINTENANCE of what somebody did."""
    payload = AssetMaintenanceEvent(
        asset_id=origin.source,
        what="performed",
        kind=said(message.maintenance_type),
        order=text(message.maintenance_order_number),
        job=text(message.maintenance_job_code),
        tasks=[
            MaintenanceTask(
                id=text(each.task_id),
                text=text(each.task),
                operator=person(each.operator),
                hours=finite(each.man_hours_consumed),
            )
            for each in message.tasks
        ],
        materials=[consumed(each) for each in message.consumed_materials],
    )
    yield origin.event(EventType.ASSET_MAINTENANCE, payload)


def resource_information(message: ResourceInformationEvent, origin: Origin) -> Iterator[Event]:
    """One ASSET_MAINTENANCE of what a machine consists of."""
    yield from _told("information", message.event_date_time, message.resource_information, origin)


def resource_setup(message: ResourceSetupEvent, origin: Origin) -> Iterator[Event]:
    """One ASSET_MAINTENANCE of how a machine is set up."""
    yield from _told("setup", message.event_date_time, message.resource_setup, origin)


def resource_status(message: ResourceMaintenanceStatusEvent, origin: Origin) -> Iterator[Event]:
    """One ASSET_MAINTENANCE of the condition of a machine's parts."""
    parts = [_part(each) for each in message.resource_maintenance_details]
    yield from _told("status", message.event_date_time, message.machine, origin, parts)


def resource_service(message: ResourceMaintenanceAndServiceEvent, origin: Origin) -> Iterator[Event]:
    """One ASSET_MAINTENANCE of counters, calibrations, checks, sensors and errors."""
    parts = [_serviced(each) for each in message.machine_service_and_maintenance_data]
    yield from _told("service", message.event_date_time, message.machine, origin, parts)


_What = Literal["performed", "status", "service", "information", "setup"]


def _told(
    what: _What,
    recorded_at: datetime | None,
    machine: cfx.Resource | None,
    origin: Origin,
    parts: Iterable[PartOfAsset] = (),
) -> Iterator[Event]:
    found = list(parts)
    if machine is None and not found:
        return
    about = PartOfAsset() if machine is None else _machine(machine)
    about.parts += found
    payload = AssetMaintenanceEvent(asset_id=origin.source, what=what, recorded_at=recorded_at, machine=about)
    yield origin.event(EventType.ASSET_MAINTENANCE, payload)


def _machine(given: cfx.Resource) -> PartOfAsset:
    kind = said(given.type, unset="Unspecified")
    listed: list[cfx.ResourceInformation] = []
    if isinstance(given, cfx.MaintenanceResource):
        listed = [*given.resources]
    elif isinstance(given, cfx.SMTPlacementSetup):
        listed = [*given.nozzle_changer_pockets, *given.tables, *given.feeders]
    return PartOfAsset(
        id=text(given.unique_identifier),
        name=text(given.name),
        kind=text(given.resource_type) or kind,
        vendor=text(given.vendor),
        model=text(given.model_number),
        serial_number=text(given.serial_number),
        software_version=text(given.software_version),
        firmware_version=text(given.firmware_version),
        parts=[_part(each) for each in listed],
    )


#: What is told of a part in members of its own.
_NOT_DETAILS: Final = frozenset(
    {
        "cameras",
        "rotation_axes",
        "multi_lanes",
        "value",
        "low_limit",
        "high_limit",
        "unit_of_measure",
        "custom_unit_of_measure",
        "sample_time",
    }
)


def _part(given: cfx.ResourceInformation) -> PartOfAsset:
    condition = given.maintenance_status
    below = [*given.additional_sub_resources]
    if isinstance(given, cfx.SMTHeadResource):
        below += [*given.cameras, *given.rotation_axes]
    own = details(given, cfx.ResourceInformation)
    return PartOfAsset(
        id=text(given.resource_identifier),
        name=text(given.resource_name),
        kind=text(given.resource_type) or kind_of(given, cfx.ResourceInformation),
        place=text(given.resource_position),
        condition=said(condition.result_state) if condition else None,
        reason=text(condition.reason) if condition else None,
        cycles=_cycles(given),
        sensor=_sensor(given) if isinstance(given, cfx.SensorInformation) else None,
        details={name: value for name, value in own.items() if name not in _NOT_DETAILS},
        parts=[_part(each) for each in below],
    )


def _cycles(given: cfx.ResourceInformation) -> dict[str, int]:
    if not isinstance(given, cfx.SMTTapeFeederInformation):
        return {}
    return {
        text(lane.unique_identifier) or f"lane {lane.lane_number}": lane.cycle_count
        for lane in given.multi_lanes
        if lane.cycle_count is not None
    }


def _sensor(given: cfx.SensorInformation) -> NumericMeasurement:
    return NumericMeasurement(
        name=text(given.resource_name),
        recorded_at=given.sample_time,
        value=finite(given.value),
        unit=text(given.custom_unit_of_measure) or said(given.unit_of_measure, unset=_UNSET),
        low=finite(given.low_limit),
        high=finite(given.high_limit),
    )


def _serviced(given: cfx.ServiceAndMaintenanceData) -> PartOfAsset:
    return PartOfAsset(
        id=text(given.unique_identifier),
        name=text(given.name),
        counters=[_counter(each) for each in given.maintenance_details],
        calibrations=[Calibration(**_calibrated(each)) for each in given.calibration_details],
        checks=[_check(each) for each in given.verification_details],
        errors=[
            without_none(
                {
                    "name": text(each.name),
                    "code": each.error_code,
                    "occurred_at": each.occurrence_time.isoformat() if each.occurrence_time else None,
                }
            )
            for each in given.error_details
        ],
        parts=[_part(each) for each in given.sensor_details],
    )


def _counter(given: cfx.MaintenanceInformation) -> Counter:
    """Give a counter; figures that the machine itself calls invalid are left out."""
    current, last = given.current_ratio_valid is not False, given.last_maintenance_valid is not False
    return Counter(
        name=text(given.name),
        kind=text(given.custom_counter_type) or said(given.counter_type, unset=_UNSET),
        place=text(given.measurement_location),
        value=finite(given.current_counter_value),
        used_percent=finite(given.current_ratio) if current else None,
        counted_at=given.current_time_stamp,
        last_maintenance_value=finite(given.last_maintenance_counter_value) if last else None,
        last_maintenance_at=given.last_maintenance_time_stamp if last else None,
    )


def _check(given: cfx.VerificationInformation) -> Check:
    """Give a check; a value that the machine itself calls invalid is left out."""
    return Check(
        name=text(given.name),
        kind=said(given.type, unset=_UNSET),
        status=said(given.status),
        value=finite(given.value) if given.is_valid is not False else None,
        unit=text(given.unit_of_measure),
        place=text(given.verification_location),
        verified_at=given.last_execution,
        comments=text(given.comment),
    )
