"""The field types of CFX and the base class of its structures: how wire values are read.

The rules, in one place: field names are compared without regard to case; null, missing and empty list mean
the same; numbers may stand in quotes; a member of an enumeration may come as name, number or number in
quotes, and an unknown one is kept as text; unknown fields and unknown ``$type`` are kept. A value of a wholly
different kind (a text where a list must be) is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, ClassVar, Final, TypeAlias, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo
from pydantic import GetCoreSchemaHandler as Handler
from pydantic.alias_generators import to_pascal
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T")


class CFXEnum(StrEnum):
    """An enumeration of the standard. The values are what goes over the wire."""

    @classmethod
    def numbers(cls) -> Mapping[int, str]:
        """Give the name of the member that each number stands for; by default they count from 0."""
        return dict(enumerate(cls.__members__))

    @classmethod
    def _missing_(cls, value: object) -> CFXEnum | None:
        return _spellings(cls).get(str(value).strip().lower()) if _is_member_like(value) else None


E = TypeVar("E", bound=CFXEnum)


@cache
def _spellings(enum: type[CFXEnum]) -> dict[str, CFXEnum]:
    members = enum.__members__
    by_number = {str(number): members[name] for number, name in enum.numbers().items()}
    return by_number | {name.lower(): member for name, member in members.items()}


def _is_member_like(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


class _Open:
    def __get_pydantic_core_schema__(self, source: Any, handler: Handler) -> CoreSchema:
        enum = next(arg for arg in get_args(source) if isinstance(arg, type) and issubclass(arg, CFXEnum))
        choices: list[CoreSchema | tuple[CoreSchema, str]] = [
            handler.generate_schema(enum),
            core_schema.no_info_plain_validator_function(_foreign_member),
        ]
        return core_schema.nullable_schema(core_schema.union_schema(choices, mode="left_to_right"))


def _foreign_member(value: Any) -> str | None:
    if not _is_member_like(value):
        raise PydanticCustomError("cfx_enum", "should be the name or number of an enumeration member")
    return str(value).strip() or None


#: A member of an enumeration, or the sender's own text where it is none of ours.
Open: TypeAlias = Annotated[E | str | None, _Open()]


class _Many:
    def __get_pydantic_core_schema__(self, source: Any, handler: Handler) -> CoreSchema:
        items = handler(source)
        choices: list[CoreSchema | tuple[CoreSchema, str]] = [
            items,
            core_schema.no_info_before_validator_function(_unwrap_list, items),
        ]
        return core_schema.union_schema(choices, mode="left_to_right")


def _unwrap_list(value: Any) -> Any:
    if value is None:
        return []
    if isinstance(value, dict) and isinstance(value.get("$values"), list):
        return value["$values"]
    # The plain list was tried before and has told what is wrong; it need not say so twice.
    raise PydanticCustomError("cfx_list", "should be a list")


#: A list; null is an empty one, and so is a list that a writer of type labels has wrapped up.
Many: TypeAlias = Annotated[list[T], _Many()]


class _Moment:
    def __get_pydantic_core_schema__(self, _source: Any, _handler: Handler) -> CoreSchema:
        text = core_schema.chain_schema(
            [
                # Without the pattern a bare number would be taken as seconds since 1970.
                core_schema.str_schema(strict=True, pattern=r"^\s*\d{4}-\d\d-\d\d"),
                core_schema.datetime_schema(),
            ]
        )
        choices: list[CoreSchema | tuple[CoreSchema, str]] = [text, core_schema.datetime_schema(strict=True)]
        either = core_schema.union_schema(choices, mode="left_to_right")
        return core_schema.nullable_schema(core_schema.no_info_after_validator_function(known_moment, either))


_UNSET_YEARS: Final = (1, 9999)


def known_moment(value: datetime) -> datetime | None:
    """Give a time with its zone, which is UTC where none is said; the unset ones are None.

    Unset is the first moment that the standard's writers know, and some senders use the last.
    """
    if value.year in _UNSET_YEARS:
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


#: A time. One without zone is read as UTC; the unset ones (0001-01-01, 9999-12-31) are None.
Moment: TypeAlias = Annotated[datetime | None, _Moment()]

_SPAN: Final = re.compile(r"\s*(-)?(?:(\d{1,8})\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7})\d*)?)?\s*")


def _read_span(value: Any) -> Any:
    if value is None or isinstance(value, timedelta):
        return value
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("cfx_span", "should be a time span such as 00:01:25 or 1.02:03:04.5")
    sign, days, hours, minutes, seconds, fraction = match.groups()
    span = timedelta(
        days=int(days or 0),
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds or 0),
        microseconds=int((fraction or "0").ljust(7, "0")) // 10,
    )
    return -span if sign else span


#: A time span, ``[-][d.]hh:mm:ss[.fffffff]`` on the wire.
Span: TypeAlias = Annotated[timedelta | None, BeforeValidator(_read_span)]


#: Names of all fields of all structures, in lower case.
_ALL_NAMES: Final[set[str]] = set()


def may_be_misspelt(names: Iterable[str]) -> bool:
    """True when one of the names, which no structure took, could be one of ours in another case."""
    return any(name.lower() in _ALL_NAMES for name in set(names))


def _note_extra_field(name: str, info: ValidationInfo) -> str:
    """Note each field that a structure does not know by its exact name in the context, if that is a list.

    Exact names are by far the usual case and cost nothing here. Only where one was left over does the reader
    go over the message again and compare without regard to case.
    """
    if info.context is not None:
        info.context.append(name)
    return name


def wire_name(attribute: str) -> str:
    """Give the name on the wire that an attribute has unless it says another."""
    return to_pascal(attribute)


class CFXStructure(BaseModel):
    """Base of all structures and messages. Fields that it does not know are kept as they are.

    Attributes:
        type_name: the ``$type`` that stood there, whole; None when there was none.
    """

    model_config = ConfigDict(
        alias_generator=wire_name,
        coerce_numbers_to_str=True,
        defer_build=True,
        extra="allow",
        protected_namespaces=(),
        validate_by_alias=True,
        validate_by_name=True,
    )
    __pydantic_extra__: dict[Annotated[str, AfterValidator(_note_extra_field)], Any] = Field(init=False)

    #: Name of this class in the standard.
    CFX_NAME: ClassVar[str] = ""
    #: True when the standard's writers label objects of this class with ``$type``.
    LABELLED: ClassVar[bool] = False

    type_name: str | None = Field(default=None, alias="$type")

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        _ALL_NAMES.update(name.lower() for name in wire_names(cls).values())


def wire_names(structure: type[CFXStructure]) -> dict[str, str]:
    """Give the name on the wire of each attribute of a structure."""
    return {name: field.alias or wire_name(name) for name, field in structure.model_fields.items()}


class CFXMessage(CFXStructure):
    """Base of all messages; ``CFX_NAME`` is the ``MessageName`` of their envelope."""

    LABELLED = True


S = TypeVar("S", bound=CFXStructure)


def short_type(label: object) -> str | None:
    """Give the class name of a ``$type``, without the assembly that follows the comma."""
    return label.partition(",")[0].strip() if isinstance(label, str) else None


class Descendants:
    """Reads an object of a class or of one that descends from it, by ``$type`` or else by its shape.

    Args:
        classes: the descendants. An object of none of them is read as the base class and keeps its fields.
        guess: tells the class from the field names (in lower case) and the object, where ``$type`` is absent.
    """

    def __init__(
        self,
        *classes: type[CFXStructure],
        guess: Callable[[set[str], Mapping[str, Any]], type[CFXStructure] | None] | None = None,
    ) -> None:
        self._classes = classes
        self._guess = guess
        self._by_label: dict[Any, type[CFXStructure] | None] = {each.CFX_NAME: each for each in classes}

    def pick(self, value: Mapping[str, Any]) -> type[CFXStructure] | None:
        """Give the class for an object; None for the base class."""
        label = value.get("$type")
        if isinstance(label, str):
            return self._by_label.get(label) or self._by_label.get(short_type(label))
        if self._guess is None:
            return None
        return self._guess({name.lower() for name in value}, value)

    def __get_pydantic_core_schema__(self, source: Any, handler: Handler) -> CoreSchema:
        def tag(value: Any) -> str:
            if isinstance(value, dict):
                picked = self.pick(value)
                return "" if picked is None else picked.__name__
            return type(value).__name__ if type(value) in self._classes else ""

        choices: dict[Any, CoreSchema] = {
            each.__name__: handler.generate_schema(each) for each in self._classes
        }
        choices[""] = handler(source)
        return core_schema.tagged_union_schema(choices, discriminator=tag)
