"""Events on their way out to MQTT topics, at a real broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from brokers.mosquitto import Mosquitto, Publisher

from handlers.outgoing import Outgoing
from handlers.outgoing_rules import OutgoingRule
from pywats_events import AsyncEventBus, Event, EventType
from pywats_events.journal import DeliveryState, Query
from pywats_events.policies import CircuitBreaker, ErrorPolicy, RetryPolicy
from pywats_events.transports.mqtt.config import MQTTBroker

pytestmark = [pytest.mark.timeout(60), pytest.mark.broker]


def at(server: Mosquitto, **given: Any) -> MQTTBroker:
    return MQTTBroker.model_validate(
        {"host": server.host, "port": server.port, "connect_timeout": 5, **given}
    )


def rule(topic: str, **given: Any) -> OutgoingRule:
    return OutgoingRule.model_validate(
        {"name": "andon", "events": ["test.result"], "topic": topic, "timeout": 5, **given}
    )


def result(number: int = 1, *, unit: str | None = None, **more: Any) -> Event:
    payload = {"unit_id": unit or f"SN{number}", "result": "fail", "number": number, **more}
    return Event(EventType.TEST_RESULT, payload, source="//Acme/L1/T1", id=f"event-{number}")


@asynccontextmanager
async def running(
    *rules: OutgoingRule, broker: MQTTBroker, reset_timeout: float = 0.05
) -> AsyncIterator[AsyncEventBus]:
    """A bus with targets, as the bridge has them."""
    outgoing = Outgoing(rules, mqtt=broker)
    bus = AsyncEventBus(
        retry_policy=RetryPolicy(max_retries=2, initial_delay=0.01, max_delay=0.05),
        error_policy=ErrorPolicy(circuit_breaker=CircuitBreaker(3, reset_timeout)),
    )
    for handler in outgoing.handlers:
        bus.subscribe(handler, filter=handler.wants)
    try:
        async with bus:
            yield bus
    finally:
        await outgoing.aclose()


async def settled(bus: AsyncEventBus, wanted: dict[DeliveryState, int]) -> None:
    """Wait until the journal says so: retries and probes take their time."""
    async with asyncio.timeout(30):
        while True:
            stats = await bus.journal.stats()
            if {state: stats.count(state) for state in DeliveryState if stats.count(state)} == wanted:
                return
            await bus.drain()


async def parked(bus: AsyncEventBus) -> Any:
    """Wait until the destination is left alone; give what is known of it."""
    async with asyncio.timeout(30):
        while (hold := (await bus.journal.holds()).get("outgoing-andon")) is None:
            await bus.drain()
    return hold


async def received(listener: Publisher, number: int) -> list[Any]:
    await asyncio.to_thread(listener.until, lambda: len(listener.received) >= number, seconds=30)
    return listener.received


async def listening(server: Mosquitto, topic: str) -> Publisher:
    return await asyncio.to_thread(lambda: Publisher(server, topic=topic))


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_events_arrive_on_their_topics(mosquitto: Mosquitto, protocol: str, qos: int) -> None:
    """As CloudEvents, on a topic of the event's own, with either version and each QoS."""
    line = uuid4().hex
    listener = await listening(mosquitto, f"{line}/#")
    with listener:
        async with running(
            rule(f"{line}/{{source}}/{{type}}/{{key}}", qos=qos), broker=at(mosquitto, protocol=protocol)
        ) as bus:
            for number in range(50):
                await bus.publish(result(number, unit="SN/1"))
            await settled(bus, {DeliveryState.DONE: 50})
            messages = await received(listener, 50)
    assert {message.topic for message in messages} == {f"{line}/Acme/L1/T1/test.result/SN%2F1"}
    documents = [json.loads(message.payload) for message in messages]
    assert [document["data"]["number"] for document in documents] == list(range(50))
    assert documents[0]["id"] == "event-0"
    if protocol == "5":
        assert messages[0].properties.ContentType == "application/cloudevents+json"
        (mark,) = messages[0].properties.UserProperty  # by which a bridge knows what went round
        assert mark[0] == "pywats-bridge-sent-by"


@pytest.mark.parametrize("qos", [1, 2])
async def test_a_broker_gets_no_more_at_once_than_it_takes(tmp_path: Path, qos: int) -> None:
    """It cuts off who sends more; so a burst arrives whole, each event once, over one connection."""
    server = Mosquitto(tmp_path, settings=["max_inflight_messages 2"])
    await asyncio.to_thread(server.start)
    try:
        with await listening(server, "burst/#") as listener:
            async with running(rule("burst/{key}", qos=qos), broker=at(server)) as bus:
                await asyncio.gather(*(bus.publish(result(number)) for number in range(200)))
                await settled(bus, {DeliveryState.DONE: 200})
                messages = await received(listener, 200)
        assert sorted(json.loads(each.payload)["data"]["number"] for each in messages) == list(range(200))
        assert server.log().count(" as pywats-bridge-out-") == 1
    finally:
        await asyncio.to_thread(server.end)


