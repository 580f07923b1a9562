"""Look at CFX messages and at what becomes of them: ``python -m pywats_cfx.explorer``.

What WATS gets of an event is told by whoever knows it: callables in the entry point group
``pywats_cfx.explorer``, each taking a sequence of events and giving lines of text.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, TypeAlias

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

import samples
from pywats_cfx.adapter import cfx_adapter
from pywats_events.event import Event
from pywats_events.message import RawMessage, Unreadable

#: Says in lines of text what a destination gets of events.
Preview: TypeAlias = Callable[[Sequence[Event]], Iterable[str]]

GROUP: Final = "pywats_cfx.explorer"
_NOT_READABLE: Final = 1
_NOT_KNOWN: Final = 2


class _RefusedError(Exception):
    """What was asked for can't be shown."""

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give the exit code: 0, 1 for what can't be read, 2 for what is not known."""
    asked = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal or pipe that can't show a character must not end the program.
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console()
    try:
        if asked.sample is not None:
            _show_json(console, _sample(asked.sample).decode())
        elif asked.convert is not None:
            return _convert(console, asked.convert)
        else:
            _list(console)
    except _RefusedError as refused:
        sys.stderr.write(f"{refused}\n")
        return refused.exit_code
    except BrokenPipeError:
        # The reader has seen enough; leave nothing for the interpreter to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pywats_cfx.explorer",
        description="Show CFX messages, the domain events they become, and what WATS gets of those.",
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--list", action="store_true", help="name the samples")
    action.add_argument("--sample", metavar="NAME", help="show a sample as it is on the wire")
    action.add_argument(
        "--convert", metavar="NAME_OR_FILE", help="show the events that a sample or a file becomes"
    )
    return parser


def _list(console: Console) -> None:
    width = max(len(name) for name in samples.names())
    for name in samples.names():
        if console.is_terminal:
            console.print(Text(f"{name:{width}}  ", style="bold").append(samples.SUMMARIES[name], "not bold"))
        else:
            _plain(f"{name:{width}}  {samples.SUMMARIES[name]}")


def _sample(name: str) -> bytes:
    try:
        return samples.load(name)
    except samples.UnknownSampleError as error:
        raise _RefusedError(str(error), _NOT_KNOWN) from error


def _body(name_or_file: str) -> bytes:
    if name_or_file in samples.names():
        return samples.load(name_or_file)
    path = Path(name_or_file)
    if not path.exists():
        known = ", ".join(samples.names())
        raise _RefusedError(f'"{name_or_file}" is neither a file nor a sample; samples: {known}', _NOT_KNOWN)
    try:
        return path.read_bytes()
    except OSError as error:
        raise _RefusedError(f"{name_or_file}: {error.strerror}", _NOT_READABLE) from error


def _convert(console: Console, name_or_file: str) -> int:
    made = cfx_adapter(RawMessage(_body(name_or_file), transport="explorer", address=name_or_file))
    events = [each for each in made if isinstance(each, Event)]
    unreadable = [each for each in made if isinstance(each, Unreadable)]
    for number, event in enumerate(events, start=1):
        _heading(console, f"event {number} of {len(events)}: {event.event_type.value}, key {event.key}")
        _show_json(console, json.dumps(event.to_cloudevent(), indent=2, ensure_ascii=False))
    if events:
        for line in _previews(events):
            _plain(line) if not console.is_terminal else console.print(Text(line))
    elif not unreadable:
        _plain("an empty list: no message, no event")
    for each in unreadable:
        sys.stderr.write(f"can't be read: {each.reason}\n")
    return _NOT_READABLE if unreadable else 0


def _previews(events: Sequence[Event]) -> Iterator[str]:
    found = sorted(entry_points(group=GROUP), key=lambda each: each.name)
    if not found:
        yield (
            f'WATS: not shown; nothing is installed in the entry point group "{GROUP}" '
            "(the distribution pywats-bridge brings it)"
        )
    for entry in found:
        try:
            preview: Preview = entry.load()
            yield from preview(events)
        except Exception as error:  # noqa: BLE001  # a stranger's code; the events are shown all the same
            yield f"{entry.name}: can't be shown: {type(error).__name__}: {error}"


def _heading(console: Console, text: str) -> None:
    if console.is_terminal:
        console.rule(Text(text, style="bold"), align="left")
    else:
        _plain(f"# {text}")


def _show_json(console: Console, text: str) -> None:
    if console.is_terminal:
        console.print(Syntax(text.rstrip("\n"), "json", background_color="default", word_wrap=True))
    else:
        _plain(text.rstrip("\n"))


def _plain(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
