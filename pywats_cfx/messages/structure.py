"""The base classes of structures and messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo
from pydantic.alias_generators import to_pascal

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
        coerce_numbers_to_str=False,
        defer_build=True,
        extra="allow",
        protected_namespaces=(),
        validate_by_alias=True,
        validate_by_name=True,
    )
    __pydantic_extra__: dict[Annotated[str, AfterValidator(_note_extra_field)], Any] = Field(init=False)

    #: Name of this class in the standard.
    CFX_NAME: ClassVar[str] = ""
    #: True for the descendants of other structures, which the standard's writers label with ``$type`` where
    #: the field they stand in allows any of their family.
    LABELLED: ClassVar[bool] = False
    #: True when the standard's writers leave out what is null.
    SPARSE: ClassVar[bool] = False

    type_name: str | None = Field(default=None, alias="$type")

    def __eq__(self, other: object) -> bool:
        """Compare what is said. A ``$type`` that only repeats the class says nothing."""
        if not isinstance(other, CFXStructure) or type(self) is not type(other):
            return NotImplemented
        return self._said() == other._said()

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def _said(self) -> tuple[dict[str, Any], dict[str, Any]]:
        label = None if short_type(self.type_name) == self.CFX_NAME else self.type_name
        return {**self.__dict__, "type_name": label}, self.__pydantic_extra__ or {}

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        _ALL_NAMES.update(name.lower() for name in wire_names(cls).values())


def wire_names(structure: type[CFXStructure]) -> dict[str, str]:
    """Give the name on the wire of each attribute of a structure."""
    return {name: field.alias or wire_name(name) for name, field in structure.model_fields.items()}


class CFXMessage(CFXStructure):
    """Base of all messages; ``CFX_NAME`` is the ``MessageName`` of their envelope."""

    LABELLED = True


def short_type(label: object) -> str | None:
    """Give the class name of a ``$type``, without the assembly that follows the comma."""
    return label.partition(",")[0].strip() if isinstance(label, str) else None
