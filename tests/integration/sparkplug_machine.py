"""A machine that speaks Sparkplug B, over a connection of its own."""

from __future__ import annotations

import socket
import threading
from typing import Any

from brokers.mosquitto import Mosquitto
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from samples.sparkplug import EdgeNode


class Machine:
    """The sample's node with a connection: it leaves its death with the broker, and is born when asked.

    Its methods block.

    Attributes:
        asked: how often it was asked to be born again.
    """

    def __init__(self, broker: Mosquitto, group: str) -> None:
        self.node = EdgeNode(group=group)
        self.asked = 0
        self._ready = threading.Event()
        client = self._client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        topic, body = self.node.death()
        client.will_set(topic, body, qos=1)
        client.on_connect = lambda *_: client.subscribe(self.node.commands)
        client.on_subscribe = lambda *_: self._ready.set()
        client.on_message = lambda *_: self._be_born_again()
        client.connect(broker.host, broker.port)
        client.loop_start()
        assert self._ready.wait(30)

    def be_born(self) -> None:
        """Publish its births."""
        self._publish(*self.node.births())

    def tell(self, **changed: Any) -> None:
        """Publish data."""
        self._publish(self.node.tell(**changed))

    def die(self) -> None:
        """End without a word, as a power cut would."""
        connection = self._client.socket()
        if connection is not None:
            connection.shutdown(socket.SHUT_RDWR)
        self._client.loop_stop()

    def _be_born_again(self) -> None:
        self.asked += 1
        for topic, body in self.node.births():
            self._client.publish(topic, body)

    def _publish(self, *messages: tuple[str, bytes]) -> None:
        for topic, body in messages:
            self._client.publish(topic, body)
        # its QoS is 0, and nobody says when the broker has it; what comes after it is acknowledged
        self._client.publish("done", qos=1).wait_for_publish(30)
