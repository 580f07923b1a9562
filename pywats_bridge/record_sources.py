"""Where a recorder reads: beside a bridge that runs, so that the bridge misses nothing by it."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias
from uuid import uuid4

import typer
from pydantic import ValidationError

from pywats_bridge.printing import plain
from pywats_bridge.settings import BridgeSettings, ConfigurationError, load, settings_of
from pywats_cfx.config import AMQPConfig
from pywats_events.event import Event
from pywats_events.message import RawMessage, Unreadable
from pywats_events.transports import BaseTransport
from pywats_events.transports.webhook.config import WebhookConfig

#: Milliseconds after which the broker removes the recorder's queue when nobody reads it, and bytes of
#: messages that it keeps there at most: a recorder that died must not fill the broker.
QUEUE_LASTS: Final = 10 * 60 * 1000
QUEUE_BYTES: Final = 512 * 1024 * 1024
_LONGEST_NAME: Final = 255
_NO_WATS: Final[Mapping[str, str]] = {"url": "http://localhost", "token": "none"}


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
