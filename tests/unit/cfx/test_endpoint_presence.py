"""Our presence at a broker: signs of life, answers to all, and nothing of our own taken for others'."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pywats_cfx import CFXEnvelope, cfx_adapter, encode
from pywats_cfx import messages as cfx
from pywats_cfx.amqp.troubles import PublishFailed
from pywats_cfx.endpoint.config import EndpointConfig
from pywats_cfx.endpoint.endpoint import Endpoint
from pywats_cfx.endpoint.presence import Presence, without_own
from pywats_events import RawMessage

SECONDS = 10.0
HANDLE = "Acme.MES.1"


class Broker:
    """A broker's side of a transport: what was published, and whether it can be."""

    name = "cfx"

    def __init__(self) -> None:
        self.adapter = cfx_adapter
        self.published: list[CFXEnvelope] = []
        self.is_away = False
        self.hangs = False
        self.intake: Any = None
        self.stopped_after: int | None = None
        self._new = asyncio.Event()

    async def start(self, intake: Any) -> None:
        """Remember who takes messages in."""
        self.intake = intake

    async def stop(self) -> None:
        """Remember how many were published by then."""
        self.stopped_after = len(self.published)

    async def close(self) -> None:
        """Nothing to let go."""

    async def publish(self, *envelopes: CFXEnvelope) -> None:
        """Take them, or not."""
        if self.hangs:
            await asyncio.Event().wait()
        if self.is_away:
            self._new.set()
            raise PublishFailed("nothing can be published, the broker is not connected")
        self.published += envelopes
        self._new.set()

    async def has(self, number: int) -> list[str]:
        """Wait until so many messages were published; give their names."""
        async with asyncio.timeout(SECONDS):
            while len(self.published) < number:
                self._new.clear()
                await self._new.wait()
        return [envelope.message_name for envelope in self.published]

    async def was_tried(self) -> None:
        """Wait until something was to be published."""
        async with asyncio.timeout(SECONDS):
            await self._new.wait()


class Bus:
    """Takes everything in."""

    async def receive(self, message: RawMessage, *, adapter: Any = None) -> None:
        """Take it."""

    async def handled(self, event_id: str) -> None:
        """Nothing to wait for."""

    async def connected(self, transport: str, detail: str) -> None:
        """Nobody to tell."""

    async def disconnected(self, transport: str, reason: str) -> None:
        """Nobody to tell."""


async def present(broker: Broker, *, faults: Any = None, **settings: Any) -> Presence:
    endpoint = Endpoint(EndpointConfig(cfx_handle=HANDLE, **settings))
    presence = Presence(broker, endpoint, faults=faults)
    await presence.start(Bus())
    return presence


async def test_we_say_that_we_are_there_alive_and_leaving():
    """EndpointConnected, a Heartbeat at once and then at each interval, EndpointShuttingDown last."""
    broker = Broker()

    async def faults() -> list[cfx.Fault]:
        return [cfx.Fault(fault_code="WATS_UNREACHABLE")]

    presence = await present(broker, faults=faults, heartbeat=1)
    await broker.intake.connected("cfx", "")
    names = await broker.has(3)
    assert names == ["CFX.EndpointConnected", "CFX.Heartbeat", "CFX.Heartbeat"]
    beat = broker.published[1]
    assert beat.source == HANDLE
    assert beat.body["HeartbeatFrequency"] == "00:00:01"
    assert [fault["FaultCode"] for fault in beat.body["ActiveFaults"]] == ["WATS_UNREACHABLE"]
    await presence.stop()
    assert broker.published[-1].message_name == "CFX.EndpointShuttingDown"
    assert broker.stopped_after == len(broker.published)


async def test_each_new_connection_hears_that_we_are_there():
    """A broker that comes back knows us again, and only once."""
    broker = Broker()
    presence = await present(broker)
    await broker.intake.connected("cfx", "")
    await broker.has(2)
    await broker.intake.disconnected("cfx", "gone")
    await broker.intake.connected("cfx", "")
    assert (await broker.has(4))[2:] == ["CFX.EndpointConnected", "CFX.Heartbeat"]
    await presence.stop()


