"""The configuration of a broker: what it takes, what it refuses, and that it keeps its secrets."""

from __future__ import annotations

import json

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
