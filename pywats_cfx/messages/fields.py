"""What a field of the standard can be beside a plain value: list, guid, count, label, default."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Final, TypeAlias, TypeVar, get_args

from pydantic import GetCoreSchemaHandler as Handler
from pydantic import ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from pywats_cfx.messages.value_types import ValueType

T = TypeVar("T")


class _Many:
    def __get_pydantic_core_schema__(self, source: Any, handler: Handler) -> CoreSchema:
        # One wrong entry is enough to refuse a list, however long it is.
        items = core_schema.list_schema(handler.generate_schema(get_args(source)[0]), fail_fast=True)
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


#: An unset guid, which the standard writes out.
ZERO_GUID: Final = "00000000-0000-0000-0000-000000000000"


class _Guid(ValueType):
    unset = ZERO_GUID

    def __get_pydantic_core_schema__(self, _source: Any, handler: Handler) -> CoreSchema:
        text = handler.generate_schema(str)
        return core_schema.nullable_schema(core_schema.no_info_after_validator_function(_known_guid, text))


def _known_guid(value: str) -> str | None:
    return None if value in ("", ZERO_GUID) else value


#: A guid as its text, whatever its sender wrote there; the unset one (all zeros) is None.
Guid: TypeAlias = Annotated[str | None, _Guid()]


#: A number, a truth value or a vector. It is left out on writing where nobody said it, because null is not
#: legal there; the standard's writers put a default in its place, which can't be told from a real value.
Said: TypeAlias = Annotated[T | None, ValueType()]


class Default:
    """Marks a truth value that the standard's writers leave out where it has its usual value.

    Args:
        usual: that value; missing and null mean it.
    """

    def __init__(self, *, usual: bool) -> None:
        self.usual = usual

    def __get_pydantic_core_schema__(self, source: Any, handler: Handler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._or_usual, handler(source))

    def _or_usual(self, value: Any) -> Any:
        return self.usual if value is None else value


#: False unless the sender says otherwise.
Unusual: TypeAlias = Annotated[bool, Default(usual=False)]
#: True unless the sender says otherwise.
Usual: TypeAlias = Annotated[bool, Default(usual=True)]


class CountOf:
    """Marks the number of entries of a list: worked out on reading and writing, whatever the sender says.

    Args:
        attribute: the list.
    """

    def __init__(self, attribute: str) -> None:
        self.attribute = attribute

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Handler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._count)

    def _count(self, _said: Any, info: ValidationInfo) -> int:
        return len(info.data.get(self.attribute) or ())


class Labels(Enum):
    """When the object in a field gets a ``$type``, should it be of another class than the field declares."""

    ALWAYS = "always"
    NEVER = "never"
    BY_HOLDER = "by holder"


#: A field whose objects the standard's writers never label.
Unlabelled: TypeAlias = Annotated[T, Labels.NEVER]
#: A field whose object is labelled only where the one that holds it stands in a labelled field of its own.
LabelledByHolder: TypeAlias = Annotated[T, Labels.BY_HOLDER]


class Replaced:
    """Marks a field of older senders that is read, moved to the field that took its place, never written."""


#: A field of older senders.
Older: TypeAlias = Annotated[T | None, Replaced()]
