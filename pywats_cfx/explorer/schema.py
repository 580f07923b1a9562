"""``--schema``: a message's body as JSON Schema, made from its model."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final, cast

from pywats_cfx.messages.declared import Declared, declared
from pywats_cfx.messages.fields import ZERO_GUID
from pywats_cfx.messages.index import STRUCTURES
from pywats_cfx.messages.lazy import class_name, load
from pywats_cfx.messages.members import CFXEnum, CodeEnum, NumberEnum
from pywats_cfx.messages.structure import CFXStructure

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ROOT: Final = "pywats_cfx.messages."
_TOLERATED: Final = (
    "Every field may be missing or null. Fields that the standard does not know are allowed, and so are the "
    "spellings in which senders stray from it and which are read all the same: numbers, truth values and "
    "codes in quotes, blank texts for nothing said, numbers in the place of texts, members of enumerations "
    "by number or in a later edition's words, times without a zone. Names are compared without regard to "
    "case when they are read, and lists may be wrapped up in $values; this schema has the standard's form of "
    "both only. What of a message is not as the standard has it, the explorer's --validate tells."
)


def schema_of(name: str) -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of a message's body.

    It allows what is read. How the standard's own endpoints write each field stands first in it.

    Args:
        name: full name of the message.
    """
    drawer = _Drawer()
    root = drawer.structure(load(name))
    definitions = drawer.definitions()
    return {"$schema": _DIALECT, "title": name, **root, "$comment": _TOLERATED, "$defs": definitions}


class _Drawer:
    """Draws structures, and notes those that they refer to until all are drawn."""

    def __init__(self) -> None:
        self._wanted: dict[str, Callable[[], dict[str, Any]]] = {}

    def definitions(self) -> dict[str, Any]:
        """Draw all that was referred to."""
        drawn: dict[str, Any] = {}
        while missing := [name for name in self._wanted if name not in drawn]:
            drawn.update((name, self._wanted[name]()) for name in missing)
        return dict(sorted(drawn.items()))

    def structure(self, structure: type[CFXStructure]) -> dict[str, Any]:
        """Draw a structure."""
        fields = [field for field in declared(structure) if field.name != "$values"]
        label = {
            "type": ["string", "null"],
            "description": f'class of this object: "{structure.CFX_NAME}, CFX"',
        }
        return {
            "description": _summary(structure),
            "type": "object",
            "properties": {"$type": label} | {field.name: self._field(structure, field) for field in fields},
        }

    def _field(self, structure: type[CFXStructure], field: Declared) -> dict[str, Any]:
        drawn: dict[str, Any] = {}
        if (said := described(structure).get(field.attribute)) is not None:
            drawn["description"] = said
        if field.replaced:
            drawn["deprecated"] = True
        if field.usual is not None:
            drawn["default"] = field.usual
        return drawn | self._value(field)

    def _value(self, field: Declared) -> dict[str, Any]:
        if field.mapping:
            return {"type": ["object", "null"], "additionalProperties": self._one(field)}
        if not field.many:
            return self._one(field)
        return {"type": ["array", "null"], "items": self._one(field)}

    def _one(self, field: Declared) -> dict[str, Any]:
        kind = field.kind
        if issubclass(kind, CFXStructure):
            return {"anyOf": [self._object(kind, field), {"type": "null"}]}
        if issubclass(kind, CFXEnum):
            name = _enumerations()[kind.__module__.removeprefix(_ROOT), kind.__name__]
            self._wanted[name] = lambda: _enumeration(kind)
            return _reference(name)
        name, drawn = _GUID if kind is str and field.unset == ZERO_GUID else _PLAIN[kind]
        self._wanted[name] = lambda: drawn
        return _reference(name)

    def _object(self, kind: type[CFXStructure], field: Declared) -> dict[str, Any]:
        self._want(kind)
        family = field.family
        if family is None:
            return _reference(kind.CFX_NAME)
        key = f"any-{kind.CFX_NAME}"
        if key not in self._wanted:
            names: tuple[str, ...] = getattr(family, "names", ())
            members = [cast("type[CFXStructure]", load(name)) for name in names]
            for member in members:
                self._want(member)
            has_lists = family.has_lists
            self._wanted[key] = lambda: _choice(kind, members, has_lists=has_lists)
        return _reference(key)

    def _want(self, structure: type[CFXStructure]) -> None:
        self._wanted.setdefault(structure.CFX_NAME, lambda: self.structure(structure))


def _choice(
    kind: type[CFXStructure], members: list[type[CFXStructure]], *, has_lists: bool
) -> dict[str, Any]:
    """Draw an object of a class or of a descendant of it: ``$type`` decides."""
    choice: dict[str, Any] = {
        "description": f"{_summary(kind)} $type says which class of the family it is.",
        "type": ["object", "array"] if has_lists else "object",
        "examples": [{"$type": f"{member.CFX_NAME}, CFX"} for member in members],
        "allOf": [
            {
                "if": {
                    "required": ["$type"],
                    "properties": {"$type": {"pattern": f"^{re.escape(member.CFX_NAME)}\\s*(,|$)"}},
                },
                "then": _reference(member.CFX_NAME),
            }
            for member in members
        ],
        "anyOf": [_reference(kind.CFX_NAME), *([{"type": "array"}] if has_lists else [])],
    }
    return choice


