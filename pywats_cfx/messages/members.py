"""Enumerations of the standard: how their members are read, and the forms they are written in."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final, TypeAlias, TypeVar, get_args

from pydantic import GetCoreSchemaHandler as Handler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from pywats_cfx.messages.value_types import ValueType


class CFXEnum(StrEnum):
    """An enumeration of the standard. The values are what goes over the wire."""

    @classmethod
    def numbers(cls) -> Mapping[int, str]:
        """Give the name of the member that each number stands for; by default they count from 0."""
        return dict(enumerate(cls.__members__))

    @classmethod
    def earlier(cls) -> Mapping[str, str]:
        """Give the name of the member that each spelling of an earlier edition stands for."""
        return {}

    @classmethod
    def _missing_(cls, value: object) -> CFXEnum | None:
        text = _text_of(value)
        return None if text is None else _spellings(cls).get(text.lower())


class NumberEnum(CFXEnum):
    """An enumeration that travels as numbers; the values are the names nonetheless."""


class CodeEnum(CFXEnum):
    """An enumeration whose values are codes of digits, in quotes on the wire."""

    @classmethod
    def numbers(cls) -> Mapping[int, str]:
        """Give the name of the member that each code stands for."""
        return {int(member.value): name for name, member in cls.__members__.items()}


E = TypeVar("E", bound=CFXEnum)


@cache
def _spellings(enum: type[CFXEnum]) -> dict[str, CFXEnum]:
    members = enum.__members__
    by_number = {str(number): members[name] for number, name in enum.numbers().items()}
    by_name = {name.rstrip("_").lower(): member for name, member in members.items()}
    earlier = {spelling.lower(): members[name] for spelling, name in enum.earlier().items()}
    return by_number | earlier | by_name


def _text_of(value: object) -> str | None:
    """Give the text of what may stand for a member: a text, or a whole number; None for anything else."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _LARGEST:
        return None
    return str(value)


#: No number of a member needs more than 64 bits, and turning a huge one into text would be dear.
_LARGEST: Final = 2**64


class _Open(ValueType):
    def __get_pydantic_core_schema__(self, source: Any, handler: Handler) -> CoreSchema:
        enum = next(arg for arg in get_args(source) if isinstance(arg, type) and issubclass(arg, CFXEnum))
        choices: list[CoreSchema | tuple[CoreSchema, str]] = [
            handler.generate_schema(enum),
            core_schema.no_info_plain_validator_function(_foreign_member),
        ]
        return core_schema.nullable_schema(core_schema.union_schema(choices, mode="left_to_right"))


def _foreign_member(value: Any) -> str | None:
    text = _text_of(value)
    if text is None:
        raise PydanticCustomError("cfx_enum", "should be the name or number of an enumeration member")
    return text or None


#: A member of an enumeration, or the sender's own text where it is none of ours.
Open: TypeAlias = Annotated[E | str | None, _Open()]
