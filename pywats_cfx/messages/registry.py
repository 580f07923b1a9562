"""Which model reads which message, and how a body is read into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from pywats_cfx.messages import materials, network, production, resource_performance
from pywats_cfx.messages.spelling import respell
from pywats_cfx.messages.wire import CFXMessage, may_be_misspelt

_MODULES: Final = (
    network,
    materials.storage,
    production,
    production.assembly,
    production.test_and_inspection,
    resource_performance,
)


def _messages() -> Iterable[type[CFXMessage]]:
    for module in _MODULES:
        for member in list(vars(module).values()):
            if isinstance(member, type) and issubclass(member, CFXMessage) and member is not CFXMessage:
                yield member


#: The model of each message, by full name (``CFX.Production.WorkStarted``).
MODELS: Final[Mapping[str, type[CFXMessage]]] = MappingProxyType(
    {each.CFX_NAME: each for each in _messages()}
)


@dataclass(frozen=True, slots=True)
class UnknownMessage:
    """A message that no model exists for.

    Attributes:
        name: its full name.
        body: its fields as they came.
    """

    name: str
    body: dict[str, Any]


class WrongType(ValueError):  # noqa: N818  # says what the value is
    """A field holds a value of a wholly different kind.

    Attributes:
        path: the field below the body, in wire names.
        reason: what was wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


def read_message(name: str, body: dict[str, Any]) -> CFXMessage | UnknownMessage:
    """Read a message body.

    Raises:
        WrongType: a field can't be read.
    """
    model = MODELS.get(name)
    if model is None:
        return UnknownMessage(name, body)
    unknown: list[str] = []
    try:
        message = model.model_validate(body, context=unknown, by_alias=True, by_name=False)
        if unknown and may_be_misspelt(unknown):
            body = respell(model, body)
            message = model.model_validate(body, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _explain(error, body) from error
    return message


def _explain(error: ValidationError, body: dict[str, Any]) -> WrongType:
    # The first is the choice that the field declares; what follows are the ways out that were tried as well.
    first = error.errors(include_url=False, include_context=False)[0]
    return WrongType(_wire_path(first["loc"], body), f"{first['msg']}, but is {_shown(first['input'])}")


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


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
