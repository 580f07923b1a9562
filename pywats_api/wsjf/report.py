"""The report itself, checked once when it is built and written once when it is sent."""

from typing import Any, Self
from uuid import UUID

from pydantic import Field, ValidationInfo, model_validator

from pywats_api.wsjf.parts import AdditionalData, AssetUse, FileData, MiscInfo, SubUnit, UurInfo, UutInfo
from pywats_api.wsjf.rules import check_tree, check_units
from pywats_api.wsjf.steps import Step
from pywats_api.wsjf.values import (
    Int16,
    Moment,
    Name100,
    ReportResult,
    ReportType,
    Start,
    StepStatus,
    Text100,
    WireModel,
    is_stored,
    iso_local,
    iso_utc,
)


class Report(WireModel):
    """One test (UUT) or one repair (UUR) of one unit.

    Serial number, part number, operation and start together are the natural key on the server: an equal one
    overwrites, whatever its id. `id` and `start` must therefore come from the event reported, never from
    chance or the clock, so that sending twice leaves one report.

    Steps are looked through once, when the report is built. Children added to a step afterwards are sent
    unchecked, so build the tree first.
    """

    id: UUID
    type: ReportType = ReportType.TEST
    pn: Name100 = Field(description="Part number.")
    sn: Name100 = Field(description="Serial number; the unit is part number and serial number.")
    rev: Name100 = Field(description="Revision; needed even where unknown, so agree on a placeholder.")
    process_code: Int16 = Field(description="A test operation for a test, a repair operation for a repair.")
    process_name: Text100 | None = Field(default=None, description="If sent, exactly the server's name.")
    result: ReportResult
    machine_name: Name100 = Field(description="Station.")
    location: Name100
    purpose: Name100
    start: Start = Field(description="When the run began, with offset. In the future, it is quarantined.")
    start_utc: Moment | None = Field(default=None, alias="startUTC", description="Follows `start`.")
    root: Step | None = None
    uut: UutInfo | None = None
    uur: UurInfo | None = None
    misc_infos: list[MiscInfo] | None = None
    sub_units: list[SubUnit] | None = None
    assets: list[AssetUse] | None = None
    binary_data: list[FileData] | None = Field(default=None, description="Files of a repair.")
    additional_data: list[AdditionalData] | None = None

    @model_validator(mode="after")
    def _is_acceptable(self, info: ValidationInfo) -> Self:
        if is_stored(info):
            return self
        if self.start_utc is None:
            self.start_utc = self.start
        elif self.start_utc != self.start:
            raise ValueError("startUTC is another instant than start")
        if self.type is ReportType.TEST:
            self._check_test()
        else:
            self._check_repair()
        return self

    def _check_test(self) -> None:
        if self.root is None:
            raise ValueError("a test report needs root")
        if self.uur is not None or self.binary_data:
            raise ValueError("uur and binaryData belong to repair reports")
        if any(unit.failures for unit in self.sub_units or ()):
            raise ValueError("failures belong to the sub-units of repair reports")
        if self.uut is None:
            self.uut = UutInfo()
        status = StepStatus.PASSED if self.root.status is StepStatus.DONE else self.root.status
        if status.value != self.result.value:
            raise ValueError(
                f'step "{self.root.name}": the root step says {self.root.status}, the report {self.result}; '
                "they must agree",
            )
        if self.root.seq_call is None:
            raise ValueError(f'step "{self.root.name}": the root step needs seqCall, the test program')
        check_tree(self.root)

    def _check_repair(self) -> None:
        if self.uur is None:
            raise ValueError("a repair report needs uur")
        if self.root is not None or self.uut is not None:
            raise ValueError("root and uut belong to test reports")
        if self.result is not ReportResult.PASSED:
            raise ValueError("the result of a repair report is always P")
        check_units(self.pn, self.sn, self.rev, self.sub_units or ())

    def to_wire(self) -> dict[str, Any]:
        """The JSON object to post.

        Members without a value are left out, steps are numbered depth-first from 0, and `startUTC` is the
        instant of `start`. The report and its steps stay as they are.
        """
        wire: dict[str, Any] = self.model_dump(mode="json", exclude_none=True)
        wire["start"] = iso_local(self.start)
        wire["startUTC"] = iso_utc(self.start)
        if "root" in wire:
            _number(wire["root"])
        return wire


def _number(root: dict[str, Any]) -> None:
    waiting = [root]
    number = 0
    while waiting:
        step = waiting.pop()
        step["id"] = number
        number += 1
        waiting.extend(reversed(step.get("steps", ())))
