"""What can be said of MQTT in the configuration, and what is refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pywats_events.transports.mqtt import MQTTConfig

ONE = {"topic": "factory/{line}/{station}/result", "format": "events"}


def config(**changes: Any) -> MQTTConfig:
    return MQTTConfig.model_validate({"subscriptions": [ONE], **changes})


def test_defaults_fit_a_broker_as_installed():
    """A host and a topic are enough; the session is kept for ever."""
    plain = config()
    assert (plain.broker, plain.protocol, plain.session_expiry) == ("mqtt://localhost:1883", "5", 0xFFFF_FFFF)
    (one,) = plain.subscriptions
    assert (one.qos, one.retained, plain.filter_of(one)) == (1, "ignore", "factory/+/+/result")


def test_port_follows_tls_unless_given():
    """TLS has a port of its own."""
    assert config(tls=True).broker == "mqtts://localhost:8883"
    assert config(tls=True, port=1).port == 1


def test_shared_subscription_names_the_group():
    """What the broker gets of a subscription in a group."""
    shared = config(shared="bridges")
    assert shared.filter_of(shared.subscriptions[0]) == "$share/bridges/factory/+/+/result"


def test_failover_brokers():
    """The others are tried in turn, with the port that TLS has unless one is given."""
    brokers = config(tls=True, failover=["second", "third:99", "[::1]", "[::1]:7"]).brokers
    assert [(one.host, one.port) for one in brokers[1:]] == [
        ("second", 8883),
        ("third", 99),
        ("::1", 8883),
        ("::1", 7),
    ]
    assert brokers[3].broker == "mqtts://[::1]:8883"


def test_password_is_never_shown():
    """Neither the configuration nor the broker's line has it."""
    secret = config(username="bridge", password="s3cret")
    assert "s3cret" not in f"{secret!r} {secret} {secret.broker} {secret.model_dump_json()}"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"subscriptions": []}, "at least 1 item"),
        ({"subscriptions": [{**ONE, "topic": "a/#/b"}]}, "must stand last"),
        ({"subscriptions": [{**ONE, "topic": "$share/g/a"}]}, "give the group as shared"),
        ({"subscriptions": [{**ONE, "qos": 3}]}, "0, 1 or 2"),
        ({"host": "mqtt://broker"}, "without mqtt://"),
        ({"failover": ["mqtt://other"]}, "is not host or host:port"),
        ({"failover": ["other:70000"]}, "has a port that is none"),
        ({"password": "s3cret"}, "password is given without username"),
        ({"ca_file": "ca.crt"}, "set tls = true"),
        ({"tls": True, "key_file": "key"}, "without cert_file"),
        ({"reconnect_max_delay": 0.5}, "shorter than reconnect_initial_delay"),
        ({"shared": "a/b"}, "name of a group"),
        ({"shared": "g", "subscriptions": [{**ONE, "format": "sparkplug"}]}, "each must see all of them"),
        ({"status_topic": "a/+"}, "without + and #"),
        ({"protocol": "3.1.1", "shared": "g"}, "shared needs MQTT 5"),
        ({"protocol": "3.1.1", "identity_property": "id"}, "identity_property needs MQTT 5"),
        ({"protocol": "3.1.1", "session_expiry": 60}, "session_expiry needs MQTT 5"),
        ({"client_id": ""}, "at least 1 character"),
        ({"hosts": ["a"]}, "Extra inputs"),
    ],
)
def test_mistakes_are_refused(changes: dict[str, Any], reason: str):
    """The text says what is wrong and what to do, and never quotes a password."""
    with pytest.raises(ValidationError) as refused:
        config(**changes)
    assert reason in str(refused.value)
    assert "s3cret" not in str(refused.value)
