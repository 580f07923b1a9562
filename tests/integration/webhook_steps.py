"""A bus with webhooks on a real port, and callers of all kinds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from listening import Durable
from standardwebhooks import Webhook

from pywats_events import AsyncEventBus, BaseHandler, Event, EventType
from pywats_events.cloudevents import cloudevents_adapter
from pywats_events.event import EventFormatError, loads
from pywats_events.journal import Journal
from pywats_events.message import Adapter, RawMessage, Unreadable
from pywats_events.transports.webhook import WebhookConfig, WebhookTransport

SECONDS = 20.0
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
TOKEN = "a-token-that-nobody-guesses"


def unit_adapter(message: RawMessage) -> Sequence[Event | Unreadable]:
    """Read ``{"unit": ...}``, or a list of such; the caller's identity makes that of the event."""
    try:
        document = loads(message.body)
    except EventFormatError as error:
        return [Unreadable(id="?", reason=str(error), error="EventFormatError")]
    identity = message.properties.get("identity", "?")
    units = document if isinstance(document, list) else [document]
    return [
        Event(EventType.UNIT_ARRIVED, {"unit_id": unit["unit"]}, source="//mes", id=f"{identity}/{number}")
        if isinstance(unit, dict) and isinstance(unit.get("unit"), str)
        else Unreadable(id=f"{identity}/{number}", reason=f"[{number}].unit: is missing", error="Missing")
        for number, unit in enumerate(units)
    ]


def signed(
    body: bytes, *, secret: str = SECRET, key: str = "msg_1", at: float | None = None, **more: str
) -> dict[str, str]:
    """Give the headers that the published library makes for a body."""
    seconds = int(time.time() if at is None else at)
    signature = Webhook(secret).sign(key, datetime.fromtimestamp(seconds, UTC), body.decode())
    return {
        "webhook-id": key,
        "webhook-timestamp": str(seconds),
        "webhook-signature": signature,
        "content-type": "application/json",
        **more,
    }


def cloudevent(number: int = 1, **changes: Any) -> bytes:
    """Give an event as a sender that knows nothing of us writes it."""
    document = {
        "specversion": "1.0",
        "id": str(number),
        "source": "/testers/7",
        "type": "test.result",
        "data": {"unit_id": f"SN-{number}", "result": "pass"},
    }
    return json.dumps(document | changes).encode()


@dataclass
class Hooks:
    """A running bus with webhooks.

    Attributes:
        events: what came in, in order.
    """

    bus: AsyncEventBus
    transport: WebhookTransport
    client: httpx.AsyncClient
    events: list[Event] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """The ids of what came in."""
        return [event.id for event in self.events]

    async def post(self, name: str, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
        """Call a hook."""
        return await self.client.post(f"/hooks/{name}", content=body, headers=headers or {})

    async def connect(self) -> Line:
        """Open a plain connection."""
        place = urlsplit(self.transport.url or "")
        line = Line(*await asyncio.open_connection(place.hostname, place.port))
        self.lines.append(line)
        return line


@dataclass
class Line:
    """A plain connection, for callers that do not behave."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one answer: status, headers, body."""
        async with asyncio.timeout(SECONDS):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(head[0].split()[1]), headers, body

    async def ends(self) -> bool:
        """Tell whether the server closed it, after waiting for that."""
        async with asyncio.timeout(SECONDS):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True

    async def hang_up(self) -> None:
        """Close it."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):  # who was cut off is closed as well
            await self.writer.wait_closed()


def request(name: str, body: bytes, **headers: str) -> bytes:
    """Write a request as it goes over the line."""
    lines = [f"POST /hooks/{name} HTTP/1.1", "Host: bridge", f"Content-Length: {len(body)}"]
    lines += [f"{key.replace('_', '-')}: {value}" for key, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@asynccontextmanager
async def webhooks(
    *hooks: dict[str, Any],
    journal: Journal | None = None,
    adapter: Adapter = cloudevents_adapter,
    handler: BaseHandler | None = None,
    clock: Callable[[], float] = time.time,
    verify: ssl.SSLContext | bool = True,
    high_water: int = 10_000,
    stop_timeout: float = 10.0,
    **config: Any,
) -> AsyncIterator[Hooks]:
    """Run webhooks until the end of the block."""
    config.setdefault("listen", "http://127.0.0.1:0")
    transport = WebhookTransport(WebhookConfig(hooks=hooks, **config), adapter=adapter, clock=clock)
    bus = AsyncEventBus(journal=journal or Durable(), high_water=high_water)
    bus.register_transport(transport)
    if handler is not None:
        bus.subscribe(handler)
    await bus.start()
    try:
        async with asyncio.timeout(SECONDS):
            url = await transport.listening()
        async with httpx.AsyncClient(base_url=url, verify=verify, timeout=SECONDS) as client:
            running = Hooks(bus, transport, client)
            bus.on_event(running.events.append)
            try:
                yield running
            finally:
                for line in running.lines:
                    await line.hang_up()
    finally:
        await bus.stop(timeout=stop_timeout)
