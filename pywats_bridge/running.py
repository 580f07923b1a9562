"""Running a bridge until somebody ends it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from handlers.wats import told
from pywats_api import AsyncWATS
from pywats_api.errors import PyWATSError
from pywats_bridge import __version__
from pywats_bridge.composition import Bridge, bridge_of
from pywats_bridge.requests import answering
from pywats_bridge.settings import BridgeSettings
from pywats_events.journal import DeliveryState, JournalError

log = structlog.get_logger(__name__)

#: Seconds that the end gives to counting what stays in the journal.
_COUNT_WITHIN: Final = 1.0


async def run(settings: BridgeSettings) -> None:
    """Run a bridge until it is told to end: the first signal lets it finish, the second does not."""
    stop = asyncio.Event()
    undo = _on_signals(stop, asyncio.current_task())
    try:
        async with bridge_of(settings) as bridge, answering(bridge.journal, bridge.bus.dead_letters):
            log.info(
                "bridge runs",
                wats=settings.wats.url,
                **_sources(settings),
                stations=len(settings.rules.stations),
                **await _resumed(bridge, settings),
            )
            async with _asking(bridge.api):
                await stop.wait()
            log.info("bridge ends; finishing what is in flight", seconds=settings.delivery.stop_timeout)
            await _say_what_is_left(bridge)
        log.info("bridge has ended")
    finally:
        undo()


@asynccontextmanager
async def _asking(api: AsyncWATS) -> AsyncIterator[None]:
    """Ask WATS who it is, once: a wrong token is to be told at the start, and not with the first report."""
    asking = asyncio.create_task(_ask(api), name="first word with WATS")
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.wait([asking])
        if not asking.cancelled():
            asking.result()  # what nobody expected is not lost


async def _ask(api: AsyncWATS) -> None:
    try:
        version = await api.app.get_version()
    except PyWATSError as error:
        log.warning("WATS can't be used for now; what is for it will wait", reason=told(error))
    else:
        log.info("WATS answers", version=version)


def _sources(settings: BridgeSettings) -> dict[str, str]:
    """Say where messages come from."""
    said: dict[str, str] = {}
    if settings.cfx is not None:
        if settings.cfx.broker is not None:
            said |= {"broker": settings.cfx.broker.broker, "queue": settings.cfx.broker.queue}
        if settings.cfx.endpoint.listen:
            said["listens"] = settings.cfx.endpoint.listen
    if settings.mqtt is not None:
        said["mqtt"] = settings.mqtt.broker
    if settings.webhook is not None:
        said["webhooks"] = settings.webhook.listen
    return said


async def _resumed(bridge: Bridge, settings: BridgeSettings) -> dict[str, str | int]:
    """Say which journal it is, and what is in it from before."""
    kept = settings.journal
    stats = await bridge.journal.stats()
    return {
        "journal": str(kept.path) if kept.kind == "sqlite" else kept.kind,
        "waiting": stats.open,
        "dead_letters": stats.count(DeliveryState.DEAD),
        "version": __version__,
    }


async def _say_what_is_left(bridge: Bridge) -> None:
    try:
        async with asyncio.timeout(_COUNT_WITHIN):
            left = (await bridge.journal.stats()).open
    except (JournalError, TimeoutError) as error:
        why = str(error) or f"it does not answer within {_COUNT_WITHIN:g} s"
        log.warning("what is left in the journal can't be counted; it stays there", error=why)
        return
    if left:
        where = "journal" if bridge.journal.durable else "broker"
        log.info("undelivered events that are not finished now stay safe", events=left, where=where)


def _on_signals(stop: asyncio.Event, task: asyncio.Task[None] | None) -> Callable[[], None]:
    """Set ``stop`` at the first SIGINT or SIGTERM, cancel the task at the second; give what undoes it."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def heard() -> None:
        if not stop.is_set():
            stop.set()
        elif task is not None:
            log.warning("told to end a second time; leaving at once")
            task.cancel()

    def heard_in_handler(_number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(heard)

    before = {}
    for number in numbers:
        try:
            loop.add_signal_handler(number, heard)
        except NotImplementedError:  # Windows
            before[number] = signal.signal(number, heard_in_handler)

    def undo() -> None:
        for number in numbers:
            if number in before:
                signal.signal(number, before[number])
            else:
                loop.remove_signal_handler(number)

    return undo
