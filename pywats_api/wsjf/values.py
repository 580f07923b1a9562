"""The letters, operators and scalar types that the members of a report are made of."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)
from pydantic.alias_generators import to_camel

from pywats_api.wsjf.text import refuse_forbidden


class ReportType(StrEnum):
    """What a report tells of: the test of a unit (UUT) or its repair (UUR)."""

    TEST = "T"
    REPAIR = "R"


class ReportResult(StrEnum):
    """Verdict of a whole report. Error and terminated count as not passed, yet are kept apart from failed."""

    PASSED = "P"
    FAILED = "F"
    ERROR = "E"
    TERMINATED = "T"


class StepStatus(StrEnum):
    """Verdict of one step. `DONE` and `UNKNOWN` occur in stored reports: send `PASSED` instead of `DONE`."""

    PASSED = "P"
    FAILED = "F"
    SKIPPED = "S"
    ERROR = "E"
    TERMINATED = "T"
    DONE = "D"
    UNKNOWN = "U"


class MeasStatus(StrEnum):
    """Verdict of one measurement. One that ended in an error is `FAILED`; the error belongs on its step."""

    PASSED = "P"
    FAILED = "F"
    SKIPPED = "S"


class StepGroup(StrEnum):
    """Part of its sequence in which a step ran."""

    SETUP = "S"
    MAIN = "M"
    CLEANUP = "C"


class CompOp(StrEnum):
    """How a numeric value is held against its limits. The server believes the sender's verdict.

    With one limit it is always the low one, also for `LT` and `LE`. With two, the first pair of letters is
    held against the low limit and the second against the high one: ``GELE`` is inside, ``LTGT`` outside.
    """

    LOG = "LOG"
    EQ = "EQ"
    NE = "NE"
    GT = "GT"
    GE = "GE"
    LT = "LT"
    LE = "LE"
    GTLT = "GTLT"
    GTLE = "GTLE"
    GELT = "GELT"
    GELE = "GELE"
    LTGT = "LTGT"
    LTGE = "LTGE"
    LEGT = "LEGT"
    LEGE = "LEGE"

    @property
    def limits(self) -> int:
        """How many limits the operator needs: 0, 1 (the low one) or 2."""
        return 0 if self is CompOp.LOG else len(self.value) // 2


class StringCompOp(StrEnum):
    """How a text value is held against its limit; `EQ` and `CASESENSIT` mean the same."""

    LOG = "LOG"
    EQ = "EQ"
    NE = "NE"
    CASESENSIT = "CASESENSIT"
    IGNORECASE = "IGNORECASE"


def iso_local(moment: datetime) -> str:
    """ISO 8601 with milliseconds and offset."""
    offset = moment.utcoffset()
    if offset is None or offset.seconds % 60 or offset.microseconds:
        moment = moment.astimezone(UTC)  # an offset of old local mean time has seconds: no reader knows it
    return moment.isoformat(timespec="milliseconds")


def iso_utc(moment: datetime) -> str:
    """The same instant in UTC, written with ``Z``."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) and not isinstance(value, StrEnum) else value


Moment = Annotated[AwareDatetime, PlainSerializer(iso_local, when_used="json")]
AnyCaseCompOp = Annotated[CompOp, BeforeValidator(_upper)]
AnyCaseStringCompOp = Annotated[StringCompOp, BeforeValidator(_upper)]
Int16 = Annotated[int, Field(ge=-(2**15), le=2**15 - 1)]
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Seconds = Annotated[float, Field(allow_inf_nan=False, ge=0)]

Text = Annotated[str, AfterValidator(refuse_forbidden)]
Text20 = Annotated[Text, Field(max_length=20)]
Text30 = Annotated[Text, Field(max_length=30)]
Text50 = Annotated[Text, Field(max_length=50)]
Text100 = Annotated[Text, Field(max_length=100)]
Text200 = Annotated[Text, Field(max_length=200)]
Text500 = Annotated[Text, Field(max_length=500)]
# The server trims these too. Trimmed here, " S1" and "S1" are one unit already before they are sent.
Name = Annotated[
    str, StringConstraints(min_length=1, strip_whitespace=True), AfterValidator(refuse_forbidden)
]
Name50 = Annotated[Name, Field(max_length=50)]
Name100 = Annotated[Name, Field(max_length=100)]
Name200 = Annotated[Name, Field(max_length=200)]


class WireModel(BaseModel):
    """Ground of all parts of a report: snake_case outside, wire names as aliases, no unknown members.

    The server drops members it does not know without a word, so a typo here is refused instead.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        serialize_by_alias=True,
    )
