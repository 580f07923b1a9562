"""MQTT brokers with limits, rules and lapses of their own: what is read, and what is said."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from brokers.mosquitto import Mosquitto
from brokers.recorder import Recorder
from mqtt_steps import VERSIONS, numbered, publish, publisher, running, settings, topic_in

from pywats_events.transports.mqtt import MQTTConfig

pytestmark = pytest.mark.broker


async def test_broker_that_hangs_is_left_and_found_again(own_mosquitto: Callable[..., Mosquitto]):
    """A broker that says nothing for the time of keepalive is gone; when it goes on, nothing is lost."""
    broker = own_mosquitto()
    config = settings(broker, keepalive=5, connect_timeout=1)
    intake = Recorder()
    async with running(config, intake) as transport:
        await intake.until_connected()
        broker.signal(signal.SIGSTOP)
        try:
            reason = await intake.until_disconnected()
            await transport.until_error("does not answer within 1 s")
        finally:
            broker.signal(signal.SIGCONT)
        await intake.until_connected(2)
        await publish(broker, topic_in(config), b"1")
        await intake.until_taken(1)
    assert "nothing was heard of it for 5 s" in reason


@pytest.mark.parametrize("qos", [1, 2])
async def test_broker_that_sends_one_at_a_time(own_mosquitto: Callable[..., Mosquitto], qos: int):
    """Over MQTT 3.1.1 the broker's own limit holds: with one message under way all come, in order."""
    broker = own_mosquitto(settings=["max_inflight_messages 1"])
    config = settings(broker, protocol="3.1.1", qos=qos)
    intake = Recorder()
    async with running(config, intake):
        await intake.until_connected()
        async with publisher(broker) as machine:
            for body in numbered(50):  # it takes in no more than one at a time either
                await asyncio.to_thread(machine.publish, topic_in(config), body, qos=qos)
        await intake.until_taken(50)
    assert intake.bodies == numbered(50)


async def test_broker_that_forgets_its_sessions(own_mosquitto: Callable[..., Mosquitto]):
    """That messages may be lost is said, once for each time, and what comes from then on is read."""
    broker = own_mosquitto()  # it saves when it ends in peace only
    config = settings(broker)
    intake = Recorder()
    with structlog.testing.capture_logs() as logged:
        async with running(config, intake):
            await intake.until_connected()
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
            await intake.until_connected(2)
            await publish(broker, topic_in(config), b"1")
            await intake.until_taken(1)
    (said,) = [line["event"] for line in logged if "lost our session" in line["event"]]
    assert "what was published while we were away is lost" in said


@pytest.mark.parametrize("version", VERSIONS)
async def test_client_id_and_user_in_any_script(own_mosquitto: Callable[..., Mosquitto], version: str):
    """Names are UTF-8 on the way to the broker, and the session is found by them again."""
    broker = own_mosquitto(users={"Jürgen": "пароль"})
    config = settings(
        broker,
        protocol=version,
        client_id="橋-Ω-1",
        username="Jürgen",
        password="пароль",
        topic="Prüfung/検/#",
    )
    for session in ("new session", "session resumed"):
        intake = Recorder()
        async with running(config, intake):
            await intake.until_connected()
            assert intake.states[0][1].endswith(session)


async def test_subscription_that_is_taken_out_ends_by_the_documented_command(mosquitto: Mosquitto):
    """Until then its messages come, and are of no subscription; afterwards they don't."""
    old = settings(mosquitto)
    new = settings(mosquitto, client_id=old.client_id)
    intake = Recorder()
    async with running(old, intake):
        await intake.until_connected()
    intake = Recorder()
    async with running(new, intake):
        await intake.until_connected()
        await publish(mosquitto, topic_in(old), b"old")
        await intake.until_taken(1)
        assert "subscription" not in intake.messages[0].properties
    page = (Path(__file__).parents[2] / "docs" / "mqtt.md").read_text(encoding="utf-8")
    (command,) = [part for part in page.split("`") if part.startswith("mosquitto_sub")]
    program, *arguments = command.replace("bridge-line1", old.client_id).split()
    process = await asyncio.create_subprocess_exec(
        program, *arguments, "-h", mosquitto.host, "-p", str(mosquitto.port)
    )
    assert await asyncio.wait_for(process.wait(), 30) == 0
    intake = Recorder()
    async with running(new, intake):
        await intake.until_connected()
        await publish(mosquitto, topic_in(old), b"old")
        await publish(mosquitto, topic_in(new), b"new")
        await intake.until_taken(1)
    assert intake.bodies == [b"new"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_topic_that_the_user_may_not_read(
    own_mosquitto: Callable[..., Mosquitto], tmp_path: Path, version: str
):
    """Others are read all the same. Mosquitto grants the subscription, and gives nothing."""
    (tmp_path / "acl").write_text("topic read open/#\ntopic write #\n")
    broker = own_mosquitto(settings=[f"acl_file {tmp_path / 'acl'}"])
    base = settings(broker, protocol=version)
    config = MQTTConfig.model_validate(
        {
            **base.model_dump(exclude_unset=True),
            "subscriptions": [{"topic": t, "format": "events"} for t in ("open/{s}", "shut/{s}")],
        }
    )
    intake = Recorder()
    async with running(config, intake):
        await intake.until_connected()
        await publish(broker, "shut/1", b"shut")
        await publish(broker, "open/1", b"open")
        await intake.until_taken(1)
    assert intake.bodies == [b"open"]
