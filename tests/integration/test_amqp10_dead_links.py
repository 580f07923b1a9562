"""A link over AMQP 1.0 that is dead while its connection lives is noticed; a slow or idle one lives on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from brokers.machine10 import data
from brokers.peer10 import FakePeer, Peers, listening
from brokers.recorder import Recorder

from pywats_cfx.amqp.transport import CFXTransport
from pywats_cfx.config import AMQPConfig, CFXConfig
from pywats_events.message import RawMessage


def nothing(_: RawMessage) -> list[Any]:
    return []


def config_for(peers: Peers, **settings: Any) -> AMQPConfig:
    usual = {"queue": "q", "declare_queue": False, "heartbeat": 1, "reconnect_initial_delay": 0.05}
    return AMQPConfig(host="127.0.0.1", port=peers.port, **(usual | settings))


@asynccontextmanager
async def running(config: AMQPConfig, intake: Recorder) -> AsyncIterator[CFXTransport]:
    transport = CFXTransport(CFXConfig(amqp=config), adapter=nothing)
    await transport.start(intake)
    try:
        yield transport
    finally:
        await transport.stop()
        await transport.close()


@asynccontextmanager
async def connected(intake: Recorder, **settings: Any) -> AsyncIterator[FakePeer]:
    """Give the other side of a connected transport."""
    async with listening() as peers, running(config_for(peers, **settings), intake):
        await intake.until_connected()
        yield await peers.next()


async def test_session_that_dies_without_a_word():
    """A broker that answers elsewhere and not in our session is told in one line, and attached anew."""
    intake = Recorder()
    with structlog.testing.capture_logs() as lines:
        async with connected(intake) as peer:
            peer.let_session_die()
            reason = await intake.until_disconnected()
            await intake.until_connected(times=2)
    assert "does not answer on our link any more" in reason
    assert 'queue "q"' in reason
    assert lines == [], "one line, which the intake writes"


async def test_queue_that_is_gone_without_a_word():
    """A queue that the broker has no more is noticed, although it did not end our link."""
    intake = Recorder()
    async with connected(intake) as peer:
        peer.forget_queues()
        assert "queue or exchange is missing" in await intake.until_disconnected()


async def test_slow_broker_is_not_dead():
    """A broker that takes its time with every answer keeps its link, however long the time."""
    intake = Recorder()
    async with connected(intake) as peer:
        peer.hold()
        await peer.until(lambda: peer.sessions == 2)  # the question on our link was not answered in time
        peer.go_on()
        await peer.until(
            lambda: peer.detached >= 4
        )  # both questions, and those of later rounds, are done with
        assert [state for state, _ in intake.states] == ["connected"]


async def test_broker_that_answers_nothing():
    """A connection that gives signs of life and no answer at all is made anew after a while."""
    intake = Recorder()
    async with connected(intake, connect_timeout=1) as peer:
        peer.hold()
        assert "answers nothing (no answer within 6 s)" in await intake.until_disconnected()
        await intake.until_connected(times=2)


async def test_link_without_credit_is_not_dead():
    """While the intake holds all that it may, the link without credit is asked after, and lives on."""
    intake = Recorder()
    async with connected(intake, prefetch=1) as peer:
        intake.hold()
        peer.deliver(data(b"1").encode())
        await intake.until(lambda: intake.waiting == 1)
        asked = peer.detached
        await peer.until(lambda: peer.detached >= asked + 2)
        assert [state for state, _ in intake.states] == ["connected"]
        intake.go_on()
        await intake.until_taken(1)
    assert intake.bodies == [b"1"]
