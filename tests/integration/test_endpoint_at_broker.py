"""Our presence at a real RabbitMQ, over both versions of AMQP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from brokers import RabbitMQ
from brokers.recorder import Recorder

from pywats_cfx import CFXEnvelope, CFXTransport, cfx_adapter, decode
from pywats_cfx import messages as cfx
from pywats_cfx.config import CFXConfig
from pywats_cfx.endpoint.endpoint import Endpoint
from pywats_cfx.endpoint.presence import Presence
from pywats_events.transports.base import BaseTransport

pytestmark = pytest.mark.broker
HANDLE, OTHER = "Acme.MES.1", "Acme.Boss.1"


@asynccontextmanager
async def running(transport: BaseTransport, intake: Recorder) -> AsyncIterator[None]:
    await transport.start(intake)
    try:
        await intake.until_connected()
        yield
    finally:
        await transport.stop()
        await transport.close()


def said(intake: Recorder, source: str) -> list[CFXEnvelope]:
    """Give what an endpoint said, as the intake heard it."""
    envelopes = [each for raw in intake.messages for each in decode(raw.body)]
    return [envelope for envelope in envelopes if envelope.source == source]


@pytest.mark.parametrize("protocol", ["1.0", "0-9-1"])
async def test_others_hear_that_we_come_live_answer_and_go(broker: RabbitMQ, protocol: str):
    """And what comes back to us of our own words makes no events."""
    exchange = f"x-{uuid4().hex}"

    def config(handle: str) -> CFXConfig:
        amqp = {"host": broker.host, "port": broker.port, "exchange": exchange, "queue": f"q-{uuid4().hex}"}
        endpoint = {"cfx_handle": handle, "public_uri": "amqp://mes:5690/"}
        return CFXConfig.model_validate({"amqp": {**amqp, "protocol": protocol}, "endpoint": endpoint})

    heard, ours = Recorder(), Recorder()
    boss = CFXTransport(config(OTHER))
    presence = Presence(CFXTransport(config(HANDLE)), Endpoint(config(HANDLE).endpoint))
    async with running(boss, heard):
        async with running(presence, ours):
            await heard.until_taken(2)
            request = cfx.WhoIsThereRequest(supported_topic_query_type=cfx.SupportedTopicQueryType.Ignore)
            await boss.publish(CFXEnvelope.of(request, source=OTHER, request_id="REQUEST-1"))
            await heard.until_taken(4)  # the request itself, and our answer
            await ours.until_taken(4)
        await heard.until_taken(5)
    names = [envelope.message_name for envelope in said(heard, HANDLE)]
    assert names == [
        "CFX.EndpointConnected",
        "CFX.Heartbeat",
        "CFX.WhoIsThereResponse",
        "CFX.EndpointShuttingDown",
    ]
    answer = said(heard, HANDLE)[2]
    assert (answer.target, answer.request_id) == (OTHER, "REQUEST-1")
    assert answer.body["RequestNetworkUri"] == "amqp://mes:5690/"
    back = [raw for raw in ours.messages if decode(raw.body)[0].source == HANDLE]
    assert len(back) >= 3  # the goodbye may come back before we are gone
    assert not any(presence.adapter(raw) for raw in back)
    assert all(cfx_adapter(raw) for raw in back)  # they would have been


async def test_a_broker_that_is_not_there_delays_neither_start_nor_stop():
    """The transport goes on trying; we are simply not present."""
    amqp = {"port": 1, "host": "127.0.0.1", "reconnect_initial_delay": 60}
    config = CFXConfig.model_validate({"amqp": amqp})
    presence = Presence(CFXTransport(config), Endpoint(config.endpoint))
    async with asyncio.timeout(30):
        await presence.start(Recorder())
        await presence.stop()
        await presence.close()
