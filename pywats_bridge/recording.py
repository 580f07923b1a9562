"""``pywats-bridge record``: what machines send goes into a file, beside the bridge."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.status import Status

from pywats_bridge import __version__, logs
from pywats_bridge.commands import DEFAULT_CONFIG, EXIT_USAGE, ConfigOption, fail, refuse, run
from pywats_bridge.printing import console, counted, plain, say
from pywats_bridge.record_sources import SOURCES, Source, Wanted, sources_of
from pywats_bridge.settings import BridgeSettings, ConfigurationError
from pywats_events.transports.capture import CaptureError, Recorder

_SPAN: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([smhd]?)")
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_STEP: Final = 1024
_LOOK_EVERY: Final = 0.5


def record(
    *,
    source: Annotated[str, typer.Option("--from", help=f"Where messages come from: {', '.join(SOURCES)}.")],
    to: Annotated[Path, typer.Option("--to", help="The file that they go to.")],
    config: ConfigOption = DEFAULT_CONFIG,
    for_: Annotated[str | None, typer.Option("--for", help="End after this time: 90s, 15m, 8h, 1d.")] = None,
    count: Annotated[int | None, typer.Option("--count", min=1, help="End after so many messages.")] = None,
    append: Annotated[bool, typer.Option("--append", help="Go on with a file that is there.")] = False,
    max_mb: Annotated[
        int, typer.Option("--max-mb", min=1, max=1_000_000, help="End at this size of the file.")
    ] = 1024,
    queue: Annotated[
        str | None,
        typer.Option("--queue", help="Read this queue, which is the recorder's alone, and make none."),
    ] = None,
    listen: Annotated[
        str | None, typer.Option("--listen", help="Where a hook listens, in place of webhook.listen.")
    ] = None,
) -> None:
    """Write what machines send into a file, as it comes, beside a bridge that runs. Ctrl-C ends it."""
    if source not in SOURCES:
        fail(f'--from: "{plain(source)}" is no source; there are {", ".join(SOURCES)}', EXIT_USAGE)
    seconds = None if for_ is None else _seconds(for_)
    try:
        settings = sources_of(config)
    except ConfigurationError as error:
        refuse(error)
    logs.set_up("error")
    recorder = Recorder(
        to,
        append=append,
        count=count,
        max_bytes=max_mb * _STEP * _STEP,
        by=f"pywats-bridge {__version__}",
        say=lambda text: typer.echo(plain(text), err=True),
    )
    try:
        run(_record(recorder, SOURCES[source], settings, Wanted(queue, listen), seconds))
    except ConfigurationError as error:
        refuse(error)
    except CaptureError as error:
        fail(plain(error))


async def _record(
    recorder: Recorder, source: Source, settings: BridgeSettings, wanted: Wanted, seconds: float | None
) -> None:
    began = time.monotonic()
    async with source(settings, wanted) as transport, recorder:
        try:
            with told_to_end() as end, _progress(recorder):
                await transport.start(recorder)
                await _until_over(recorder, end, seconds)
        finally:
            await transport.stop()
            await transport.close()
            _summary(recorder, time.monotonic() - began)


async def _until_over(recorder: Recorder, end: asyncio.Event, seconds: float | None) -> None:
    """Wait for whatever ends a recording.

    Raises:
        CaptureError: the file can't be written.
    """
    over = asyncio.ensure_future(recorder.over())
    told = asyncio.ensure_future(end.wait())
    try:
        await asyncio.wait((over, told), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if over.done() and over.result() == "size":
            typer.echo(f"{recorder.path}: is as large as --max-mb allows", err=True)
    finally:
        for each in (over, told):
            each.cancel()
        await asyncio.gather(over, told, return_exceptions=True)


def _summary(recorder: Recorder, seconds: float) -> None:
    messages = counted(recorder.messages, "message")
    left_out = f"; {recorder.left_out:,} left out, see above" if recorder.left_out else ""
    say(f"{messages} in {plain(recorder.path)} ({size(recorder.size)}) in {seconds:.0f} s{left_out}")


@contextmanager
def _progress(recorder: Recorder) -> Iterator[None]:
    """Show on a terminal how far it is."""
    screen = console()
    if not screen.is_terminal:
        yield
        return
    with Status("waiting for messages; Ctrl-C ends", console=screen) as status:

        async def show() -> None:
            while True:
                await asyncio.sleep(_LOOK_EVERY)
                if recorder.messages:
                    status.update(
                        f"{counted(recorder.messages, 'message')}, {size(recorder.size)}; Ctrl-C ends"
                    )

        task = asyncio.ensure_future(show())
        try:
            yield
        finally:
            task.cancel()


@contextmanager
def told_to_end() -> Iterator[asyncio.Event]:
    """Set an event at SIGINT and SIGTERM, while inside; the second one ends the program as ever."""
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    before: dict[int, Any] = {}

    def heard(number: int, _frame: object) -> None:
        signal.signal(number, before[number])
        loop.call_soon_threadsafe(end.set)

    for number in (int(signal.SIGINT), int(signal.SIGTERM)):
        before[number] = signal.signal(number, heard)
    try:
        yield end
    finally:
        for number, handler in before.items():
            with suppress(ValueError):
                signal.signal(number, handler)


def size(number: int) -> str:
    """Give bytes as people read them."""
    amount = float(number)
    for unit in ("bytes", "KB", "MB"):
        if amount < _STEP:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= _STEP
    return f"{amount:.1f} GB"


def _seconds(text: str) -> float:
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        fail(f'--for: "{plain(text)}" is no time; write one such as 90s, 15m, 8h or 1d', EXIT_USAGE)
    return float(found[1]) * _UNITS[found[2]]