def _enumeration(enum: type[CFXEnum]) -> dict[str, Any]:
    summary = _summary(enum)
    numbers = enum.numbers()
    told = described(enum)
    if issubclass(enum, NumberEnum):
        written: list[Any] = list(numbers)
        meaning = {str(number): name for number, name in numbers.items()}
    else:
        written = [member.value for member in enum]
        meaning = {member.value: name for name, member in enum.__members__.items() if member.value != name}
    about = [
        ": ".join(part for part in (str(value), meaning.get(str(value)), said) if part)
        for value in written
        if (said := told.get(_member(enum, value))) or str(value) in meaning
    ]
    others: dict[str, Any] = {
        "type": ["string", "integer"],
        "description": "another spelling, or a member that is not known: read and kept as text",
    }
    if issubclass(enum, CodeEnum):
        others["description"] += "; older senders write bare numbers"
    return {
        "description": " ".join([summary, *(f"{each};" for each in about)]).removesuffix(";"),
        "anyOf": [{"enum": written}, others, {"type": "null"}],
    }


def _member(enum: type[CFXEnum], value: Any) -> str:
    return enum.numbers()[value] if isinstance(value, int) else enum(value).name


def _form(about: str, kind: str, pattern: str, *others: dict[str, Any]) -> dict[str, Any]:
    """Draw a plain value: as it should be, in quotes, or blank for nothing said."""
    quoted = {"type": "string", "pattern": rf"^\s*({pattern})?\s*$"}
    usual = [] if kind == "string" else [{"type": kind}]
    return {"description": about, "anyOf": [*usual, quoted, *others, {"type": "null"}]}


_FRACTION: Final = r"[+-]?(\d+\.?\d*|\.\d+)([Ee][+-]?\d+)?"
_DAY: Final = r"\d{4}-\d\d-\d\d"
_CLOCK: Final = r"\d\d:\d\d(:\d\d(\.\d+)?)?"
_TEXT: Final[dict[str, Any]] = {
    "description": "a text",
    "anyOf": [{"type": ["string", "null", "number", "boolean"]}, {"type": "object", "maxProperties": 0}],
}
_GUID: Final[tuple[str, dict[str, Any]]] = (
    "guid",
    {
        "description": "097508d3-08b3-4781-817a-2c491e39ab7a for instance; all zeros: unset",
        "type": ["string", "null", "number"],
        "format": "uuid",
    },
)
#: Plain values by their class: what they are called, and what they look like.
_PLAIN: Final[Mapping[type, tuple[str, dict[str, Any]]]] = {
    str: ("text", _TEXT),
    int: ("whole-number", _form("a whole number", "integer", r"[+-]?\d+(\.0+)?", {"type": "boolean"})),
    float: (
        "number",
        _form("a number; NaN and infinities are texts", "number", rf"{_FRACTION}|NaN|-?Infinity"),
    ),
    Decimal: ("decimal", _form("a number of which every digit counts", "number", _FRACTION)),
    bool: (
        "truth-value",
        _form("true or false", "boolean", r"[Tt]rue|[Ff]alse|TRUE|FALSE|[01]", {"enum": [0, 1]}),
    ),
    datetime: (
        "time",
        _form(
            "ISO 8601 with up to seven digits behind the second; 0001-01-01T00:00:00: unset",
            "string",
            rf"{_DAY}([Tt ]{_CLOCK}\s*([Zz]|[+-]\d\d:?\d\d)?)?",
        ),
    ),
    timedelta: (
        "time-span",
        _form("[-][days.]hh:mm:ss[.fffffff]", "string", r"-?(\d{1,8}\.)?\d{1,2}:\d{1,2}(:\d{1,2}(\.\d+)?)?"),
    ),
}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


@cache
def _enumerations() -> Mapping[tuple[str, str], str]:
    """Give the standard's name of each class by its module and its name here."""
    return {(module, class_name(name)): name for name, module in STRUCTURES.items()}


def _summary(cls: type) -> str:
    return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]


@cache
def described(cls: type) -> Mapping[str, str]:
    """Give what the docstrings of a class and its bases say of each attribute or member."""
    told: dict[str, str] = {}
    for owner in reversed(cls.__mro__):
        told |= _attributes(inspect.cleandoc(owner.__doc__ or ""))
    return told


def _attributes(doc: str) -> dict[str, str]:
    _, _, section = doc.partition("Attributes:\n")
    told: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if match := re.match(r" {4}(\w+): (.+)", line):
            name = match[1]
            told[name] = match[2]
        elif line.startswith("     ") and name:
            told[name] += f" {line.strip()}"
        else:
            name = ""
    return told
