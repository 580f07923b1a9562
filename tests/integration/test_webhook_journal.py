"""Nothing is acknowledged that the journal does not have, whatever becomes of journal, caller and bridge."""

from __future__ import annotations

import asyncio
import socket

import structlog
from brokers.ports import free_ports
from listening import Durable, HeldUp, Refusing
from webhook_steps import SECONDS, cloudevent, request, webhooks

from pywats_events import AsyncEventBus, BaseHandler, EventType
from pywats_events.cloudevents import cloudevents_adapter
from pywats_events.journal import JournalFull
from pywats_events.journal.memory import MemoryJournal
from pywats_events.transports.webhook import WebhookConfig, WebhookTransport

OPEN = {"name": "open", "auth": "none"}


class Held(BaseHandler):
    """Handles when the test says so."""

    event_types = (EventType.TEST_RESULT,)

    def __init__(self):
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def handle(self, event):  # noqa: ARG002
        """Wait."""
        self.begun.set()
        await self.go_on.wait()


async def test_answer_comes_behind_the_journal():
    """A caller hears nothing until its event is written."""
    journal = HeldUp()
    async with webhooks(OPEN, journal=journal) as hooks:
        line = await hooks.connect()
        await line.send(request("open", cloudevent()))
        await journal.asked.wait()
        waiting = asyncio.create_task(line.answer())
        assert not hooks.events
        assert not waiting.done()
        journal.commit.set()
        assert (await waiting)[0] == 202