async def test_a_retained_event_is_there_for_who_comes_later(mosquitto: Mosquitto) -> None:
    """An andon light that was switched off sees the last state of each station."""
    line = uuid4().hex
    async with running(rule(f"{line}/{{key}}", retain=True), broker=at(mosquitto)) as bus:
        await bus.publish(result(1, unit="SN"))
        await bus.publish(result(2, unit="SN"))
        await settled(bus, {DeliveryState.DONE: 2})
    listener = await listening(mosquitto, f"{line}/#")
    with listener:
        (message,) = await received(listener, 1)
    assert (bool(message.retain), json.loads(message.payload)["id"]) == (True, "event-2")


async def test_what_happens_while_the_broker_is_down_arrives_in_order(
    own_mosquitto: Callable[..., Mosquitto],
) -> None:
    """It is killed and comes back; nothing is lost, nothing dies, each unit's events are in order."""
    server = own_mosquitto()
    async with running(rule("andon/{key}"), broker=at(server), reset_timeout=3600) as bus:
        await bus.publish(result(0))
        await settled(bus, {DeliveryState.DONE: 1})
        await asyncio.to_thread(server.kill)
        for number in range(1, 21):
            await bus.publish(result(number, unit=f"SN{number % 2}"))
        hold = await parked(bus)
        assert not hold.needs_attention
        await asyncio.to_thread(server.start)
        listener = await listening(server, "andon/#")
        with listener:
            await bus.probe("outgoing-andon")  # now, when somebody listens
            await settled(bus, {DeliveryState.DONE: 21})
            got = [json.loads(message.payload)["data"]["number"] for message in await received(listener, 20)]
    for unit in range(2):
        of_unit = [number for number in got if number % 2 == unit]
        assert of_unit == sorted(of_unit)
    assert set(got) == set(range(1, 21))


async def test_a_broker_that_refuses_us_is_left_alone(own_mosquitto: Callable[..., Mosquitto]) -> None:
    """A wrong password is not tried over and over, and is told without being shown."""
    server = own_mosquitto(users={"bridge": "right-word"})
    async with running(rule("andon"), broker=at(server, username="bridge", password="wrong-word")) as bus:
        await bus.publish(result())
        hold = await parked(bus)
    assert hold.needs_attention
    assert 'refuses user "bridge"' in hold.reason
    assert "wrong-word" not in hold.reason
    async with running(rule("andon"), broker=at(server, username="bridge", password="right-word")) as bus:
        await bus.publish(result())
        await settled(bus, {DeliveryState.DONE: 1})


async def test_an_event_that_is_too_large_holds_up_no_other(own_mosquitto: Callable[..., Mosquitto]) -> None:
    """The broker would end the connection at it, again and again."""
    server = own_mosquitto(settings=["max_packet_size 2000"])
    async with running(rule("andon"), broker=at(server)) as bus:
        await bus.publish(result(1, unit="SN", text="x" * 5000))
        await bus.publish(result(2, unit="SN"))
        await settled(bus, {DeliveryState.DEAD: 1, DeliveryState.DONE: 1})
        (dead,) = await bus.journal.search(Query(states=(DeliveryState.DEAD,)))
    assert "the broker takes packets of 2,000" in dead.reason


async def test_over_tls_only_a_broker_that_is_vouched_for(own_mosquitto: Callable[..., Mosquitto]) -> None:
    """With its authority's certificate it works; without, somebody has to look."""
    server = own_mosquitto()
    tls = {"host": "localhost", "port": server.tls_port, "tls": True}
    async with running(rule("andon"), broker=at(server, **tls)) as bus:
        await bus.publish(result())
        hold = await parked(bus)
        assert (hold.needs_attention, "is not trusted" in hold.reason) == (True, True)
    async with running(rule("andon"), broker=at(server, **tls, ca_file=server.certificates.authority)) as bus:
        await bus.publish(result())
        await settled(bus, {DeliveryState.DONE: 1})


async def test_the_next_broker_is_taken_where_the_first_is_down(
    own_mosquitto: Callable[..., Mosquitto],
) -> None:
    """As the transport does."""
    gone, there = own_mosquitto(), own_mosquitto()
    await asyncio.to_thread(gone.stop)
    async with running(rule("andon"), broker=at(gone, failover=[f"{there.host}:{there.port}"])) as bus:
        await bus.publish(result())
        await settled(bus, {DeliveryState.DONE: 1})