async def test_no_heartbeat_is_a_choice():
    """With 0 we say that we come and go, and nothing between."""
    broker = Broker()
    presence = await present(broker, heartbeat=0)
    await broker.intake.connected("cfx", "")
    await broker.has(1)
    await presence.stop()
    assert await broker.has(2) == ["CFX.EndpointConnected", "CFX.EndpointShuttingDown"]


async def test_a_broker_that_is_away_holds_up_nothing():
    """Neither failing nor never connected; the end comes all the same."""
    broker = Broker()
    presence = await present(broker)
    await presence.stop()
    assert broker.published == []
    broker.is_away = True
    await broker.intake.connected("cfx", "")
    await broker.was_tried()
    await presence.stop()
    assert broker.stopped_after == 0


async def test_a_broker_that_hangs_does_not_hold_up_the_end(monkeypatch):
    """Our goodbye is given up after its time."""
    monkeypatch.setattr("pywats_cfx.endpoint.presence._GOODBYE", 0.01)
    broker = Broker()
    broker.hangs = True
    presence = await present(broker)
    await broker.intake.connected("cfx", "")
    async with asyncio.timeout(SECONDS):
        await presence.stop()
    assert broker.stopped_after == 0


def asking(
    source: str, *, encoding: str | None = None, named: bool = True, query: str = "Ignore"
) -> RawMessage:
    """Give a question to all, as it comes from the queue."""
    request = CFXEnvelope.of(
        cfx.WhoIsThereRequest(
            supported_topic_query_type=cfx.SupportedTopicQueryType(query),
            supported_topics=[cfx.SupportedTopic(topic_name="CFX.Nothing")],
        ),
        source=source,
        request_id="REQUEST-1",
    )
    application = {"application_properties": {"cfx-message": request.message_name}} if named else {}
    return RawMessage(
        encode(request, content_encoding=encoding), content_encoding=encoding, properties=application
    )


@pytest.mark.parametrize(("encoding", "named"), [("gzip", True), (None, True), (None, False)])
async def test_who_asks_all_hears_of_us(encoding, named):
    """The answer is published, to who asked, with the id of the request."""
    broker = Broker()
    presence = await present(broker)
    await broker.intake.receive(asking("Acme.Boss", encoding=encoding, named=named))
    await broker.has(1)
    (answer,) = broker.published
    assert answer.message_name == "CFX.WhoIsThereResponse"
    assert (answer.source, answer.target, answer.request_id) == (HANDLE, "Acme.Boss", "REQUEST-1")
    await presence.stop()


async def test_who_asks_for_others_or_is_ourselves_hears_nothing():
    """No answer for topics that we don't have, none to our own question, none to broken ones."""
    broker = Broker()
    presence = await present(broker)
    await broker.intake.receive(asking("Acme.Boss", query="All"))
    await broker.intake.receive(asking(HANDLE))
    await broker.intake.receive(RawMessage(b"CFX.WhoIsThereRequest, or not"))
    await broker.intake.receive(asking("Acme.Boss"))
    assert await broker.has(1) == ["CFX.WhoIsThereResponse"]
    await presence.stop()
    assert len(broker.published) == 1


def test_what_we_said_ourselves_is_no_event():
    """A queue that gets everything gets our signs of life, too; those of others are events."""
    adapter = without_own(cfx_adapter, HANDLE)
    beat = cfx.Heartbeat(cfx_handle=HANDLE)
    ours, other = CFXEnvelope.of(beat, source=HANDLE), CFXEnvelope.of(beat, source="Acme.Tester.T1")
    assert adapter(RawMessage(encode(ours))) == []
    assert [event.source for event in adapter(RawMessage(encode([ours, other])))] == ["Acme.Tester.T1"]
    assert len(adapter(RawMessage(b"not CFX", address="somebody"))) == 1
