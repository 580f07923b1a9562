"""What is wrong with a configuration, in words: where, why, and what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from handlers import Rules
from pywats_bridge.sections import BridgeSettings
from pywats_events.mapping.conversions import said

#: Secrets may stand in files of their own: this key in place of that one.
SECRET_FILES: Final = {
    "token_file": "token",
    "password_file": "password",
    "secret_file": "secret",
    "url_file": "url",
}


class ConfigurationError(Exception):
    """The configuration can't be used.

    Attributes:
        mistakes: one line each, with the key and the reason.
    """

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def lines_of(error: ValidationError, *, prefix: tuple[str, ...] = ()) -> Iterator[str]:
    """Give one line for each mistake: where, what is wrong, and what was meant where that can be guessed."""
    for fault in error.errors(include_url=False, include_context=True):
        location = (*prefix, *fault["loc"])
        key = key_at(location)
        match fault["type"]:
            case "missing":
                yield f"{key}: is missing{_how_to_give(key)}"
            case "extra_forbidden":
                yield f"{key}: no such key{meant(location)}"
            case "model_type" | "dict_type":
                yield f"{key}: should be a table"
            case "tuple_type" if _keys_at(location):
                yield f"{key}: should be a list of tables, [[{key}]]"
            case "tuple_type":
                yield f"{key}: should be a list"
            case "string_type":
                yield f"{key}: should be text, in quotes"
            case "string_pattern_mismatch" if key.startswith("handlers["):
                yield f"{key}: should look like package.module:Class"
            case _:
                yield f"{key}: {fault['msg'].removeprefix('Value error, ')}{_given(fault)}"


def _given(fault: ErrorDetails) -> str:
    """Say what stands where a number, a yes or no, or one of a few words should: there stands no secret."""
    is_plain = fault["type"].startswith(_PLAIN) and isinstance(fault["input"], str | int | float)
    return f", not {said(fault['input'])}" if is_plain else ""


#: Beginnings of the names of pydantic's mistakes that are made with such members.
_PLAIN: Final = (
    "int_",
    "float_",
    "bool_",
    "greater_than",
    "less_than",
    "finite_number",
    "literal_error",
    "enum",
)


def key_at(location: tuple[int | str, ...]) -> str:
    """Name a place as people write it: ``stations[2].process``; rules stand at the top of the file."""
    shown = location[1:] if location[:1] == ("rules",) and len(location) > 1 else location
    text = ""
    for part in shown:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "configuration"


def _how_to_give(key: str) -> str:
    match key:
        case "wats":
            return "; add [wats] with url and token"
        case "wats.token":
            return (
                "; set PYWATS_BRIDGE_WATS__TOKEN in the environment, or wats.token_file to the path of a file"
            )
    return ""


def meant(location: tuple[int | str, ...]) -> str:
    """Guess which key was meant, from the model that the mistake stands in."""
    keys = _keys_at(location[:-1])
    keys += [file for file, secret in SECRET_FILES.items() if secret in keys]
    close = difflib.get_close_matches(str(location[-1]), keys, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    model: Any = BridgeSettings
    for part in location:
        if isinstance(part, int):
            continue
        field = (
            model.model_fields.get(part) if isinstance(model, type) and issubclass(model, BaseModel) else None
        )
        model = _model_in(field.annotation) if field is not None else None
        if model is None:
            return []
    keys = list(model.model_fields)
    return keys if location else [*keys, *Rules.model_fields]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
