"""Callers that want more than they may have: too slow, too large, too deep, too many."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc

import pytest
from webhook_steps import SECONDS, SECRET, TOKEN, cloudevent, request, signed, unit_adapter, webhooks

from pywats_events.mapping import adapter_of
from pywats_events.transports.webhook.config import WebhookConfig
from pywats_events.transports.webhook.receiver import ROOM

OPEN = {"name": "open", "auth": "none"}
MEGABYTE = 1024 * 1024


@pytest.mark.parametrize("head", [b"", b"POST", b"POST /hooks/open HTTP/1.1\r\nHost: x\r\nX-"])
async def test_head_that_does_not_come(head):
    """Who connects and says nothing, or not all, is not waited for."""
    async with webhooks(OPEN, header_timeout=0.2) as hooks:
        line = await hooks.connect()
        await line.send(head)
        if head:
            status, headers, _ = await line.answer()
            assert (status, headers["connection"]) == (408, "close")
        assert await line.ends()


async def test_head_that_comes_drop_by_drop():
    """The time for a head is one for all of it, also for a second request on the line."""
    async with webhooks(OPEN, header_timeout=0.5) as hooks:
        line = await hooks.connect()
        await line.send(request("open", cloudevent()))
        assert (await line.answer())[0] == 202
        dripping = asyncio.create_task(_drip(line, b"POST /hooks/open HTTP/1.1\r\nX-Slow: " + b"x" * 10_000))
        assert (await line.answer())[0] == 408
        assert await line.ends()
        dripping.cancel()


async def test_body_that_does_not_come():
    """The time for a body is one for all of it; nothing of it is taken."""
    async with webhooks(OPEN, body_timeout=0.3) as hooks:
        for more in (b"", b"xxxxx"):
            line = await hooks.connect()
            body = cloudevent()
            await line.send(request("open", body)[: -len(body)] + body[:5])
            dripping = asyncio.create_task(_drip(line, more * 1000))
            status, headers, _ = await line.answer()
            assert (status, headers["connection"]) == (408, "close")
            assert await line.ends()
            dripping.cancel()
        assert not hooks.events


async def test_body_of_an_unknown_caller_that_does_not_come():
    """Who is not let in has no more time either."""
    async with webhooks({"name": "plc", "token": TOKEN}, body_timeout=0.2) as hooks:
        line = await hooks.connect()
        await line.send(request("plc", b"{}")[:-1])
        assert (await line.answer())[0] == 408


async def _drip(line, data):
    for byte in data:
        await line.send(bytes([byte]))
        await asyncio.sleep(0.02)  # the caller's own pace


async def test_answered_body_that_goes_on_for_ever():
    """Who goes on sending behind a refusal is listened to for a while only."""
    async with webhooks({**OPEN, "max_bytes": 10}, header_timeout=0.3) as hooks:
        line = await hooks.connect()
        await line.send(b"POST /hooks/open HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert (await line.answer())[0] == 413
        assert await line.ends()


async def test_large_body_is_refused_by_its_length():
    """A body that says that it is too large is refused before it comes, and the line can be used again."""
    async with webhooks(OPEN) as hooks:
        line = await hooks.connect()
        size = 5 * MEGABYTE
        await line.send(f"POST /hooks/open HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
        assert (await line.answer())[0] == 413
        await line.send(b"x" * size)
        await line.send(request("open", cloudevent()))
        assert (await line.answer())[0] == 202


async def test_the_limit_that_is_named_is_the_hooks_own():
    """Whether a body is larger than its hook allows or than any does; strangers hear of no hook's own."""
    small = {"name": "small", "token": TOKEN, "max_bytes": 1000}
    known = {"Authorization": f"Bearer {TOKEN}"}
    async with webhooks(small, {**OPEN, "max_bytes": 2000}) as hooks:
        for size in (1500, 3000):
            answer = await hooks.post("small", b"x" * size, known)
            said = (answer.status_code, answer.json()["detail"])
            assert said == (413, "the body is larger than the 1000 bytes allowed")
        answer = await hooks.post("small", b"x" * 3000, {})
        assert answer.json()["detail"] == "the body is larger than the 2000 bytes that any hook here allows"


