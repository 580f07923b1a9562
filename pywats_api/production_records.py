"""Units and what WATS tells of them: their verification, their changes, their assembly, their numbers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, model_validator

from pywats_api.product_records import Product, ProductRevision
from pywats_api.records import Record
from pywats_api.tags import Setting
from pywats_api.unit_phases import phase_name, plain_name

_FIT_STATUSES = frozenset({"ok", "warning"})
_PASSED = "passed"
# The documents of the client have other words for some members of the server.
_OTHER_UNIT_NAMES = {
    "part_revision": "revision",
    "lot_number": "batch_number",
    "location": "current_location",
    "created": "serial_date",
}


def _as_utc(moment: datetime | None) -> datetime | None:
    """Read a time of the server: it carries no offset, and .NET's first day stands for "never"."""
    if moment is None or moment.year == 1:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _or_empty(value: Any) -> Any:
    return [] if value is None else value


Moment = Annotated[datetime | None, AfterValidator(_as_utc)]


class Unit(Record):
    """A unit: one serial number of one part number.

    Attributes:
        unit_phase: name of its phase; read only, as is all from `product` on.
        process_code: the operation that it is in.
        status: a word of the user's own; WATS does not promise to keep it.
        sub_units: what is built into it.
        last_test_date: start of its last test, where the server says it.
    """

    serial_number: str
    part_number: str | None = None
    revision: str | None = None
    parent_serial_number: str | None = None
    batch_number: str | None = None
    serial_date: Moment = None
    current_location: str | None = None
    xml_data: str | None = None
    unit_phase_id: int | None = None
    unit_phase: str | None = None
    process_code: int | str | None = None
    status: str | None = None
    tags: list[Setting] | None = None
    product: Product | None = None
    product_revision: ProductRevision | None = None
    sub_units: Annotated[list["Unit"], BeforeValidator(_or_empty)] = Field(default_factory=list)
    last_test_date: Moment = None

    @model_validator(mode="before")
    @classmethod
    def _documented_names(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {_OTHER_UNIT_NAMES.get(str(name), name): value for name, value in data.items()}

    @property
    def phase(self) -> str | None:
        """Name of the phase that the unit is in."""
        if self.unit_phase is None and self.unit_phase_id is not None:
            return phase_name(self.unit_phase_id)
        return self.unit_phase

    @property
    def current_phase(self) -> str | None:
        """The same as `phase`."""
        return self.phase

    @property
    def state(self) -> str | None:
        """The same as `phase`: WATS knows no other state of a unit."""
        return self.phase

    @property
    def current_process(self) -> int | str | None:
        """Code of the operation that the unit is in."""
        return self.process_code

    @property
    def part_revision(self) -> str | None:
        """The same as `revision`."""
        return self.revision

    @part_revision.setter
    def part_revision(self, revision: str | None) -> None:
        self.revision = revision

    @property
    def location(self) -> str | None:
        """The same as `current_location`."""
        return self.current_location

    @location.setter
    def location(self, location: str | None) -> None:
        self.current_location = location

    @property
    def lot_number(self) -> str | None:
        """The same as `batch_number`."""
        return self.batch_number

    @property
    def created(self) -> datetime | None:
        """The same as `serial_date`."""
        return self.serial_date

    @property
    def modified(self) -> datetime | None:
        """When the unit was changed, where the server says so."""
        moment: datetime | None = (self.model_extra or {}).get("modified")
        return moment

    def to_wire(self) -> dict[str, Any]:
        """The unit without what only the server writes."""
        wire = super().to_wire()
        for name in ("unitPhase", "product", "productRevision", "lastTestDate"):
            wire.pop(name, None)
        if not self.sub_units:
            wire.pop("subUnits", None)
        return wire


class UnitVerificationGrade(StrEnum):
    """The verdict on a unit in one word."""

    PASSED = "Passed"
    FAILED = "Failed"
    NOT_TESTED = "Not tested"
    INCOMPLETE = "Incomplete"
    PENDING = "Incomplete"


_GRADES = {plain_name(grade.value): grade for grade in UnitVerificationGrade} | {
    "ok": UnitVerificationGrade.PASSED,
    "pending": UnitVerificationGrade.PENDING,
}


def _grade(value: Any) -> Any:
    return _GRADES.get(plain_name(value), value) if isinstance(value, str) else value


class ProcessVerification(Record):
    """How a unit did in one operation of its verification rule; start and station are the last run's."""

    process_code: int | None = None
    process_name: str | None = None
    process_index: Annotated[int | str | None, Field(union_mode="left_to_right")] = None
    status: str | None = None
    start_utc: Moment = None
    station_name: str | None = None
    total_count: int | None = None
    non_passed_count: int | None = None
    repair_count: int | None = None


class UnitVerification(Record):
    """Whether a unit passed the operations that the verification rule of its product asks for.

    A product without a rule has no `results`, and then no `status` that means anything.
    """

    status: str | None = None
    grade: Annotated[UnitVerificationGrade | str | None, BeforeValidator(_grade)] = None
    all_processes_executed_in_correct_order: bool | None = None
    all_processes_passed_first_run: bool | None = None
    all_processes_passed_any_run: bool | None = None
    all_processes_passed_last_run: bool | None = None
    no_repairs: bool | None = None
    results: Annotated[list[ProcessVerification], BeforeValidator(_or_empty)] = Field(default_factory=list)

    @property
    def is_passing(self) -> bool:
        """The server calls the unit fit: status OK or Warning."""
        return (self.status or "").strip().lower() in _FIT_STATUSES

    @property
    def passed_step_count(self) -> int:
        """How many operations of the rule the unit passed in its last run of them."""
        return sum(plain_name(result.status or "") == _PASSED for result in self.results)

    @property
    def failed_step_count(self) -> int:
        """How many operations of the rule the unit ran and did not pass in its last run of them."""
        return sum(
            bool(result.total_count) and plain_name(result.status or "") != _PASSED for result in self.results
        )


class UnitChange(Record):
    """A change of a unit that waits to be acknowledged.

    WATS promises the id, the serial number and the ``new_...`` members; what else there is depends on the
    server's version.
    """

    change_id: int | str = Field(validation_alias=AliasChoices("id", "change_id"), alias="id")
    serial_number: str | None = Field(default=None, alias="unitSerialNumber")
    part_number: str | None = None
    new_parent_serial_number: str | None = None
    new_part_number: str | None = None
    new_revision: str | None = None
    new_unit_phase_id: int | None = None
    old_unit_phase_id: int | None = None
    changed: Moment = None
    change_type: str | None = None
    process_name: str | None = None
    user: str | None = None
    comment: str | None = None

    @property
    def unit_change_id(self) -> int | str:
        """The same as `change_id`."""
        return self.change_id

    @property
    def timestamp(self) -> datetime | None:
        """The same as `changed`."""
        return self.changed

    @property
    def operator(self) -> str | None:
        """The same as `user`."""
        return self.user

    @property
    def new_phase(self) -> str | None:
        """Name of the phase that the unit came into."""
        return None if self.new_unit_phase_id is None else phase_name(self.new_unit_phase_id)

    @property
    def old_phase(self) -> str | None:
        """Name of the phase that the unit left."""
        return None if self.old_unit_phase_id is None else phase_name(self.old_unit_phase_id)


class MissingPart(Record):
    """A unit that an assembly still needs: one line of its box-build template.

    Attributes:
        index: place of the line in the template, from 0.
        quantity: how many are missing.
    """

    part_number: str | None = None
    revision: str | None = None
    revision_mask: str | None = None
    quantity: int = 1
    index: int | None = None

    def get(self, name: str, default: Any = None) -> Any:
        """The member of this name, `default` where there is none."""
        return getattr(self, name, default)


class AssemblyVerification(Record):
    """How an assembly stands against its box-build template.

    Attributes:
        is_complete: nothing is missing, and nothing is built in that should not be.
        missing_parts: what is missing.
        problems: what is wrong with the units that are built in, in words.
    """

    is_complete: bool = False
    missing_parts: Annotated[list[MissingPart], BeforeValidator(_or_empty)] = Field(default_factory=list)
    problems: Annotated[list[str], BeforeValidator(_or_empty)] = Field(default_factory=list)

    @classmethod
    def read(cls, answer: Any, operation: str) -> Self:
        """The verdict in an answer, which may be a mere yes or no."""
        return super().read({"isComplete": answer} if isinstance(answer, bool) else answer, operation)

    @property
    def missing_count(self) -> int:
        """How many units are missing in all."""
        return sum(part.quantity for part in self.missing_parts)

    @property
    def missing_children(self) -> list[MissingPart]:
        """The same as `missing_parts`."""
        return self.missing_parts

    def get(self, name: str, default: Any = None) -> Any:
        """The member of this name, `default` where there is none."""
        return getattr(self, name, default)


class ProductionBatch(Record):
    """A lot of units with a name.

    Attributes:
        batch_size: number of units.
    """

    batch_number: str
    batch_size: int | None = None


class SerialNumberType(Record):
    """A pool that serial numbers are taken from.

    Attributes:
        identifier: 0 serial number, 1 MAC address, 2 IMEI.
    """

    name: str
    description: str | None = None
    format: str | None = None
    reg_ex: str | None = None
    identifier: int | None = None
    identifier_name: str | None = None
    next_number: int | str | None = None

    @property
    def pattern(self) -> str | None:
        """What its numbers look like: the regular expression, or else the format."""
        return self.reg_ex or self.format
