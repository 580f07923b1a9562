"""What keeps us from a broker is told in the same words, whatever the broker speaks."""

from __future__ import annotations

import socket
import ssl

import pytest

from pywats_cfx.amqp091 import troubles as amqp091
from pywats_cfx.amqp10 import troubles as amqp10
from pywats_cfx.config import AMQPConfig
from pywats_events.transports.mqtt import MQTTBroker
from pywats_events.transports.mqtt import troubles as mqtt

ERRORS = {
    "its certificate is not trusted": ssl.SSLCertVerificationError(1, "certificate verify failed"),
    "refuses our certificate": ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca"),
    "no TLS connection": ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
    "a certificate file can't be read": FileNotFoundError(2, "No such file or directory", "ours.pem"),
    "does not answer within 10 s": TimeoutError(),
    'no machine is called "broker"': socket.gaierror(-2, "Name or service not known"),
    "is the broker running, and is the port right?": ConnectionRefusedError(111, "Connection refused"),
    "can't be reached": OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 101]"),
    "lost: OSError": OSError(),
}


@pytest.mark.parametrize("told", ERRORS)
def test_each_protocol_tells_the_same_of_the_network(told: str) -> None:
    """One line with the broker, what happened and what to do, over MQTT and both versions of AMQP."""
    error = ERRORS[told]
    queue, topics = AMQPConfig(host="broker"), MQTTBroker(host="broker")
    over_amqp = {amqp091.explain(error, queue), amqp10.explain(error, queue)}
    over_mqtt = mqtt.explain(error, topics)
    assert over_amqp == {over_mqtt.replace(topics.broker, queue.broker)}
    assert told in over_mqtt
    assert "\n" not in over_mqtt
