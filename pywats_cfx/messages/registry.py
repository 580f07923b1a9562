"""Which messages there are, which model reads which, and how a body is read into it.

Nothing here loads a model before one is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from pywats_cfx.messages.index import MESSAGES
from pywats_cfx.messages.lazy import load

if TYPE_CHECKING:
    from pywats_cfx.messages.structure import CFXMessage

#: Full names of all messages (``CFX.Production.WorkStarted``).
NAMES: Final[frozenset[str]] = frozenset(MESSAGES)

_RIGHT: Final = {name.lower(): name for name in MESSAGES}


def right_name(name: str) -> str | None:
    """Give the standard's spelling of a message name that came in whatever case; None for an unknown one."""
    return name if name in NAMES else _RIGHT.get(name.strip().lower())


class _Models(Mapping[str, "type[CFXMessage]"]):
    """The models by message name, each loaded when it is first asked for."""

    def __getitem__(self, name: str) -> type[CFXMessage]:
        if name not in MESSAGES:
            raise KeyError(name)
        model: type[CFXMessage] = load(name)
        return model

    def __contains__(self, name: object) -> bool:
        return name in NAMES

    def __iter__(self) -> Iterator[str]:
        return iter(MESSAGES)

    def __len__(self) -> int:
        return len(MESSAGES)


#: The model of each message, by full name.
MODELS: Final[Mapping[str, type[CFXMessage]]] = _Models()


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
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


def read_message(name: str, body: dict[str, Any]) -> CFXMessage | UnknownMessage:
    """Read a message body.

    Args:
        name: full name of the message, in any case.
        body: its fields, as JSON data; not changed.

    Raises:
        WrongType: a field can't be read.
    """
    known = right_name(name)
    if known is None:
        return UnknownMessage(name, body)
    message: CFXMessage = _reading().read(load(known), body)
    return message


def read_message_json(name: str, text: bytes) -> CFXMessage | UnknownMessage:
    """Read a message body out of JSON text: the same as ``read_message``, in three quarters of the time.

    Args:
        name: full name of the message, in any case.
        text: good JSON, an envelope with an object as its ``MessageBody``.

    Raises:
        WrongType: a field can't be read.
    """
    known = right_name(name)
    if known is None:
        return UnknownMessage(name, _reading().parsed(text))
    message: CFXMessage = _reading().read_json(load(known), text)
    return message


def _reading() -> Any:
    return import_module("pywats_cfx.messages.reading")
