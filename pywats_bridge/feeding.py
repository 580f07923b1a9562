"""``pywats-bridge replay``: a capture comes in again, and goes on to WATS as if it came from the machines."""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.status import Status

from pywats_bridge import logs
from pywats_bridge.choosing import count
from pywats_bridge.commands import (
    DEFAULT_CONFIG,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    ConfigOption,
    fail,
    refuse,
    run,
)
from pywats_bridge.preview import Outlook, preview
from pywats_bridge.printing import console, counted, plain, say
from pywats_bridge.record_sources import sources_of
from pywats_bridge.recording import told_to_end
from pywats_bridge.settings import SOURCES, BridgeSettings, ConfigurationError, load
from pywats_events.event import Event
from pywats_events.journal import DeliveryState, JournalError, Query
from pywats_events.journal.sqlite_beside import is_in_use
from pywats_events.message import Adapter, RawMessage, Unreadable
from pywats_events.transports.capture import (
    CaptureError,
    CaptureTransport,
    Damage,
    Survey,
    by_transport,
    survey,
)
from pywats_events.transports.capture.reading import CaptureFile

if TYPE_CHECKING:
    from pywats_bridge.composition import Bridge
    from pywats_bridge.readers import Readers

_SPEED: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)x?")
_LOOK_EVERY: Final = 0.2
#: Seconds between two lines of progress where there is no terminal.
_TELL_EVERY: Final = 30.0


# --- the command -----------------------------------------------------------------------------------------


def replay(
    *,
    capture: Annotated[Path, typer.Argument(metavar="FILE", help='What "record" wrote, or its gzip.')],
    config: ConfigOption = DEFAULT_CONFIG,
    speed: Annotated[
        str, typer.Option("--speed", help="1x: with the recorded gaps; 10x: ten times as fast; max.")
    ] = "1x",
    dry: Annotated[
        bool, typer.Option("--dry", help="Show which events and calls they become. Nothing is sent.")
    ] = False,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave lines out that hold no message.")
    ] = False,
    settle: Annotated[
        float,
        typer.Option(
            "--settle", min=0, max=86_400, help="Seconds for deliveries that wait, after the last message."
        ),
    ] = 30.0,
) -> None:
    """Bring a capture in again, through the bridge's journal and on to WATS. Twice doubles nothing."""
    from pywats_bridge.readers import readers_of  # noqa: PLC0415  # the ways in are not quick

    pace = _speed(speed)
    try:
        settings = sources_of(config) if dry else load(config)
        found = _surveyed(capture, skip_damaged=skip_damaged)
        readers = readers_of(settings)
        adapters = readers.of_kept
        _check_adapters(capture, found, adapters, config)
        if dry:
            logs.set_up("error")
            good = run(_preview(capture, adapters, settings))
        else:
            _check_journal(settings)
            logs.set_up("warning")
            transport = CaptureTransport(
                capture, speed=pace, adapter=by_transport(adapters), skip_damaged=skip_damaged
            )
            good = run(_Replay(settings, transport, readers, found, settle).run())
    except ConfigurationError as error:
        refuse(error)
    except (CaptureError, JournalError) as error:
        is_no_file = isinstance(error, CaptureError) and isinstance(error.__cause__, OSError)
        fail(plain(error), EXIT_USAGE if is_no_file else EXIT_FAILED)
    if not good:
        raise typer.Exit(EXIT_FAILED)


def _speed(text: str) -> float:
    if text.strip().lower() == "max":
        return math.inf
    found = _SPEED.fullmatch(text.strip().lower())
    if found is None or not float(found[1]):
        fail(f'--speed: "{plain(text)}" is no speed; write one such as 1x, 10x, 0.5x or max', EXIT_USAGE)
    return float(found[1])


def _surveyed(capture: Path, *, skip_damaged: bool) -> Survey:
    found = survey(capture)
    if found.damaged and not skip_damaged:
        lines = [f"{capture}: {plain(damage)}" for damage in found.damages]
        if found.damaged > len(found.damages):
            lines.append(f"and {found.damaged - len(found.damages):,} more")
        lines.append("nothing was brought in; mend these lines, or leave them out with --skip-damaged")
        fail("\n".join(lines))
    return found


def _check_adapters(capture: Path, found: Survey, adapters: Mapping[str, Adapter], config: Path) -> None:
    unknown = [name for name in found.messages if name not in adapters]
    if unknown:
        told = [
            f'{capture}: {config} does not configure transport "{plain(name)}", of which it holds '
            f"{found.messages[name]:,} messages"
            for name in unknown
        ]
        fail(
            "\n".join([*told, f"it can read those of {', '.join(sorted(adapters))}; nothing was brought in"])
        )


def _check_journal(settings: BridgeSettings) -> None:
    kept = settings.journal
    if kept.kind == "sqlite" and is_in_use(kept.path):
        fail(
            f"{kept.path}: a bridge runs on this journal; end it for the time of the replay, or give a "
            "configuration with another journal.path"
        )


# --- bringing it in --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Counting:
    """Counts what an adapter makes of messages."""

    adapter: Adapter
    events: int = 0
    unreadable: int = 0

    def __call__(self, message: RawMessage) -> Sequence[Event | Unreadable]:
        parts = self.adapter(message)
        unreadable = sum(isinstance(part, Unreadable) for part in parts)
        self.unreadable += unreadable
        self.events += len(parts) - unreadable
        return parts


