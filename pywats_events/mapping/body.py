"""JSON bodies, read strictly: what could mean two things, or costs too much, is refused with its reason."""

from __future__ import annotations

import json
import math
import re
import zlib
from itertools import accumulate
from typing import Any, Final

#: Bytes of one message, unpacked.
MOST_BYTES: Final = 4_000_000
#: Objects and lists within each other.
MOST_LEVELS: Final = 64
#: Numbers, texts, lists and objects.
MOST_VALUES: Final = 100_000
_MOST_DIGITS: Final = 300
_GZIP: Final = 31  # zlib: the largest window, in a gzip frame


class BodyError(ValueError):
    """A body is not the JSON that is expected; the text says what is wrong."""


def read_json(body: bytes, encoding: str | None = None) -> Any:
    """Read a JSON document in UTF-8, packed by gzip or not.

    Raises:
        BodyError: it is none, or one that is too large, too deep or ambiguous.
    """
    body = _unpacked(body, encoding)
    if len(body) > MOST_BYTES:
        raise BodyError(f"{len(body)} bytes; at most {MOST_BYTES} are read")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BodyError(f"not UTF-8: byte {error.start} is 0x{body[error.start]:02x}") from None
    if not text.strip():
        raise BodyError("empty; a JSON document is expected")
    _check_size(body)
    try:
        return _decoder.decode(text)
    except json.JSONDecodeError as error:
        raise BodyError(
            f"not JSON: {error.msg}, at line {error.lineno}, column {error.colno}, "
            f"near {_near(text, error.pos)}"
        ) from None
    except RecursionError:
        raise BodyError(f"nested more than {MOST_LEVELS} levels deep") from None


def _unpacked(body: bytes, encoding: str | None) -> bytes:
    if encoding is None or encoding.strip().lower() in {"", "identity"}:
        return body
    if encoding.strip().lower() not in {"gzip", "x-gzip"}:
        raise BodyError(f'content encoding "{encoding[:40]}" is not known: send it plain or in gzip')
    gunzip = zlib.decompressobj(_GZIP)
    try:
        unpacked = gunzip.decompress(body, MOST_BYTES + 1)
    except zlib.error as error:
        raise BodyError(f"damaged gzip: {error}") from None
    if len(unpacked) > MOST_BYTES:
        raise BodyError(f"more than {MOST_BYTES} bytes when unpacked")
    if not gunzip.eof or gunzip.unused_data.strip(b"\0"):
        raise BodyError("damaged gzip: cut off, or followed by something else")
    return unpacked


def _check_size(body: bytes) -> None:
    """Refuse what would take long to read: counted in all its bytes first, then outside of texts."""
    openings = body.count(b"[") + body.count(b"{")
    if openings <= MOST_LEVELS and body.count(b",") <= MOST_VALUES - openings:
        return
    outside = _TEXT.sub(b"", body)
    if outside.count(b",") + outside.count(b"[") + outside.count(b"{") > MOST_VALUES:
        raise BodyError(f"holds more than {MOST_VALUES} values")
    if _levels(outside) > MOST_LEVELS:
        raise BodyError(f"nested more than {MOST_LEVELS} levels deep")


def _levels(outside: bytes) -> int:
    """Count how deep objects and lists nest in what is left without its texts."""
    return max(accumulate(map(_STEPS.__getitem__, outside.translate(None, _NO_BRACKETS))), default=0)


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