async def test_caller_that_asks_first_is_told_to_close():
    """A body that was announced with Expect, and refused, is never taken for the next request."""
    async with webhooks(OPEN) as hooks:
        line = await hooks.connect()
        head = b"POST /hooks/open HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
        await line.send(head % (100 * MEGABYTE))
        status, headers, _ = await line.answer()
        assert (status, headers["connection"]) == (413, "close")
        assert await line.ends()
        line = await hooks.connect()
        await line.send(head % len(cloudevent()))
        assert (await line.answer())[0] == 100
        await line.send(cloudevent())
        assert (await line.answer())[0] == 202


@pytest.mark.parametrize("is_declared", [True, False], ids=["declared", "chunked"])
async def test_body_of_100_megabytes_costs_little_memory(is_declared):
    """Bodies of any size are refused with 413 and never held."""
    part = b"x" * MEGABYTE

    async def body():
        for _ in range(100):
            yield part

    headers = {"Content-Length": str(100 * MEGABYTE)} if is_declared else {}
    async with webhooks(OPEN, {"name": "mes", "secret": SECRET}) as hooks:
        for name, more in (("open", {}), ("mes", signed(b"")), ("nowhere", {})):
            tracemalloc.start()
            answer = await hooks.client.post(f"/hooks/{name}", content=body(), headers=headers | more)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert answer.status_code == 413
            assert peak < 12 * MEGABYTE  # caller, buffers of the sockets, and the 4 MiB that the hook allows


async def test_memory_of_all_callers_together_is_bounded():
    """Of large bodies that come at one time, those that find no room are told to come later."""
    async with webhooks({**OPEN, "max_bytes": ROOM}) as hooks:
        slow = await hooks.connect()
        size = 40 * MEGABYTE + 1
        await slow.send(f"POST /hooks/open HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
        await slow.send(b" " * (size - 1))
        # which of both is refused depends on what sockets still keep of the first one
        other = await hooks.post("open", b" " * (40 * MEGABYTE))
        await slow.send(b" ")
        status, headers, _ = await slow.answer()
        told = {other.status_code: other.headers, status: headers}
        assert told.keys() == {400, 503}
        assert told[503]["retry-after"] == "1"
        assert (await hooks.post("open", b" " * (40 * MEGABYTE))).status_code == 400


async def test_gzip():
    """Packed bodies are read, and the signature is that of the packed bytes."""
    async with webhooks(OPEN) as hooks:
        packed = gzip.compress(cloudevent())
        for encoding in ("gzip", "x-gzip", "GZIP", ""):
            assert (await hooks.post("open", packed, {"Content-Encoding": encoding})).status_code == 202
        for damaged in (
            packed[:-9],
            packed + b"x",
            packed[:20] + b"x" + packed[21:],
            b"\x1f\x8bxxx",
            b"",
            cloudevent(),
        ):
            answer = await hooks.post("open", damaged, {"Content-Encoding": "gzip"})
            assert answer.status_code == 400
            assert "gzip" in answer.json()["detail"]


async def test_gzip_bomb():
    """What is large only when it is unpacked is refused, and unpacked no further than its hook allows."""
    bomb = gzip.compress(b"[" + b" " * (64 * MEGABYTE) + b"]", compresslevel=1)
    async with webhooks(OPEN) as hooks:
        tracemalloc.start()
        answer = await hooks.post("open", bomb, {"Content-Encoding": "gzip"})
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert answer.status_code == 413
        assert "4194304" in answer.json()["detail"]
        assert peak < 24 * MEGABYTE


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"\xef\xbb\xbf" + b"[" * 100_000,
        b'{"specversion":"1.0","id":"1","source":"x","type":"test.result","data":'
        + b'{"a":' * 65
        + b"1"
        + b"}" * 66,
        b'{"a":' * 100_000,
        ("[" * 100_000).encode("utf-16"),
        b"[" * 1_000_000 + b"]" * 1_000_000,
        b"[" + b"1," * 1_000_000 + b"1]",
    ],
    ids=["lists", "objects", "bom", "just", "open", "utf-16", "wide", "many"],
)
async def test_deep_and_wide_json(body):
    """JSON of any depth and width is refused with a reason, alone, packed, and as data of a CloudEvent."""
    attributes = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "x", "ce-type": "test.result"}
    async with webhooks(OPEN) as hooks:
        for content, headers in (
            (body, {}),
            (gzip.compress(body), {"Content-Encoding": "gzip"}),
            (body, attributes),
        ):
            answer = await hooks.post("open", content, headers)
            assert answer.status_code == 400
            assert answer.json()["detail"]
        assert (await hooks.post("open", cloudevent())).status_code == 202


