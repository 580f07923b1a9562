"""Recorders and replays that are killed in the middle."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from brokers.ports import free_ports
from brokers.postgres import PostgreSQL
from recording_program import TOKEN, Program, call, in_file

from pywats_api.server import LocalWATS
from pywats_events.transports.capture.reading import CaptureFile

pytestmark = pytest.mark.timeout(120)

UNITS = 150
CONFIGURATION = """
[wats]
url = "{wats}"
token_file = "token"
requests_per_minute = 60000
[delivery]
concurrency = 2
lease = 1
[webhook]
listen = "http://127.0.0.1:{port}"
[[webhook.hooks]]
name = "testers"
auth = "none"
profile = "pass-fail"
[[stations]]
handle = "*"
process = 60
part_number = "PCB-100"
"""


def configuration(
    folder: Path, *, wats: str = "http://127.0.0.1:9", port: int = 1, journal: str = ""
) -> Path:
    """Write one, and its token."""
    (folder / "token").write_text(TOKEN)
    path = folder / "bridge.toml"
    path.write_text(CONFIGURATION.format(wats=wats, port=port) + journal)
    return path


def unit(number: int) -> dict[str, str]:
    return {"serial": f"SN{number:04}", "result": "PASS", "time": "2026-03-02T09:15:27Z"}


async def reports(wats: LocalWATS) -> list[str]:
    """Give the serial number of each report; one that came twice stands there once."""
    async with httpx.AsyncClient(base_url=wats.url) as client:
        return sorted(row["body"]["sn"] for row in (await client.get("/local/reports")).json())


async def test_a_recorder_that_is_killed_keeps_what_it_promised(tmp_path: Path) -> None:
    """Each call that was answered with 202 is a whole line of the file, and no call is two."""
    (port,) = free_ports(1)
    config, path = configuration(tmp_path, port=port), tmp_path / "calls.jsonl"
    promised: list[str] = []

    async def calling() -> None:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as caller:
            while True:
                body = unit(len(promised))
                answer = await caller.post("/hooks/testers", json=body)
                assert answer.status_code == 202
                promised.append(body["serial"])

    async with Program.started("record", "--from", "hook", "--to", path, "--config", config) as program:
        await program.says("webhook: records from")
        caller = asyncio.create_task(calling())
        await in_file(path, 30)
        program.process.kill()
        with pytest.raises(httpx.TransportError):
            await caller
    with CaptureFile(path) as file:
        kept = [json.loads(each.body)["serial"] for each in file]  # type: ignore[union-attr]  # none is damaged
    assert kept in (promised, [*promised, unit(len(promised))["serial"]])  # its answer was on the way


@pytest.mark.broker
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_replay_that_is_killed_goes_on(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Killed while reports go out, and brought in again twice: each unit has its report, once."""
    journal = ""
    if kind == "postgres":
        server: PostgreSQL = request.getfixturevalue("postgres")
        (tmp_path / "url").write_text(await asyncio.to_thread(server.fresh))
        journal = '[journal]\nkind = "postgres"\nurl_file = "url"\n'
    path = tmp_path / "calls.jsonl"
    line = {"received": "2026-03-02T09:15:30+00:00", "transport": "webhook", "address": "/hooks/testers"}
    lines = [{"capture": 1}, *({**line, "text": json.dumps(unit(number))} for number in range(UNITS))]
    path.write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    async with LocalWATS(tmp_path / "wats.sqlite", token=TOKEN) as wats:
        config = configuration(tmp_path, wats=wats.url, journal=journal)
        given = ("replay", path, "--config", config, "--speed", "max")
        async with Program.started(*given) as program:
            while len(await reports(wats)) < 3:
                assert program.process.returncode is None
            program.process.kill()
            await program.process.wait()
        before = await reports(wats)
        assert len(before) < UNITS
        for _ in range(2):
            code, printed, said = await call(*given)
            assert (code, printed.startswith(f"{UNITS} of {UNITS} messages, {UNITS} events; ")) == (
                0,
                True,
            ), (
                printed,
                said,
            )
            assert await reports(wats) == [unit(number)["serial"] for number in range(UNITS)]
        assert f"{UNITS} were here before" in printed
        received = [row["receiveCount"] for row in await _headers(wats)]
        assert sum(received) - UNITS <= 2, "only what was under way when it was killed was sent again"


async def _headers(wats: LocalWATS) -> list[dict[str, int]]:
    async with httpx.AsyncClient(base_url=wats.url, headers={"Authorization": f"Basic {TOKEN}"}) as client:
        answer = await client.get("/api/Report/Query/Header", params={"$top": 1000})
        return answer.json()  # type: ignore[no-any-return]
