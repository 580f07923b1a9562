"""What the server tells of assets: the things, their types, their log, their status and their files."""

import re
from collections.abc import Iterable
from datetime import datetime
from enum import IntEnum, StrEnum
from html import unescape
from typing import Annotated, Any, TypedDict

from pydantic import Field, model_validator

from pywats_api.asset_moments import AssetMoment
from pywats_api.records import Record


class AssetState(IntEnum):
    """Where an asset is, set by people or by a bridge. Not its status, which the server computes.

    OK, WARNING, ALARM and ERROR are older names, kept for code that uses them: OK says that the asset works,
    the three others that it is taken out of use. Whether a limit is near or passed is not a state: ask
    `AssetDomain.get_status`.
    """

    UNKNOWN = 0
    IN_OPERATION = 1
    IN_TRANSIT = 2
    IN_MAINTENANCE = 3
    IN_CALIBRATION = 4
    IN_STORAGE = 5
    SCRAPPED = 6

    OK = 1
    WARNING = 3
    ALARM = 3
    ERROR = 3


class AssetAlarmState(StrEnum):
    """How an asset stands against its limits, as the server works it out."""

    OK = "OK"
    WARNING = "Warning"
    ALARM = "Alarm"


class AssetStatusCode(StrEnum):
    """All that the server's evaluation of limits may say."""

    OK = "OK"
    NOT_REGISTERED = "NotRegistered"
    WARNING = "Warning"
    ALARM = "Alarm"
    SYSTEM_ERROR = "SystemError"
    ASSET_ERROR = "AssetError"


class TagChange(IntEnum):
    """What storing an asset shall do with one of its tags."""

    NONE = 0
    ADD = 1
    UPDATE = 2
    DELETE = 3


State = Annotated[AssetState | int | None, Field(union_mode="left_to_right")]
_TAG = re.compile(r"""<([^\s<>/"'=]+)\s+Value\s*=\s*(?:"([^"]*)"|'([^']*)')\s*/?>""")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_STATUS_WORDS = {code.value.lower(): code for code in AssetStatusCode}


class AssetTag(Record):
    """A key and its value, free to use. `change` says what storing the asset does with it."""

    key: str
    value: str | None = None
    change: Annotated[TagChange | int | None, Field(union_mode="left_to_right")] = None


class Asset(Record):
    """A thing whose use or age matters. The serial number is unique on the account.

    Counts, dates and the parent's other key are the server's: storing an asset does not change them.
    """

    asset_id: str | None = None
    serial_number: str
    type_id: str | None = None
    asset_name: str | None = None
    part_number: str | None = None
    revision: str | None = None
    parent_asset_id: str | None = None
    parent_serial_number: str | None = None
    client_id: int | str | None = Field(default=None, alias="ClientId")
    state: State = None
    description: str | None = None
    location: str | None = None
    first_seen_date: AssetMoment = None
    last_seen_date: AssetMoment = None
    last_calibration_date: AssetMoment = None
    next_calibration_date: AssetMoment = None
    last_maintenance_date: AssetMoment = None
    next_maintenance_date: AssetMoment = None
    total_count: int | None = None
    running_count: int | None = None
    tags: list[AssetTag] | None = None

    @model_validator(mode="before")
    @classmethod
    def _tags_from_xml(cls, data: Any) -> Any:
        """Rows of a query carry the tags as XML."""
        if not isinstance(data, dict) or data.get("tags") is not None:
            return data
        xml = next((value for name, value in data.items() if str(name).lower() == "xmldata"), None)
        return data | {"tags": _read_tags(xml)} if isinstance(xml, str) and xml else data


class AssetType(Record):
    """The rules for assets of one kind.

    Intervals in days, -1 for none and -2 where another system says what is due; thresholds in percent of
    limits and intervals.
    """

    type_id: str | None = None
    type_name: str
    running_count_limit: int | None = None
    total_count_limit: int | None = None
    maintenance_interval: float | None = None
    calibration_interval: float | None = None
    warning_threshold: float | None = None
    alarm_threshold: float | None = None
    is_readonly: bool | None = None
    icon: str | None = None

    @property
    def has_limits(self) -> bool:
        """Whether an asset of this type can come near to anything."""
        counts = (self.running_count_limit or 0, self.total_count_limit or 0)
        return any(limit > 0 for limit in counts) or bool(
            {self.maintenance_interval, self.calibration_interval} - {None, 0.0, -1.0}
        )