async def test_a_mapped_hook_reads_as_much_as_it_allows():
    """Its limits hold for profiles and mappings as for all else: larger bodies, and smaller ones."""
    wide = {**OPEN, "profile": "pass-fail", "max_bytes": 6 * MEGABYTE, "max_depth": 120}
    narrow = {**OPEN, "name": "narrow", "profile": "pass-fail", "max_bytes": 100, "max_depth": 3}
    deep = b'{"serial": "1", "result": "PASS", "more": %s}' % (b"[" * 100 + b"]" * 100)
    large = b'{"serial": "2", "result": "PASS", "more": "%s"}' % (b"x" * 5 * MEGABYTE)
    reading = adapter_of(WebhookConfig(hooks=(wide, narrow)).readings, formats={})
    async with webhooks(wide, narrow, adapter=reading) as hooks:
        for body in (deep, large, gzip.compress(large)):
            assert (await hooks.post("open", body)).status_code == 202
        for body, status in ((deep, 413), (b"[" * 10 + b"]" * 10, 400), (gzip.compress(large[:200]), 413)):
            assert (await hooks.post("narrow", body)).status_code == status


async def test_depth_that_is_allowed():
    """Brackets in texts and beside one another are no depth."""
    data = {"unit_id": "1", "text": "[" * 1000, "list": [[], [], []] * 100}
    async with webhooks(OPEN) as hooks:
        assert (await hooks.post("open", cloudevent(data=data))).status_code == 202


async def test_chunked_body_without_length():
    """A body whose length nobody said is taken."""

    async def body():
        for byte in cloudevent():
            yield bytes([byte])

    async with webhooks({"name": "mes", "secret": SECRET}) as hooks:
        answer = await hooks.client.post("/hooks/mes", content=body(), headers=signed(cloudevent()))
        assert answer.status_code == 202
        assert len(hooks.events) == 1


async def test_pipelined_requests():
    """Requests that come at once are answered one by one, in order, also behind one that is refused."""
    async with webhooks({**OPEN, "format": "events"}, adapter=unit_adapter) as hooks:
        line = await hooks.connect()
        bodies = [b'{"unit": "%d"}' % number if number != 3 else b"{" for number in range(8)]
        await line.send(
            b"".join(request("open", body, Idempotency_Key=str(at)) for at, body in enumerate(bodies))
        )
        answers = [await line.answer() for _ in bodies]
        assert [status for status, *_ in answers] == [202, 202, 202, 400, 202, 202, 202, 202]
        assert [event.payload["unit_id"] for event in hooks.events] == ["0", "1", "2", "4", "5", "6", "7"]


async def test_what_is_no_http():
    """Bytes of other protocols, heads that are too large and broken chunks are answered and closed."""
    chunked = b"POST /hooks/open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    two_lengths = b"POST /hooks/open HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"
    async with webhooks(OPEN) as hooks:
        for said in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000,
            b"AMQP\x00\x01\x00\x00\r\n\r\n",
            chunked + b"zz\r\n",
            two_lengths,
            b"POST /hooks/open HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        ):
            line = await hooks.connect()
            await line.send(said)
            status, headers, _ = await line.answer()
            assert (status, headers["content-type"]) == (400, "application/problem+json")
            assert await line.ends()
        assert not hooks.events


async def test_too_many_connections():
    """Connections beyond the limit are told so; when others have gone there is room again."""
    async with webhooks(OPEN, max_connections=2) as hooks:
        first, second = await hooks.connect(), await hooks.connect()
        for line in (first, second):
            await line.send(request("open", cloudevent()))
            assert (await line.answer())[0] == 202
        third = await hooks.connect()
        await third.send(request("open", cloudevent(2)))
        status, headers, _ = await third.answer()
        assert (status, headers["retry-after"], headers["connection"]) == (503, "5", "close")
        assert await third.ends()
        for line in (first, second):
            await line.send(request("open", cloudevent(), Connection="close"))
            assert (await line.answer())[0] == 202
            assert await line.ends()
        assert (await hooks.post("open", cloudevent(2))).status_code == 202


async def test_caller_that_does_not_read():
    """Who asks and asks, and reads no answer, is cut off."""
    many = [{"name": f"hook-{number}", "auth": "none"} for number in range(100)]
    async with webhooks(*many, openapi=True, header_timeout=0.3) as hooks:
        line = await hooks.connect()
        await line.send(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        line.reader._transport.pause_reading()
        async with asyncio.timeout(SECONDS):
            await hooks.transport._server._gone.wait()
