"""What is done to keep machines and tools fit: maintenance, calibration, the use and care of tools."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from pywats_events.payloads.common import DomainModel, Person
from pywats_events.payloads.materials import UsedMaterial
from pywats_events.payloads.results import NumericMeasurement


class Calibration(DomainModel):
    """One calibration, and what was measured.

    Attributes:
        code: which calibration it was.
        kind: ``ZAxis``, ``BoardCamera`` and so on, or the source's own word.
        status: ``Ok``, ``Failed``, ``Unknown``, or the source's own word; None when nothing was said.
        performed_at: when, where the source says so beside the time of its message.
    """

    code: str | None = None
    kind: str | None = None
    status: str | None = None
    performed_at: datetime | None = None
    comments: str | None = None
    measurements: list[NumericMeasurement] = Field(default_factory=list)


class AssetCalibrationEvent(Calibration):
    """A station was calibrated."""

    asset_id: str
    transaction_id: str | None = None


class MaintenanceTask(DomainModel):
    """One thing that was done; ``hours`` are hours of somebody's work."""

    id: str | None = None
    text: str | None = None
    operator: Person | None = None
    hours: float | None = None


class Counter(DomainModel):
    """What a machine counts of itself, such as a mileage, and how near the next maintenance is.

    Attributes:
        kind: ``Odometer``, ``Timer``, ``ActivityCount`` and so on, or the source's own word.
        value: what it stands at.
        used_percent: how much of the interval is used, where the source vouches for it.
        last_maintenance_value: what it stood at when it was maintained last.
    """

    name: str | None = None
    kind: str | None = None
    place: str | None = None
    value: float | None = None
    used_percent: float | None = None
    counted_at: datetime | None = None
    last_maintenance_value: float | None = None
    last_maintenance_at: datetime | None = None


class Check(DomainModel):
    """A check of a machine: its status (``Ok``, ``Failed``, ``Unknown``) and value."""

    name: str | None = None
    kind: str | None = None
    status: str | None = None
    value: float | None = None
    unit: str | None = None
    place: str | None = None
    verified_at: datetime | None = None
    comments: str | None = None


class PartOfAsset(DomainModel):
    """A machine, or a part of one: head, feeder, camera, sensor.

    Attributes:
        id: identity, of the machine or of the part.
        kind: what it is.
        place: where on the machine it sits.
        condition: ``Ok``, ``NotOk``, ``Unknown``, or the source's own word.
        reason: why the condition is what it is.
        cycles: how often it was used, by name of what is counted (lanes of a feeder).
        sensor: what a sensor reads; limits where it has any.
        details: what else its kind says.
        parts: the parts of the part.
    """

    id: str | None = None
    name: str | None = None
    kind: str | None = None
    place: str | None = None
    vendor: str | None = None
    model: str | None = None
    serial_number: str | None = None
    software_version: str | None = None
    firmware_version: str | None = None
    condition: str | None = None
    reason: str | None = None
    cycles: dict[str, int] = Field(default_factory=dict)
    sensor: NumericMeasurement | None = None
    counters: list[Counter] = Field(default_factory=list)
    calibrations: list[Calibration] = Field(default_factory=list)
    checks: list[Check] = Field(default_factory=list)
    errors: list[dict[str, Any]] = Field(default_factory=list)
    details: dict[str, Any] = Field(default_factory=dict)
    parts: list[PartOfAsset] = Field(default_factory=list)


class AssetMaintenanceEvent(DomainModel):
    """Maintenance was done, or a machine tells how it is.

    Attributes:
        what: ``performed`` when somebody did something. The others are told by the machine: ``status`` (the
            condition of its parts), ``service`` (counters, calibrations, sensors, errors), ``information``
            and ``setup`` (what it consists of).
        kind: ``Preventive``, ``Inspection``, ``Repair``, ``Test``, or the source's own word.
        order: number of the maintenance order.
        job: what kind of job it was.
        tasks: what was done.
        materials: parts that were used up.
        recorded_at: when the machine gathered what it tells.
        machine: the machine that is told of.
    """

    asset_id: str
    what: Literal["performed", "status", "service", "information", "setup"] = "performed"
    kind: str | None = None
    order: str | None = None
    job: str | None = None
    tasks: list[MaintenanceTask] = Field(default_factory=list)
    materials: list[UsedMaterial] = Field(default_factory=list)
    recorded_at: datetime | None = None
    machine: PartOfAsset | None = None


class Tool(DomainModel):
    """A tool: nozzle, stencil, squeegee, fixture.

    Attributes:
        kind: what kind of tool, by the name of the standard (``SMTHeadAndNozzle``, ``SMTStencil``).
        details: what only its kind says.
    """

    id: str | None = None
    name: str | None = None
    kind: str | None = None
    holder: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class ToolChangedEvent(DomainModel):
    """Tools were put into a station, or taken out; ``holder`` of a tool is where it came from or went to."""

    asset_id: str
    transaction_id: str | None = None
    loaded: list[Tool] = Field(default_factory=list)
    unloaded: list[Tool] = Field(default_factory=list)


class ToolUse(DomainModel):
    """How often a tool was used, and on which components."""

    tool: Tool
    cycles: int | None = None
    designators: list[str] = Field(default_factory=list)


class ToolUsedEvent(DomainModel):
    """Tools that were used on one unit; ``unit_id`` is None where the source names no unit."""

    asset_id: str
    unit_id: str | None = None
    position: int | None = None
    transaction_id: str | None = None
    uses: list[ToolUse] = Field(default_factory=list)


class ToolCleanedEvent(DomainModel):
    """Tools were cleaned.

    Attributes:
        mode: how, in the source's word.
        cycles: how many cleaning cycles.
        seconds: how long it took.
        cycles_since_last: how often the tool was used since it was cleaned last.
        seconds_since_last: how long ago that was.
        steps: the steps of the cleaning, each with ``kind``, ``seconds`` and ``readings``.
    """

    asset_id: str
    transaction_id: str | None = None
    tools: list[Tool] = Field(default_factory=list)
    mode: str | None = None
    cycles: int | None = None
    seconds: float | None = None
    cycles_since_last: int | None = None
    seconds_since_last: float | None = None
    steps: list[dict[str, Any]] = Field(default_factory=list)
