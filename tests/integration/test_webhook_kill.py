"""A bridge that is killed while calls come: what it acknowledged, it has."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

import httpx
from webhook_steps import SECONDS, SECRET, cloudevent, signed, webhooks

from pywats_events.journal.sqlite import SQLiteJournal

WORKER = Path(__file__).with_name("webhook_worker.py")


async def _call_until_it_dies(url, line, acknowledged, enough):
    async with httpx.AsyncClient(base_url=url, timeout=SECONDS) as client:
        for count in range(1000):
            number = line * 1000 + count
            body = cloudevent(number)
            with contextlib.suppress(httpx.TransportError):
                answer = await client.post("/hooks/mes", content=body, headers=signed(body, key=f"m{number}"))
                assert answer.status_code == 202
                acknowledged.add(number)
                if len(acknowledged) >= 60:
                    enough.set()
                continue
            return


async def test_what_was_acknowledged_survives_a_kill(tmp_path):
    """Each call that was answered with 202 before a kill is known afterwards, with the same ids."""
    journal = tmp_path / "journal"
    process = await asyncio.create_subprocess_exec(
        sys.executable, WORKER, journal, stdout=asyncio.subprocess.PIPE, cwd=WORKER.parent
    )
    try:
        async with asyncio.timeout(SECONDS):
            while not (said := (await process.stdout.readline()).decode()).startswith("at "):
                assert said, "the worker ended"
        acknowledged, enough = set(), asyncio.Event()
        url = said.split()[1]
        calls = [asyncio.create_task(_call_until_it_dies(url, at, acknowledged, enough)) for at in range(4)]
        async with asyncio.timeout(SECONDS):
            await enough.wait()
            process.kill()
            await asyncio.gather(*calls)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
    hook = {"name": "mes", "secret": SECRET, "requests_per_minute": 1e9}
    async with webhooks(hook, journal=SQLiteJournal(journal)) as hooks:
        for number in sorted(acknowledged):
            body = cloudevent(number)
            answer = await hooks.post("mes", body, signed(body, key=f"m{number}"))
            assert answer.json() == {"event_ids": [f"/testers/7#{number}"]}
        assert not hooks.events  # none of them is new
