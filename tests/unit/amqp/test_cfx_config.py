"""The configuration of a broker: what it takes, what it refuses, and that it keeps its secrets."""

from __future__ import annotations

import json
from base64 import b64encode

import pytest
from pydantic import ValidationError

from pywats_cfx.config import AMQPConfig, CFXConfig, EndpointConfig


def test_defaults_fit_a_rabbitmq_as_installed():
    """Nothing has to be given."""
    config = CFXConfig()
    assert config.amqp.broker == "amqp://guest@localhost:5672/"
    assert (config.amqp.queue, config.amqp.exchange, config.amqp.binding_keys) == (
        "pywats-bridge",
        "cfx",
        ("#",),
    )
    assert CFXConfig(endpoint=EndpointConfig(cfx_handle="//Acme/L1")).endpoint.cfx_handle == "//Acme/L1"


def test_tls_changes_the_port():
    """TLS has a port of its own, unless one is given."""
    assert AMQPConfig(tls=True).port == 5671
    assert AMQPConfig(tls=True, port=5673).port == 5673
    assert AMQPConfig(url="amqps://h").broker == "amqps://guest@h:5671/"


def test_url_in_place_of_fields():
    """A URL says what the fields say, with its special characters taken back."""
    config = AMQPConfig(url="amqp://line%401:p%2Fw@broker:5000/factory%2F1", prefetch=5)
    assert (config.host, config.port, config.username) == ("broker", 5000, "line@1")
    assert (config.password.get_secret_value(), config.virtual_host) == ("p/w", "factory/1")
    assert config.broker == "amqp://line%401@broker:5000/factory%2F1"
    assert AMQPConfig(url="amqp://[::1]:5000").broker == "amqp://guest@[::1]:5000/"


def test_login_is_chosen_by_what_is_given():
    """A user logs in by password, a certificate by itself; both can be said otherwise."""
    certificate = {"tls": True, "cert_file": "own.pem"}
    assert AMQPConfig().mechanism == "PLAIN"
    assert AMQPConfig(username="").mechanism == "ANONYMOUS"
    assert AMQPConfig(sasl="anonymous").mechanism == "ANONYMOUS"
    assert AMQPConfig(**certificate).mechanism == "EXTERNAL"
    assert AMQPConfig(**certificate).broker == "amqps://localhost:5671/"
    assert AMQPConfig(**certificate, username="line").mechanism == "PLAIN"
    assert AMQPConfig(**certificate, username="line", sasl="external").mechanism == "EXTERNAL"


def test_brokers_to_fall_over_to():
    """They are taken in order, with user, password and virtual host of the first where they name none."""
    config = AMQPConfig(
        url="amqps://line:hidden-word@first/factory",
        failover=["amqps://second", "amqp://other:other-word@third:5000/else"],
    )
    first, second, third = config.brokers
    assert first is config
    assert second.broker == "amqps://line@second:5671/factory"
    assert second.password.get_secret_value() == "hidden-word"
    assert third.broker == "amqp://other@third:5000/else"
    assert third.password.get_secret_value() == "other-word"
    assert not third.tls
    told = f"{config!r} {config.model_dump()} {config.model_dump_json()} {second!r} {third!r}"
    assert "-word" not in told


def test_pins_in_every_way_they_are_written():
    """The same key, as openssl, curl and others write its SHA-256."""
    digest = bytes(range(200, 232))
    text = b64encode(digest).decode()
    written = [digest.hex(), digest.hex(":").upper(), text, f"sha256/{text}", f"sha256//{text}"]
    assert AMQPConfig(tls=True, public_key_pins=written).public_key_pins == (digest.hex(),) * 5


def test_secrets_stay_inside():
    """The password shows nowhere, however it came in."""
    for config in (AMQPConfig(url="amqp://u:hidden-word@h/"), AMQPConfig(password="hidden-word")):
        told = [repr(config), str(config), str(config.model_dump()), config.model_dump_json(), config.broker]
        told += [repr(CFXConfig(amqp=config)), CFXConfig(amqp=config).model_dump_json()]
        assert "hidden-word" not in "".join(told)
        json.loads(config.model_dump_json())


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"url": "http://u:hidden-word@h"}, id="scheme"),
        pytest.param({"url": "amqp://u:hidden-word@h:port"}, id="port"),
        pytest.param({"url": "amqp://u:hidden-word@"}, id="host"),
        pytest.param({"url": "amqp://u:hidden-word@h/?heartbeat=5"}, id="query"),
        pytest.param({"url": "amqp://u:hidden-word@h", "host": "other"}, id="contradiction"),
        pytest.param({"url": 5, "password": "hidden-word"}, id="no text"),
        pytest.param({"password": "hidden-word", "prefetch": 0}, id="prefetch"),
        pytest.param({"password": "hidden-word", "colour": "red"}, id="unknown field"),
        pytest.param({"password": "hidden-word", "protocol": "2.0"}, id="protocol"),
        pytest.param({"failover": ["http://u:hidden-word@h"]}, id="failover"),
        pytest.param({"password": "hidden-word", "sasl": "external"}, id="no certificate"),
        pytest.param({"password": "hidden-word", "sasl": "plain", "username": ""}, id="no user"),
        pytest.param({"password": "hidden-word", "protocol": "0-9-1", "username": ""}, id="anonymous 0-9-1"),
        pytest.param({"password": "hidden-word", "tls": True, "public_key_pins": ["abc"]}, id="pin"),
        pytest.param({"password": "hidden-word", "public_key_pins": ["00" * 32]}, id="pin without TLS"),
        pytest.param(
            {"tls": True, "public_key_pins": ["00" * 32], "failover": ["amqp://u:hidden-word@h"]},
            id="pin without TLS elsewhere",
        ),
        pytest.param({"password": "hidden-word", "ca_file": "ca.pem"}, id="certificate without TLS"),
        pytest.param({"password": "hidden-word", "tls": True, "key_file": "k.pem"}, id="key alone"),
        pytest.param(
            {"password": "hidden-word", "reconnect_initial_delay": 5, "reconnect_max_delay": 1}, id="delays"
        ),
    ],
)
def test_refusals_do_not_tell_the_password(fields: dict[str, object]):
    """What can't be right is refused, in words that do not quote the input."""
    with pytest.raises(ValidationError) as refusal:
        AMQPConfig(**fields)
    assert "hidden-word" not in str(refusal.value)
    with pytest.raises(ValidationError) as refusal:
        CFXConfig.model_validate({"amqp": fields})
    assert "hidden-word" not in str(refusal.value)
