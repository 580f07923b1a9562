"""How a message body is read into its model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import SchemaValidator, core_schema, from_json

from pywats_cfx.messages.mending import mended
from pywats_cfx.messages.registry import WrongType
from pywats_cfx.messages.structure import CFXMessage, may_be_misspelt


def read(model: type[CFXMessage], body: dict[str, Any]) -> CFXMessage:
    """Read a body.

    Bodies as the standard's own writers write them are read at once. One that has left-over fields which
    may be ours in another spelling, or values that don't fit, is mended and read again.

    Raises:
        WrongType: a field can't be read.
    """
    unknown: list[str] = []
    try:
        message = model.model_validate(body, context=unknown, by_alias=True, by_name=False)
        if not (unknown and may_be_misspelt(unknown)):
            return message
    except ValidationError:
        pass  # what is wrong may be mended; what is not is told below
    except ValueError as error:  # a number with more digits than Python turns into a text
        raise WrongType("", f"can't be read: {error}") from error
    return _read_mended(model, body)


def read_json(model: type[CFXMessage], text: bytes) -> CFXMessage:
    """Read a body out of the text of its envelope, without making a dictionary of it first.

    Raises:
        WrongType: a field can't be read.
    """
    unknown: list[str] = []
    try:
        message: CFXMessage = _within(model).validate_json(
            text, context=unknown, by_alias=True, by_name=False
        )["MessageBody"]
        if not (unknown and may_be_misspelt(unknown)):
            return message
    except ValidationError:
        pass  # as above
    return _read_mended(model, parsed(text))


def parsed(text: bytes) -> Any:
    """Give the JSON data of the body in an envelope's text."""
    return from_json(text, cache_strings="keys")["MessageBody"]


@cache
def _within(model: type[CFXMessage]) -> SchemaValidator:
    """Give the validator of an envelope of which only the body matters."""
    model.model_rebuild()
    body = core_schema.typed_dict_field(model.__pydantic_core_schema__)
    return SchemaValidator(core_schema.typed_dict_schema({"MessageBody": body}, extra_behavior="ignore"))


def _read_mended(model: type[CFXMessage], body: dict[str, Any]) -> CFXMessage:
    body = mended(model, body)
    try:
        return model.model_validate(body, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _explain(error, body) from error


def _explain(error: ValidationError, body: dict[str, Any]) -> WrongType:
    # The first is the choice that the field declares; what follows are the ways out that were tried as well.
    # That an object has no label is no error either.
    errors = error.errors(include_url=False, include_context=False)
    first = next((each for each in errors if not each["type"].startswith("union_tag")), errors[0])
    # pydantic would name all members of an enumeration.
    member = first["type"] == "enum"
    wanted = "should be the name or number of an enumeration member" if member else first["msg"]
    return WrongType(_wire_path(first["loc"], body), f"{wanted}, but is {_shown(first['input'])}")


def _wire_path(location: Sequence[int | str], value: Any) -> str:
    """Give the path of an error, without the parts that name a choice of the model rather than a field."""
    path = ""
    for part in location:
        if isinstance(value, dict) and part in value:
            value = value[part]
            path += f".{part}" if path else str(part)
        elif isinstance(part, int) and isinstance(value, dict) and isinstance(value.get("$values"), list):
            value = value["$values"][part]
            path += f"[{part}]"
        elif isinstance(part, int) and isinstance(value, list) and part < len(value):
            value = value[part]
            path += f"[{part}]"
    return path


_SHOWN: Final = 60
_PRINTABLE: Final = 10**_SHOWN


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and abs(value) > _PRINTABLE:
        return "a huge number"
    shown = repr(value[: _SHOWN + 1] if isinstance(value, str) else value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
