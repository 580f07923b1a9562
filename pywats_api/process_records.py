"""Processes and what WATS tells of them: their kinds, and what repairs of an operation ask of a report."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from pywats_api.records import Record


def _or_empty(value: Any) -> Any:
    return [] if value is None else value


class Process(Record):
    """One operation of the account. A report carries its `code`; `name` is case-sensitive on the server."""

    code: int
    name: str
    description: str | None = None
    is_test_operation: bool = False
    is_repair_operation: bool = False
    is_wip_operation: bool = False
    process_index: int | None = None
    state: int | str | None = None
    process_id: str | None = Field(default=None, alias="processID")

    @property
    def process_type(self) -> str:
        """Its kind in a word: TEST, REPAIR, WIP, or OTHER."""
        kinds = {
            "TEST": self.is_test_operation,
            "REPAIR": self.is_repair_operation,
            "WIP": self.is_wip_operation,
        }
        return next((kind for kind, is_it in kinds.items() if is_it), "OTHER")

    @property
    def id(self) -> str | None:
        """The same as `process_id`; only the internal list has it."""
        return self.process_id


class FailCode(Record):
    """A fail code that repairs of an operation may use."""

    guid: str | None = Field(default=None, alias="GUID")
    description: str = ""
    category: str | None = None
    selectable: bool = True
    sort_order: int | None = None
    failure_type: int | None = None


class RepairCategory(Record):
    """A group of fail codes."""

    guid: str | None = Field(default=None, alias="GUID")
    description: str = ""
    selectable: bool = True
    sort_order: int | None = None
    failure_type: int | None = None
    image_constraint: int | None = None
    status: int | str | None = None
    fail_codes: Annotated[list[FailCode], BeforeValidator(_or_empty)] = Field(
        default_factory=list, alias="Failcodes"
    )


class RepairOperationConfig(Record):
    """What a repair operation asks of a report. Numbers: 0 required, 1 optional, 2 never.

    Attributes:
        comp_ref_mask: expression that the place of a component has to match.
    """

    description: str | None = None
    uut_required: int | None = Field(default=None, alias="UUTRequired")
    comp_ref_mask: str | None = None
    comp_ref_mask_description: str | None = None
    bom_constraint: str | int | None = None
    bom_required: int | None = Field(default=None, alias="BOMRequired")
    vendor_required: int | None = None
    categories: Annotated[list[RepairCategory], BeforeValidator(_or_empty)] = Field(default_factory=list)
