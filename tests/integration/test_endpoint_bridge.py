"""A bridge without any broker, put together by its configuration: machines connect, publish and ask."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from proton import Delivery
from sdk_machine import Asker, Machine, envelope_in, transfers

from pywats_api.server import LocalWATS
from pywats_bridge.checking import check
from pywats_bridge.composition import bridge_of
from pywats_bridge.settings import BridgeSettings, settings_of
from pywats_cfx.amqp10.listener import CFXListener

HANDLE = "Acme.MES.1"


def settings(url: str, folder: Path, **endpoint: Any) -> BridgeSettings:
    document = {
        "wats": {"url": url, "token": "t0ken"},
        "journal": {"kind": "memory"},
        "cfx": {"endpoint": {"cfx_handle": HANDLE, "listen": "amqp://127.0.0.1:0", **endpoint}},
        "validation": {"enabled": True, "unknown_unit": "fail"},
        "stations": [{"handle": "Acme.Tester.*", "process": 30, "part_number": "BRD-A", "revision": "C"}],
    }
    return settings_of(document, base=folder)


async def test_without_a_section_of_a_broker_machines_connect_to_us(tmp_path):
    """What the SDK publishes becomes reports; its question about an unknown unit is answered."""
    async with LocalWATS(tmp_path / "wats.sqlite") as server:
        bridge = bridge_of(settings(server.url, tmp_path))
        (listener,) = (
            bridge.bus.transports if hasattr(bridge.bus, "transports") else bridge.bus._transports.values()
        )
        assert isinstance(listener, CFXListener)

        def play(uri: str) -> tuple[list[Any], dict[str, Any]]:
            with Asker(uri, "request-validate") as asker:
                _, answer = asker.ask()
            with Machine(uri) as machine:
                link = machine.sender("CFXListener")
                flying = [machine.transfer(link, each) for each in transfers("publish-raw-single")]
                return [machine.outcome(each) for each in flying], envelope_in(answer)["MessageBody"]

        async with bridge:
            outcomes, verdict = await asyncio.to_thread(play, await listener.listening())
            assert outcomes == [Delivery.ACCEPTED] * 9
            assert verdict["Result"]["Result"] == "Success"
            assert verdict["PrimaryResult"]["Result"] == "Failed"
            await bridge.bus.drain()
            assert await bridge.api.report.query_uut_headers(top=10)


@pytest.mark.parametrize("free", [True, False])
async def test_check_says_whether_the_place_can_be_listened_to(tmp_path, free):
    """And looks for no broker where none is configured."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"amqp://127.0.0.1:{0 if free else taken.getsockname()[1]}"
        async with LocalWATS(tmp_path / "wats.sqlite") as server:
            found = {
                finding.what: finding async for finding in check(settings(server.url, tmp_path, listen=place))
            }
    assert found[f"listener {place}"].good is free
    assert not any(what.startswith("broker") for what in found)
