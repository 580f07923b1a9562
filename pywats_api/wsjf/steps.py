"""The test tree: steps, their measurements, charts and sequence headers."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from pywats_api.wsjf.parts import AdditionalData, Attachment
from pywats_api.wsjf.values import (
    AnyCaseCompOp,
    AnyCaseStringCompOp,
    CompOp,
    Finite,
    Int16,
    Int32,
    MeasStatus,
    Moment,
    Name,
    Name100,
    NotFinite,
    StepGroup,
    StepStatus,
    StringCompOp,
    Text20,
    Text30,
    Text50,
    Text100,
    Text200,
    Text500,
    Text100000,
    WireModel,
    is_stored,
)


class NumericMeas(WireModel):
    """A number with its limits.

    JSON has no NaN or infinity: for such a value report the verdict on the step and the text in its
    `report_text`.
    """

    value: Finite | NotFinite
    status: MeasStatus
    comp_op: AnyCaseCompOp = CompOp.LOG
    low_limit: Finite | NotFinite | None = None
    high_limit: Finite | NotFinite | None = None
    unit: Text20 | None = None
    name: Text100 | None = Field(default=None, description="Needed and unique where a step holds several.")

    @model_validator(mode="after")
    def _has_limits(self) -> Self:
        needed = self.comp_op.limits
        if needed >= 1 and self.low_limit is None:
            raise ValueError(f"compOp {self.comp_op} needs lowLimit")
        two = 2
        if needed == two and self.high_limit is None:
            raise ValueError(f"compOp {self.comp_op} needs highLimit")
        if needed == 1 and self.high_limit is not None:
            raise ValueError(f"compOp {self.comp_op} has one limit, which goes in lowLimit, not highLimit")
        return self


class StringMeas(WireModel):
    """A text held against a limit. Cut a longer value to 100 and put the whole in the step's report text."""

    value: Text100 | None
    status: MeasStatus
    comp_op: AnyCaseStringCompOp = StringCompOp.LOG
    limit: Text100 | None = None
    name: Text100 | None = Field(default=None, description="Needed and unique where a step holds several.")

    @model_validator(mode="after")
    def _has_limit(self) -> Self:
        if self.comp_op is not StringCompOp.LOG and self.limit is None:
            raise ValueError(f"compOp {self.comp_op} needs limit")
        return self


class BooleanMeas(WireModel):
    """A verdict without a value."""

    status: MeasStatus
    name: Text100 | None = Field(default=None, description="Needed and unique where a step holds several.")


class SeqCall(WireModel):
    """Header of a step with children. On the root: name and version of the test program."""

    name: Text200 | None
    path: Text500 | None = Field(default=None, description="Left out, it repeats the name.")
    version: Text30 | None = None

    @model_validator(mode="after")
    def _path_repeats_name(self, info: ValidationInfo) -> Self:
        if not self.path and not is_stored(info):
            self.path = self.name
        return self


class Loop(WireModel):
    """Loop header (`num`, `ending_index`, `passed`, `failed`), or one iteration of it (`idx`)."""

    idx: Int16 | None = None
    num: Int16 | None = None
    ending_index: Int16 | None = None
    passed: Int16 | None = None
    failed: Int16 | None = None


class CallExe(WireModel):
    """A program that the step called."""

    exit_code: Finite | None = None


class MessagePopup(WireModel):
    """A question to the operator, and the answer."""

    response: Text200 | None = None
    button: Int16 | None = None


_CHART_TYPES = {name.lower(): name for name in ("Line", "LineLogXY", "LineLogX", "LineLogY")}
ChartType = Annotated[
    Literal["Line", "LineLogXY", "LineLogX", "LineLogY"],
    BeforeValidator(lambda text: _CHART_TYPES.get(text.lower(), text) if isinstance(text, str) else text),
]


class ChartSeries(WireModel):
    """One curve; numbers are joined by ``;`` with a decimal point. Without `xdata` the index is used."""

    name: Name100
    ydata: str
    xdata: str | None = None
    data_type: Literal["XYG"] = "XYG"


class Chart(WireModel):
    """A diagram on a step. Limit lines are series like the others."""

    chart_type: ChartType = "Line"
    label: Text100
    x_label: Text50 | None = None
    x_unit: Text20 | None = None
    y_label: Text50 | None = None
    y_unit: Text20 | None = None
    series: list[ChartSeries]


class Step(WireModel):
    """One step of the test tree.

    The path of names down to a step is its identity in statistics: keep names and order the same from run
    to run. A step holds children (then it needs `seq_call`) or measurements of one kind, not both. These
    rules are checked by `Report`, which knows the path to the step.
    """

    name: Name100
    step_type: Name = Field(description="Picks the icon; free text. Without measurement: Action.")
    status: StepStatus
    id: Int32 | None = Field(default=None, description="Order number; `Report.to_wire` gives a new one.")
    group: StepGroup = StepGroup.MAIN
    start: Moment | None = None
    tot_time: Finite | None = Field(default=None, description="Duration in seconds.")
    error_code: Int32 | None = None
    error_message: Text200 | None = None
    ts_guid: Text30 | None = Field(default=None, description="Of TestStand only.")
    interactive_exe_num: Int32 | None = Field(default=None, description="Of TestStand only.")
    report_text: Text100000 | None = Field(default=None, description="Free text below the step.")
    caused_seq_failure: bool | None = None
    caused_uut_failure: bool | None = Field(default=None, alias="causedUUTFailure")
    loop: Loop | None = None
    seq_call: SeqCall | None = None
    steps: list["Step"] | None = None
    numeric_meas: list[NumericMeas] | None = None
    string_meas: list[StringMeas] | None = None
    boolean_meas: list[BooleanMeas] | None = None
    call_exe: CallExe | None = None
    message_popup: MessagePopup | None = None
    chart: Chart | None = None
    attachment: Attachment | None = None
    additional_results: list[AdditionalData] | None = None

    def walk(self) -> Iterator[tuple[str, "Step"]]:
        """This step and all below it, depth-first, each with its path of names joined by ``/``."""
        waiting = [(self.name, self)]
        while waiting:
            path, step = waiting.pop()
            yield path, step
            waiting.extend((f"{path}/{child.name}", child) for child in reversed(step.steps or ()))