class AssetLog(Record):
    """A line in an asset's log.

    Types: 0 message, 1 registered, 2 updated, 3 count reset, 4 calibration, 5 maintenance, 6 state changed.
    """

    log_id: int | str | None = None
    asset_id: str | None = None
    serial_number: str | None = None
    date: AssetMoment = None
    user: str | None = None
    log_type: int | None = Field(default=None, alias="type")
    property_name: str | None = Field(default=None, alias="property")
    value: str | None = None
    comment: str | None = None

    @property
    def timestamp(self) -> datetime | None:
        """When it happened."""
        return self.date

    @property
    def message(self) -> str:
        """What it says: the comment, else what a property was set to."""
        changed = f"{self.property_name}: {self.value or ''}" if self.property_name else self.value
        return self.comment or changed or ""

    @property
    def asset_name(self) -> str | None:
        """What the log calls the asset: its serial number."""
        return self.serial_number

    @model_validator(mode="before")
    @classmethod
    def _value_as_text(cls, data: Any) -> Any:
        value = data.get("value") if isinstance(data, dict) else None
        return data | {"value": str(value)} if isinstance(value, int | float) else data


AssetLogEntry = AssetLog


class AssetStatus(Record):
    """How an asset stands: the server's evaluation of its limits, and what the asset itself says.

    ``status.get("in_alarm")`` and ``status["in_alarm"]`` work as the attributes do.

    Attributes:
        status: the server's verdict.
        message: its reason in words.
        state: where the asset is.
        calibration_due: when the next calibration is due, None for never.
        maintenance_due: when the next maintenance is due, None for never.
        count_percentage: how much of a count limit is used, of the limit that is nearest; None without limit.
    """

    status: Annotated[AssetStatusCode | int | str | None, Field(union_mode="left_to_right")] = None
    message: str | None = None
    running_count: int | None = None
    running_count_exceeded: int | bool | None = None
    total_count: int | None = None
    total_count_exceeded: int | bool | None = None
    calibration_days_overdue: float | None = None
    maintenance_days_overdue: float | None = None
    state: State = None
    calibration_due: AssetMoment = None
    maintenance_due: AssetMoment = None
    count_percentage: float | None = None

    @model_validator(mode="before")
    @classmethod
    def _status_in_any_form(cls, data: Any) -> Any:
        """Read the status as word or as number; nobody documented which it is."""
        if not isinstance(data, dict):
            return data
        name = next((name for name in data if str(name).lower() == "status"), "status")
        value = data.get(name)
        if isinstance(value, int) and 0 <= value < len(AssetStatusCode):
            return data | {name: list(AssetStatusCode)[value]}
        word = _STATUS_WORDS.get(str(value).replace(" ", "").lower())
        return data | {name: word} if word else data

    @property
    def is_registered(self) -> bool:
        """Whether the server knows the asset."""
        return self.status != AssetStatusCode.NOT_REGISTERED

    @property
    def in_warning(self) -> bool:
        """A limit is near, and none is passed."""
        return self.status == AssetStatusCode.WARNING

    @property
    def in_alarm(self) -> bool:
        """A limit is reached or passed."""
        return self.status == AssetStatusCode.ALARM

    def get(self, name: str, default: Any = None) -> Any:
        """The attribute of this name, else `default`."""
        return getattr(self, name, default)

    def __getitem__(self, name: str) -> Any:
        try:
            return getattr(self, name)
        except AttributeError:
            raise KeyError(name) from None


class AssetFile(TypedDict):
    """A file kept with an asset: its name, its size in bytes, and when it came, as far as the server says."""

    filename: str
    size: int | None
    uploaded: Any


def read_file_entry(entry: Any) -> AssetFile:
    """An entry of a list of files: the bare name, or an object whose member names vary."""
    if isinstance(entry, str):
        return {"filename": entry, "size": None, "uploaded": None}
    members = {str(name).lower(): value for name, value in dict(entry).items()}
    return {
        "filename": str(_first(members, "filename", "name")),
        "size": _first(members, "size", "length"),
        "uploaded": _first(members, "uploaded", "lastmodified", "created", "date"),
    }


def _first(members: dict[str, Any], *names: str) -> Any:
    return next((members[name] for name in names if members.get(name) is not None), None)


def _read_tags(xml: str) -> list[dict[str, Any]]:
    return [
        {"key": _ESCAPED.sub(lambda code: chr(int(code.group(1), 16)), name), "value": unescape(one or other)}
        for name, one, other in _TAG.findall(xml)
    ]


def merged_tags(known: Iterable[AssetTag], wanted: dict[str, str], *, replace: bool) -> list[AssetTag]:
    """The changes that make `known` into `wanted`; tags not named stay unless they are to be replaced."""
    values = {tag.key: tag.value for tag in known}
    changes = [
        AssetTag(key=key, value=value, change=TagChange.UPDATE if key in values else TagChange.ADD)
        for key, value in wanted.items()
    ]
    gone = [key for key in values if key not in wanted] if replace else []
    return [*changes, *(AssetTag(key=key, value=values[key], change=TagChange.DELETE) for key in gone)]
