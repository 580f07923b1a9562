"""The letters, operators and scalar types that the members of a report are made of."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self, cast

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializationInfo,
    StringConstraints,
    ValidationInfo,
)
from pydantic.alias_generators import to_camel

from pywats_api.wsjf.text import refuse_forbidden

#: Context of reading and giving again what a server stored, rather than what shall be sent.
STORED: Final = "stored"


class ReportType(StrEnum):
    """What a report tells of: the test of a unit (UUT) or its repair (UUR)."""

    TEST = "T"
    REPAIR = "R"
    UUT = TEST
    UUR = REPAIR


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


_FRACTION = re.compile(r"\.(\d*)")


def parse_moment(text: str) -> datetime:
    """A point in time as reports write it: any number of decimals, even none; without offset it is UTC.

    Decimals beyond microseconds are cut.

    Raises:
        ValueError: the text is no date and time.
    """
    moment = datetime.fromisoformat(_iso_text(text))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _iso_text(text: str) -> str:
    return _FRACTION.sub(lambda found: f".{found.group(1)[:6]:0<6}", text, count=1)


def iso_local(moment: datetime) -> str:
    """ISO 8601 with milliseconds and offset."""
    return _with_minutes(moment).isoformat(timespec="milliseconds")


def _write_moment(moment: datetime, info: SerializationInfo) -> str:
    """Sent to the millisecond, as reports are told apart by; given again as exact as it was read."""
    if info.context is not STORED:
        return iso_local(moment)
    timespec = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    return _with_minutes(moment).isoformat(timespec=timespec)


def _with_minutes(moment: datetime) -> datetime:
    offset = moment.utcoffset()
    if offset is None or offset.seconds % 60 or offset.microseconds:
        return moment.astimezone(UTC)  # an offset of old local mean time has seconds: no reader knows it
    return moment


def iso_utc(moment: datetime) -> str:
    """The same instant in UTC, written with ``Z``."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) and not isinstance(value, StrEnum) else value


def _read_moment(value: Any) -> Any:
    return parse_moment(value) if isinstance(value, str) else value


def _read_start(value: Any) -> Any:
    """A start that is text must carry its offset: runs are ordered by it."""
    return datetime.fromisoformat(_iso_text(value)) if isinstance(value, str) else value


Moment = Annotated[
    AwareDatetime, BeforeValidator(_read_moment), PlainSerializer(_write_moment, when_used="json")
]
Start = Annotated[
    AwareDatetime, BeforeValidator(_read_start), PlainSerializer(_write_moment, when_used="json")
]
AnyCaseCompOp = Annotated[CompOp, BeforeValidator(_upper)]
AnyCaseStringCompOp = Annotated[StringCompOp, BeforeValidator(_upper)]
Int16 = Annotated[int, Field(ge=-(2**15), le=2**15 - 1)]
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Seconds = Annotated[float, Field(allow_inf_nan=False, ge=0)]
# JSON has no such numbers. Stored reports carry these texts; do not send them: whether a server reads them
# is not documented.
NotFinite = Literal["NaN", "Infinity", "-Infinity"]

_Storable = AfterValidator(refuse_forbidden)
Text = Annotated[str, _Storable]
Text20 = Annotated[str, StringConstraints(max_length=20), _Storable]
Text30 = Annotated[str, StringConstraints(max_length=30), _Storable]
Text50 = Annotated[str, StringConstraints(max_length=50), _Storable]
Text100 = Annotated[str, StringConstraints(max_length=100), _Storable]
Text200 = Annotated[str, StringConstraints(max_length=200), _Storable]
Text500 = Annotated[str, StringConstraints(max_length=500), _Storable]
Text5000 = Annotated[str, StringConstraints(max_length=5000), _Storable]
Text100000 = Annotated[str, StringConstraints(max_length=100_000), _Storable]
# The server trims these too. Trimmed here, " S1" and "S1" are one unit already before they are sent.
Name = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True), _Storable]
Name50 = Annotated[str, StringConstraints(min_length=1, max_length=50, strip_whitespace=True), _Storable]
Name100 = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True), _Storable]
Name200 = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), _Storable]


def is_stored(info: ValidationInfo) -> bool:
    """Whether a validator looks at a report that a server gave back: what it holds is beyond refusing."""
    return info.context is STORED


class WireModel(BaseModel):
    """Ground of all parts of a report: snake_case outside, wire names as aliases, no unknown members.

    The server drops members it does not know without a word, so a typo here is refused instead. Only what
    a server gave back (`read`) may hold more, which `model_extra` then shows.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        serialize_by_alias=True,
    )

    @classmethod
    def read(cls, document: Any) -> Self:
        """What a server gave back: members that are not modelled are kept, and `document` gives them again.

        Raises:
            pydantic.ValidationError: it is no report, or one of its members has a wrong type.
        """
        return cls.model_validate(document, extra="allow", context=STORED)

    def document(self) -> dict[str, Any]:
        """The JSON object as it was read, members not modelled and those without a value included."""
        return cast(
            "dict[str, Any]",
            _document(self, self.model_dump(mode="json", exclude_unset=True, context=STORED)),
        )


def _document(value: Any, dumped: Any) -> Any:
    """Put the members that are not modelled back into what pydantic wrote, which leaves them out."""
    if isinstance(value, WireModel):
        for name in value.model_fields_set & type(value).model_fields.keys():
            _document(getattr(value, name), dumped.get(type(value).model_fields[name].alias or name))
        dumped |= value.model_extra or {}
    elif isinstance(value, list):
        for item, written in zip(value, dumped, strict=True):
            _document(item, written)
    return dumped
