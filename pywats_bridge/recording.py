"""``pywats-bridge record``: what machines send goes into a file, beside the bridge."""

from __future__ import annotations

import asyncio
import re
import signal
import time
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias
from uuid import uuid4

import typer
from pydantic import ValidationError
from rich.status import Status

from pywats_bridge import __version__, logs
from pywats_bridge.commands import DEFAULT_CONFIG, EXIT_USAGE, ConfigOption, fail, refuse, run
from pywats_bridge.printing import console, plain, say
from pywats_bridge.settings import BridgeSettings, ConfigurationError, load, settings_of
from pywats_cfx.config import AMQPConfig
from pywats_events.event import Event
from pywats_events.message import RawMessage, Unreadable
from pywats_events.transports import BaseTransport
from pywats_events.transports.capture import CaptureError, Recorder
from pywats_events.transports.webhook.config import WebhookConfig

#: Milliseconds after which the broker removes the recorder's queue when nobody reads it, and bytes of
#: messages that it keeps there at most: a recorder that died must not fill the broker.
QUEUE_LASTS: Final = 10 * 60 * 1000
QUEUE_BYTES: Final = 512 * 1024 * 1024
_LONGEST_NAME: Final = 255

_SPAN: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([smhd]?)")
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_STEP: Final = 1024
_LOOK_EVERY: Final = 0.5


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was said of the source on the command line.

    Attributes:
        queue: a queue that is read in place of one of our own.
        listen: where a hook listens in place of what the configuration says.
    """

    queue: str | None = None
    listen: str | None = None


#: Gives the transport of a source, not started, and puts away at the end what was made for it.
Source: TypeAlias = Callable[[BridgeSettings, Wanted], AbstractAsyncContextManager[BaseTransport]]


def no_events(_: RawMessage) -> list[Event | Unreadable]:
    """Read nothing: a recorder keeps messages as they come."""
    return []


# --- sources ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def of_amqp(settings: BridgeSettings, wanted: Wanted) -> AsyncIterator[BaseTransport]:
    """Read copies: a queue of our own, bound as the bridge's is, gets whatever that gets.

    Raises:
        ConfigurationError: there is no way to copies.
    """
    from pywats_cfx import CFXTransport  # noqa: PLC0415  # the broker's library is not quick

    cfx = settings.cfx
    amqp = None if cfx is None else cfx.broker
    if cfx is None or amqp is None:
        raise ConfigurationError(["cfx.amqp: is missing, there is no broker to record from"])
    config = _named_queue(amqp, wanted.queue) if wanted.queue is not None else _own_queue(amqp)
    transport = CFXTransport(cfx.model_copy(update={"amqp": config}), adapter=no_events)
    try:
        yield transport
    finally:
        if wanted.queue is None and transport.tally.connections:
            await _remove_queue(transport.amqp)


def _named_queue(amqp: AMQPConfig, queue: str) -> AMQPConfig:
    if queue in (amqp.queue, amqp.address):
        raise ConfigurationError(
            [f"--queue {plain(queue)}: is the bridge's own; recording would take its messages away"]
        )
    address = queue if amqp.address is not None else None
    return amqp.model_copy(update={"queue": queue, "address": address, "declare_queue": False})


def _own_queue(amqp: AMQPConfig) -> AMQPConfig:
    if not amqp.declare_queue or amqp.address is not None or not amqp.exchange:
        why = "the bridge reads a queue that others bind, and whatever is read there is gone"
        what = "have a second queue bound beside it for the recorder, and name that one with --queue"
        raise ConfigurationError([f"cfx.amqp: {why}; {what}"])
    ending = f".record-{uuid4().hex[:8]}"
    return amqp.model_copy(
        update={
            "queue": amqp.queue[: _LONGEST_NAME - len(ending)] + ending,
            "queue_arguments": {"x-expires": QUEUE_LASTS, "x-max-length-bytes": QUEUE_BYTES},
            "durable": True,  # a restart of the broker is worth recording too
        }
    )


async def _remove_queue(amqp: AMQPConfig) -> None:
    """Leave nothing behind on the broker; where that fails, the broker does it after a while."""
    from aiormq.exceptions import AMQPError  # noqa: PLC0415  # as above

    from pywats_cfx.amqp091.connection import open_channel, open_connection  # noqa: PLC0415
    from pywats_cfx.amqp091.troubles import VirtualHostRefused  # noqa: PLC0415

    try:
        connection = await open_connection(amqp, name="pywats-bridge record")
        try:
            async with asyncio.timeout(amqp.connect_timeout):
                await (await open_channel(connection)).queue_delete(amqp.queue)
        finally:
            await connection.close()
    except (AMQPError, OSError, TimeoutError, VirtualHostRefused) as error:
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        later = f"the broker does it in {QUEUE_LASTS // 60_000} minutes"
        typer.echo(plain(f'queue "{amqp.queue}" could not be removed ({why}); {later}'), err=True)


@asynccontextmanager
async def of_mqtt(settings: BridgeSettings, wanted: Wanted) -> AsyncIterator[BaseTransport]:  # noqa: ARG001  # one form for all
    """Subscribe as the bridge does, as another client, whose session ends with the recording.

    Raises:
        ConfigurationError: there is no broker.
    """
    from pywats_events.transports.mqtt import MQTTTransport  # noqa: PLC0415  # as above

    mqtt = settings.mqtt
    if mqtt is None:
        raise ConfigurationError(["mqtt: is missing, there is no broker to record from"])
    beside = {
        "client_id": f"{mqtt.client_id}-record-{uuid4().hex[:8]}",
        "shared": "",  # a member of the group would take messages away from the others
        "status_topic": "",
    }
    yield MQTTTransport(mqtt.model_copy(update=beside), adapter=no_events, keeps_session=False)


@asynccontextmanager
async def of_hook(settings: BridgeSettings, wanted: Wanted) -> AsyncIterator[BaseTransport]:
    """Take the calls in the bridge's place, with its hooks and their secrets.

    Raises:
        ConfigurationError: there are no hooks, or nowhere to listen.
    """
    from pywats_events.transports.webhook import WebhookTransport  # noqa: PLC0415  # as above

    webhook = settings.webhook
    if webhook is None:
        raise ConfigurationError(["webhook: is missing, there are no hooks to record"])
    if wanted.listen is not None:
        try:
            webhook = WebhookConfig.model_validate({**dict(webhook), "listen": wanted.listen})
        except ValidationError as error:
            said = error.errors(include_url=False, include_input=False)[0]["msg"]
            raise ConfigurationError([f"--listen: {said.removeprefix('Value error, ')}"]) from None
    if not webhook.listen:
        raise ConfigurationError(["webhook.listen: is empty; say where to listen with --listen"])
    yield WebhookTransport(webhook, adapter=no_events)


#: The sources by their names on the command line.
SOURCES: Final[dict[str, Source]] = {"amqp": of_amqp, "mqtt": of_mqtt, "hook": of_hook}


# --- the command -----------------------------------------------------------------------------------------


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
    messages = "1 message" if recorder.messages == 1 else f"{recorder.messages:,} messages"
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
                    status.update(f"{recorder.messages:,} messages, {size(recorder.size)}; Ctrl-C ends")

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


# --- the configuration -----------------------------------------------------------------------------------

_NO_WATS: Final[Mapping[str, str]] = {"url": "http://localhost", "token": "none"}


def sources_of(path: Path) -> BridgeSettings:
    """Read a configuration for what needs no WATS: who records in a factory may have no token.

    Raises:
        ConfigurationError: it can't be read or used.
    """
    try:
        document = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError):
        return load(path)  # which says what is wrong
    return settings_of({**document, "wats": _NO_WATS}, base=path.parent)