async def test_journal_that_refuses():
    """A journal that can't write is 503 with Retry-After, and its reason stays with us."""
    journal = Refusing()
    async with webhooks(OPEN, journal=journal) as hooks:
        answer = await hooks.post("open", cloudevent(), {"Idempotency-Key": "1"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "disk" not in answer.text
        journal.refuses = False
        answer = await hooks.post("open", cloudevent(), {"Idempotency-Key": "1"})
        assert (answer.status_code, len(hooks.events)) == (202, 1)


async def test_journal_that_is_full():
    """A full journal is 503 with Retry-After; when there is room again, the repeat is taken."""

    class Full(Durable):
        is_full = True

        async def append(self, receipts):
            """Append where there is room."""
            if self.is_full and receipts:
                raise JournalFull("disk is full")
            return await super().append(receipts)

    journal = Full()
    async with webhooks(OPEN, journal=journal, journal_timeout=0.1) as hooks:
        answer = await hooks.post("open", cloudevent())
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert (await hooks.post("open", cloudevent())).status_code == 503
        journal.is_full = False
        async with asyncio.timeout(SECONDS):
            while (await hooks.post("open", cloudevent())).status_code == 503:
                assert not hooks.events
        assert hooks.ids == ["/testers/7#1"]


async def test_journal_that_takes_too_long():
    """Who waited long enough hears 503, and may come again: there is one event of both calls."""
    journal = HeldUp()
    async with webhooks(OPEN, journal=journal, journal_timeout=0.5) as hooks:
        assert (await hooks.post("open", cloudevent())).status_code == 503
        journal.commit.set()
        answer = await hooks.post("open", cloudevent())
        assert answer.json() == {"event_ids": ["/testers/7#1"]}
        assert hooks.ids == ["/testers/7#1"]


async def test_backlog_above_its_limit():
    """Back-pressure is 503 with Retry-After, and nothing is half taken."""
    handler = Held()
    async with webhooks(OPEN, handler=handler, high_water=1, journal_timeout=0.5) as hooks:
        assert (await hooks.post("open", cloudevent(1))).status_code == 202
        for _ in range(2):
            answer = await hooks.post("open", cloudevent(2))
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert hooks.ids == ["/testers/7#1"]
        handler.go_on.set()
        assert await hooks.bus.drain(timeout=SECONDS)
        assert (await hooks.post("open", cloudevent(2))).status_code == 202
        assert hooks.ids == ["/testers/7#1", "/testers/7#2"]


async def test_back_pressure_does_not_fill_the_log():
    """While callers are held up, the log says so once for each hook, until one is let in again."""
    journal = Refusing()
    with structlog.testing.capture_logs() as logs:
        async with webhooks(OPEN, journal=journal) as hooks:
            for refuses in (True, True, False, True):
                journal.refuses = refuses
                await hooks.post("open", cloudevent())
    levels = [entry["log_level"] for entry in logs if entry["event"] == "webhook refused"]
    assert levels == ["warning", "debug", "warning"]


async def test_journal_in_memory_answers_when_all_is_done():
    """Where the journal ends with the program, a caller hears 202 when the handlers are done."""
    handler = Held()
    async with webhooks(OPEN, handler=handler, journal=MemoryJournal()) as hooks:
        call = asyncio.create_task(hooks.post("open", cloudevent()))
        await handler.begun.wait()
        assert not call.done()
        handler.go_on.set()
        assert (await call).status_code == 202


async def test_journal_in_memory_that_ends_first():
    """Where the journal ends with the program, what is not done then is 503: its caller keeps it."""
    handler = Held()
    async with webhooks(OPEN, handler=handler, journal=MemoryJournal(), stop_timeout=0.1) as hooks:
        call = asyncio.create_task(hooks.post("open", cloudevent()))
        await handler.begun.wait()
        await hooks.bus.stop(timeout=0.1)
        answer = await call
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


async def test_caller_that_goes_before_the_end():
    """A caller that hangs up in its body leaves no event."""
    async with webhooks(OPEN) as hooks:
        for cut in (-1, -20):
            line = await hooks.connect()
            await line.send(request("open", cloudevent())[:cut])
            await line.hang_up()
        assert (await hooks.post("open", cloudevent(2))).status_code == 202
        assert hooks.ids == ["/testers/7#2"]


async def test_caller_that_goes_before_the_answer():
    """A caller that hangs up before its answer may ask again, and is given the same ids."""
    journal = HeldUp()
    async with webhooks(OPEN, journal=journal) as hooks:
        line = await hooks.connect()
        await line.send(request("open", cloudevent()))
        await journal.asked.wait()
        await line.hang_up()
        journal.commit.set()
        answer = await hooks.post("open", cloudevent())
        assert answer.json() == {"event_ids": ["/testers/7#1"]}
        assert hooks.ids == ["/testers/7#1"]


async def test_end_while_calls_are_under_way():
    """At the end each call is finished or told 503; what waits for the journal never gets there."""
    journal = HeldUp()
    async with webhooks(OPEN, journal=journal) as hooks:
        half, written, waiting, idle = [await hooks.connect() for _ in range(4)]
        await idle.send(request("open", b"{"))
        assert (await idle.answer())[0] == 400
        await half.send(request("open", cloudevent(1))[:-1])
        await written.send(request("open", cloudevent(2)))
        await journal.asked.wait()
        await waiting.send(request("open", cloudevent(3)))
        ending = asyncio.create_task(hooks.bus.stop())
        for line in (half, written, waiting):
            assert (await line.answer())[0] == 503
        for line in (half, written, waiting, idle):
            assert await line.ends()
        journal.commit.set()
        await ending
        # its commit was under way: it comes again, with the same id
        assert hooks.ids in ([], ["/testers/7#2"])


async def test_end_lets_the_journal_finish():
    """A call whose event is being written when the end comes is answered with 202."""
    journal = HeldUp()
    async with webhooks(OPEN, journal=journal) as hooks:
        line = await hooks.connect()
        await line.send(request("open", cloudevent()))
        await journal.asked.wait()
        ending = asyncio.create_task(hooks.bus.stop())
        await asyncio.sleep(0)
        journal.commit.set()
        assert (await line.answer())[0] == 202
        assert await line.ends()
        await ending
        assert len(hooks.events) == 1


async def test_app_in_another_server_is_503_while_the_bus_is_not_up():
    """Mounted elsewhere, the hooks say that they are not up before the start and after the end."""
    import httpx

    transport = WebhookTransport(WebhookConfig(listen="", hooks=[OPEN]), adapter=cloudevents_adapter)
    inside = httpx.AsyncClient(transport=httpx.ASGITransport(transport.app), base_url="http://bridge")
    async with inside as client:
        assert (await client.post("/hooks/open", content=cloudevent())).status_code == 503
        bus = AsyncEventBus(journal=Durable())
        bus.register_transport(transport)
        async with bus:
            assert (await client.post("/hooks/open", content=cloudevent())).status_code == 202
        assert (await client.post("/hooks/open", content=cloudevent())).status_code == 503


async def test_port_that_is_taken():
    """A port that others have is told in one line, and taken as soon as it is free."""
    told = asyncio.Queue()

    class Intake:
        async def connected(self, _, detail):
            told.put_nowait(detail)

        async def disconnected(self, _, reason):
            told.put_nowait(reason)

    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        config = WebhookConfig(listen=f"http://127.0.0.1:{port}", hooks=[OPEN])
        transport = WebhookTransport(config, adapter=cloudevents_adapter)
        await transport.start(Intake())
        reason = await told.get()
        assert reason == f"http://127.0.0.1:{port}: {transport.last_error.split(': ', 1)[1]}"
        assert "in use" in reason
        assert "\n" not in reason
        assert not transport.connected
    try:
        async with asyncio.timeout(SECONDS):
            assert await transport.listening() == f"http://127.0.0.1:{port}"
        assert await told.get() == f"listens at http://127.0.0.1:{port} for hooks open"
    finally:
        await transport.stop()
        await transport.close()


async def test_end_while_the_port_is_taken():
    """A transport that never got its port ends at once, and does not take it later."""

    class Intake:
        def __init__(self):
            self.told = asyncio.Event()

        async def disconnected(self, *_):
            self.told.set()

    intake = Intake()
    with socket.create_server(("127.0.0.1", 0)) as other:
        config = WebhookConfig(listen=f"http://127.0.0.1:{other.getsockname()[1]}", hooks=[OPEN])
        transport = WebhookTransport(config, adapter=cloudevents_adapter)
        await transport.start(intake)
        await intake.told.wait()
        await transport.stop()
        await transport.close()
    assert transport.url is None
