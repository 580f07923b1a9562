"""Reading untrusted JSON: how deep it is, what its texts hold, and the path to a fault."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NamedTuple, NoReturn

from pywats_api.wsjf.text import find_forbidden

MAX_DEPTH = 200
_CONTAINERS = frozenset({dict, list})
_TOO_DEEP = f"The body is nested {MAX_DEPTH} levels deep or more."
# What could stand for a character that find_forbidden() knows, escaped or plain.
_SUSPECT = re.compile(
    "[\x7f-\x9f\ufeff\ufffe\uffff]"
    r"|\\(?:[bf]|u(?:00[01]|007[fF]|00[89]|[dD][89a-fA-F]|[fF][eE][fF][fF]|[fF]{3}[eEfF]))"
)


class Refused(Exception):  # noqa: N818  # the sender's doing, not an error of the server
    """The server answers 400 with this reason."""


class _Place(NamedTuple):
    """Where a value stands. Whole paths are put together only when there is a fault to name."""

    key: str | int
    above: "_Place | None"

    @property
    def path(self) -> str:
        keys = [self.key]
        place = self.above
        while place is not None:
            keys.append(place.key)
            place = place.above
        return json_path(reversed(keys[:-1]))


def json_path(keys: Iterable[str | int]) -> str:
    """Keys as a path, such as ``$.root.steps[3].name``."""
    return "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:50]} is too large a number")
    return number


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)


def parse_json(body: bytes) -> Any:
    """The document in a request body, refused if it is none, goes too deep or holds impossible texts."""
    try:
        text = body.decode("utf-8-sig")
        document = _DECODER.decode(text)
    except RecursionError:
        raise Refused(_TOO_DEEP) from None
    except ValueError as error:  # covers bytes that are not UTF-8
        raise Refused(f"The body is not JSON: {error}.") from None
    if text.count("{") + text.count("[") >= MAX_DEPTH:
        _check_depth(document)
    # Looking at each text of each body would cost more than all else, and it is seldom needed.
    plain = text.isascii() and "\\" not in text and "\x7f" not in text
    if not plain and _SUSPECT.search(text):
        _check_texts(document)
    return document


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        containers = [value for value in level if type(value) in _CONTAINERS]
        if not containers:
            return
        level = []
        for value in containers:
            level.extend(value.values() if type(value) is dict else value)
    raise Refused(_TOO_DEEP)


def _check_texts(document: Any) -> None:
    waiting: list[tuple[Any, _Place]] = [(document, _Place("$", None))]
    while waiting:
        value, place = waiting.pop()
        if isinstance(value, str):
            found = find_forbidden(value)
            if found is not None:
                raise Refused(f"{place.path} holds the invalid character {found}.")
        elif isinstance(value, dict):
            if any(map(find_forbidden, value)):
                raise Refused(f"{place.path} has a member with an invalid character in its name.")
            waiting.extend((child, _Place(key, place)) for key, child in value.items())
        elif isinstance(value, list):
            waiting.extend((child, _Place(index, place)) for index, child in enumerate(value))
