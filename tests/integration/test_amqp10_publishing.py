"""Publishing over AMQP 1.0 beside reading: links that hang or are given up leave nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from brokers.peer10 import FakePeer, listening
from brokers.recorder import Recorder

from pywats_cfx import CFXEnvelope
from pywats_cfx.amqp.transport import CFXTransport
from pywats_cfx.amqp.troubles import PublishFailed
from pywats_cfx.config import AMQPConfig, CFXConfig
from pywats_events.message import RawMessage

HEARTBEAT = CFXEnvelope("CFX.Heartbeat")
#: Sessions that a connection of AMQP 1.0 may have here, and the links that are kept for publishing.
MOST_SESSIONS, MOST_LINKS = 255, 16


def nothing(_: RawMessage) -> list[Any]:
    return []


@asynccontextmanager
async def connected(
    product: str = "SomeBroker", version: str = "", **settings: Any
) -> AsyncIterator[tuple[CFXTransport, FakePeer]]:
    """Give a connected transport and the other side of it; nobody asks after its link meanwhile."""
    intake = Recorder()
    usual = {"queue": "q", "declare_queue": False, "heartbeat": 0, "publish_address": "news"}
    async with listening(product=product, version=version) as peers:
        config = AMQPConfig(host="127.0.0.1", port=peers.port, **(usual | settings))
        transport = CFXTransport(CFXConfig(amqp=config), adapter=nothing)
        await transport.start(intake)
        try:
            await intake.until_connected()
            yield transport, await peers.next()
        finally:
            await transport.stop()
            await transport.close()
        assert [state for state, _ in intake.states] == ["connected"], "one connection served for all of it"


async def test_session_that_hangs_is_given_up():
    """A message that gets no word fails; the next one goes over a new session of the same connection."""
    async with connected(connect_timeout=0.5) as (transport, peer):
        await transport.publish(HEARTBEAT)
        peer.let_publishing_die()
        with pytest.raises(PublishFailed, match="neither took nor refused a message within"):
            await transport.publish(HEARTBEAT)
        await transport.publish(HEARTBEAT)
        assert len(peer.published) == 2
        await peer.until(lambda: peer.ended == 1)


async def test_link_that_the_broker_detached_leaves_no_session():
    """Where a broker ends a link for publishing again and again, each gets a new one and no session stays."""
    async with connected() as (transport, peer):
        for number in range(MOST_SESSIONS + 10):
            await transport.publish(HEARTBEAT)
            peer.refuse_publishing()
            await peer.until(lambda: peer.detached == number + 1)  # noqa: B023  # awaited at once
        await transport.publish(HEARTBEAT)
        assert len(peer.published) == MOST_SESSIONS + 11


async def test_more_kinds_of_messages_than_sessions():
    """A broker that wants a link for each kind of message gets some at a time; the others' sessions end."""
    async with connected("RabbitMQ", "4.0.5", publish_address=None, address="q") as (transport, peer):
        for number in range(MOST_SESSIONS + 10):
            await transport.publish(CFXEnvelope(f"Acme.Kind{number}"))
        await peer.until(lambda: peer.ended == MOST_SESSIONS + 10 - MOST_LINKS)
        assert len(peer.published) == MOST_SESSIONS + 10
