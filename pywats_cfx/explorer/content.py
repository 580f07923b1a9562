"""What the explorer reads: a sample, a file, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic_core import from_json, to_json

import samples
from pywats_cfx.explorer.refusal import USAGE, RefusedError
from pywats_cfx.limits import DEFAULT_LIMITS
from pywats_events.compression import GZIP_MAGIC, gunzip

STDIN: Final = "-"
_BOM: Final = b"\xef\xbb\xbf"
_MOST_BYTES: Final = DEFAULT_LIMITS.max_bytes


@dataclass(frozen=True, slots=True)
class Content:
    """What was read.

    Attributes:
        name: what it is called.
        body: its bytes, as a broker's message would have them.
    """

    name: str
    body: bytes


def load(name_or_file: str, message: str | None = None) -> Content:
    """Read a sample, a file, or standard input (``-``).

    Args:
        name_or_file: which.
        message: full name of a message, for a file that holds the body of one alone.

    Raises:
        RefusedError: there is no such sample or file, or it can't be read.
    """
    if name_or_file in samples.names():
        return Content(name_or_file, samples.load(name_or_file))
    body = _stdin() if name_or_file == STDIN else _file(name_or_file)
    return Content(
        "standard input" if name_or_file == STDIN else name_or_file,
        body if message is None else in_envelope(body, message),
    )


def files_of(names: list[str]) -> Iterator[str]:
    """Give the files of a list of names, with those in a folder (``.json`` and ``.gz``) in their order.

    Raises:
        RefusedError: a folder can't be read, or holds none.
    """
    for name in names:
        if name in samples.names() or name == STDIN or not Path(name).is_dir():
            yield name
            continue
        try:
            found = sorted(path for path in Path(name).rglob("*") if path.suffix.lower() in (".json", ".gz"))
        except OSError as error:
            raise RefusedError(f"{name}: {error.strerror}") from error
        if not found:
            raise RefusedError(f"{name}: no .json or .gz file is in this folder")
        yield from map(str, found)


def in_envelope(body: bytes, message: str) -> bytes:
    """Put the body of a message into an envelope that says nothing but its name.

    What can't be JSON is given back as it is: whoever reads it tells what is wrong.
    """
    try:
        text = unpacked(body)
        return to_json({"MessageName": message, "MessageBody": from_json(text)}, inf_nan_mode="strings")
    except ValueError:
        return body


def unpacked(body: bytes) -> bytes:
    """Give the text of a body, which may be packed.

    Raises:
        ValueError: it is no good gzip, or too large.
    """
    text = gunzip(body, max_bytes=_MOST_BYTES) if body.startswith(GZIP_MAGIC) else body
    return text.removeprefix(_BOM)


def _stdin() -> bytes:
    return _bounded(sys.stdin.buffer.read(_MOST_BYTES + 1), "standard input")


def _file(name: str) -> bytes:
    path = Path(name)
    try:
        with path.open("rb") as file:
            return _bounded(file.read(_MOST_BYTES + 1), name)
    except FileNotFoundError:
        known = ", ".join(samples.names())
        raise RefusedError(f'"{name}" is neither a file nor a sample; samples: {known}', USAGE) from None
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        raise RefusedError(f"{name}: {getattr(error, 'strerror', error)}") from error


def _bounded(body: bytes, name: str) -> bytes:
    if len(body) > _MOST_BYTES:
        raise RefusedError(f"{name}: more than the {_MOST_BYTES} bytes that a message may have")
    return body
