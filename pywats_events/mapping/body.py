"""JSON bodies, read strictly: what could mean two things, or costs too much, is refused with its reason."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, Final

from pywats_events.compression import GZIP_MAGIC, TooLarge, gunzip

_MOST_DIGITS: Final = 300
#: Names of the content encoding that is read.
GZIP: Final = ("gzip", "x-gzip")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is read of one message.

    Attributes:
        bytes: its size, as it came and unpacked.
        levels: objects and lists within each other.
        values: numbers, texts, lists and objects.
    """

    bytes: int = 4 * 1024 * 1024
    levels: int = 64
    values: int = 100_000


#: What is read where nobody says something else.
USUAL: Final = Limits()


class BodyError(ValueError):
    """A body is not the JSON that is expected; the text says what is wrong."""


class BodyTooLarge(BodyError):  # noqa: N818  # says what the content is
    """It has more bytes than are read; it was not unpacked further."""


def read_json(body: bytes, encoding: str | None = None, limits: Limits = USUAL) -> Any:
    """Read a JSON document in UTF-8, packed by gzip or not.

    Raises:
        BodyError: it is none, or one that is too large, too deep or ambiguous.
    """
    body = unpacked(body, encoding, limits)
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BodyError(f"not UTF-8: byte {error.start} is 0x{body[error.start]:02x}") from None
    if not text.strip():
        raise BodyError("empty; a JSON document is expected")
    check_size(body, limits)
    try:
        return _decoder.decode(text)
    except json.JSONDecodeError as error:
        raise BodyError(
            f"not JSON: {error.msg}, at line {error.lineno}, column {error.colno}, "
            f"near {_near(text, error.pos)}"
        ) from None
    except RecursionError:
        raise BodyError(f"nested more than {limits.levels} levels deep") from None


def unpacked(body: bytes, encoding: str | None, limits: Limits = USUAL) -> bytes:
    """Give a body without its gzip. It shows by itself: MQTT has no place where senders could name it.

    Raises:
        BodyTooLarge: it has too many bytes, packed or not.
        BodyError: it is damaged, or packed in another way.
    """
    named = (encoding or "").strip().lower()
    if named not in {"", "identity", *GZIP}:
        raise BodyError(f'content encoding "{named[:40]}" is not known: send it plain or in gzip')
    if len(body) > limits.bytes:
        raise BodyTooLarge(f"{len(body)} bytes; at most {limits.bytes} are read")
    if named not in GZIP and not body.startswith(GZIP_MAGIC):
        return body
    try:
        return gunzip(body, max_bytes=limits.bytes)
    except TooLarge as error:
        raise BodyTooLarge(str(error)) from None
    except ValueError as error:
        raise BodyError(str(error)) from None


def check_size(body: bytes, limits: Limits = USUAL) -> None:
    """Refuse what would take long to read: counted in all its bytes first, then outside of texts.

    Raises:
        BodyError: it holds too much, or is too deep.
    """
    openings = body.count(b"[") + body.count(b"{")
    if openings <= limits.levels and body.count(b",") <= limits.values - openings:
        return
    outside = _TEXT.sub(b"", body)
    if outside.count(b",") + outside.count(b"[") + outside.count(b"{") > limits.values:
        raise BodyError(f"holds more than {limits.values} values")
    if _levels(outside, 2 * limits.values) > limits.levels:
        raise BodyError(f"nested more than {limits.levels} levels deep")


def _levels(outside: bytes, most: int) -> int:
    """Count how deep objects and lists nest in what is left without its texts, by its first brackets.

    JSON has no more of them than twice its objects and lists; who writes more has written none.
    """
    brackets = outside.translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, islice(brackets, most))), default=0)


_TEXT: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS: Final = bytes(each for each in range(256) if each not in _STEPS)


def _near(text: str, place: int) -> str:
    return json.dumps(text[max(place - 10, 0) : place + 10])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                shown = json.dumps(name[:60])
                raise BodyError(f"{shown} stands twice in one object, so it is not clear which one is meant")
            seen.add(name)
    return made


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise BodyError(f"holds a number of {len(digits)} digits")
    return int(digits)


def _broken(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise BodyError(f"holds the number {digits[:40]}, which is too large")
    return number


def _no_number(name: str) -> Any:
    raise BodyError(f'not JSON: it has no {name}; send null, or the text "{name}"')


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole, parse_float=_broken, parse_constant=_no_number
)