@dataclass(slots=True)
class _Replay:
    """One replay: a bridge of its own, whose only source is the capture."""

    settings: BridgeSettings
    transport: CaptureTransport
    readers: Readers
    found: Survey
    settle: float
    new: int = 0

    async def run(self) -> bool:
        """Bring the capture in, say what came of it; True when none of it is a dead letter."""
        sums = self.transport.adapter = _Counting(self.transport.adapter)
        interrupted = False
        since = datetime.now(UTC)
        bridge = self._bridge()
        async with bridge:
            with told_to_end() as end, self._progress():
                interrupted = not await self._ended(end)
                if not interrupted:
                    interrupted = not await self._settled(bridge, end)
            await self.transport.stop()
            await bridge.bus.drain(timeout=self.settings.delivery.stop_timeout)  # what is under way
            dead = await count(bridge.bus.dead_letters, Query(states=(DeliveryState.DEAD,), since=since))
            waiting = (await bridge.journal.stats()).open
        self._summary(sums, dead=dead, waiting=waiting)
        if interrupted:
            raise typer.Exit(EXIT_INTERRUPTED)
        return not dead

    def _bridge(self) -> Bridge:
        from pywats_bridge.composition import bridge_of  # noqa: PLC0415  # handlers and client are not quick

        silent: dict[str, Any] = dict.fromkeys(SOURCES)
        if self.settings.mqtt is not None:  # what goes out may go out there
            silent["mqtt"] = self.settings.mqtt.model_copy(update={"subscriptions": ()})
        bridge = bridge_of(self.settings.model_copy(update=silent))
        bridge.bus.register_transport(self.readers.before(self.transport))
        bridge.bus.on_event(self._note_event)
        return bridge

    def _note_event(self, event: Event) -> None:
        self.new += not event.event_type.is_system

    async def _ended(self, end: asyncio.Event) -> bool:
        """Wait for the end of the capture; False when somebody ends it before."""
        ended, told = asyncio.ensure_future(self.transport.ended()), asyncio.ensure_future(end.wait())
        try:
            await asyncio.wait((ended, told), return_when=asyncio.FIRST_COMPLETED)
            return ended.done() and ended.result().is_whole
        finally:
            for each in (ended, told):
                each.cancel()
            await asyncio.gather(ended, told, return_exceptions=True)

    async def _settled(self, bridge: Bridge, end: asyncio.Event) -> bool:
        """Wait until nothing is open, or the time for that is over; False when somebody ends it before."""
        until = time.monotonic() + self.settle
        while not end.is_set() and time.monotonic() < until and (await bridge.journal.stats()).open:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await end.wait()
        return not end.is_set()

    def _summary(self, sums: _Counting, *, dead: int, waiting: int) -> None:
        transport = self.transport
        of = sum(self.found.messages.values())
        repeated = sums.events - self.new
        parts = [
            f"{transport.messages:,} of {counted(of, 'message')}, {counted(sums.events, 'event')}",
            f"{repeated:,} were here before" if repeated > 0 else "",
            f"{counted(sums.unreadable, 'part')} could not be read" if sums.unreadable else "",
            counted(dead, "dead letter") if dead else "no dead letter",
            f"{counted(transport.skipped, 'damaged line')} left out" if transport.skipped else "",
        ]
        say("; ".join(part for part in parts if part))
        if waiting:
            kept = "the next bridge on this journal goes on with them"
            lost = "this journal ends with the replay, and they with it"
            say(f"{waiting:,} deliveries wait; {lost if self.settings.journal.kind == 'memory' else kept}")

    @contextmanager
    def _progress(self) -> Iterator[None]:
        screen = console()
        of = sum(self.found.messages.values())
        with Status("", console=screen) as status:
            if not screen.is_terminal:
                status.stop()

            async def show() -> None:
                while True:
                    said = f"{self.transport.messages:,} of {counted(of, 'message')}"
                    if screen.is_terminal:
                        status.update(f"{said}; Ctrl-C ends")
                        await asyncio.sleep(_LOOK_EVERY)
                    else:
                        await asyncio.sleep(_TELL_EVERY)
                        typer.echo(said, err=True)

            task = asyncio.ensure_future(show())
            try:
                yield
            finally:
                task.cancel()


# --- looking what it would become ------------------------------------------------------------------------


async def _preview(capture: Path, adapters: Mapping[str, Adapter], settings: BridgeSettings) -> bool:
    """Show a line for each event and what becomes of it; True when nothing would be a dead letter."""
    read = by_transport(adapters)
    messages, events, calls, dead = 0, 0, 0, 0
    seen: set[int] = set()

    def parts() -> Iterator[Event]:
        nonlocal messages, dead
        with CaptureFile(capture) as file:
            for message in file:  # blocks, and nobody else is here to be held up
                if isinstance(message, Damage):
                    continue
                messages += 1
                for part in read(message):
                    if isinstance(part, Unreadable):
                        dead += 1
                        say(f"line {file.line}: dead letter: {plain(part.reason)}", "red")
                    else:
                        say(f"line {file.line}: {_title(part)}", "bold")
                        yield part

    async for outlook in preview(parts(), settings.rules):
        if id(outlook.event) not in seen:
            events += 1
            seen = {id(outlook.event)}
        dead += outlook.is_fault
        calls += len(outlook.calls)
        _show(outlook)
    sums = {"message": messages, "event": events, "call": calls, "dead letter": dead}
    said = ", ".join(counted(number, thing) for thing, number in sums.items())
    say(f"{said}; nothing was sent")
    return not dead


def _title(event: Event) -> str:
    return plain(f"{event.event_type.value} {event.key} from {event.source}")


def _show(outlook: Outlook) -> None:
    if outlook.reason:
        say(f"  {plain(outlook.reason)}", "red" if outlook.is_fault else "dim")
    for call in outlook.calls:
        say(f"  {call.method} {plain(call.path)}", "green")
