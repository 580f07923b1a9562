"""Acknowledgements in the order in which the messages came, whatever the order in which they are safe."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Unacknowledged:
    """A message that the broker waits for an acknowledgement of."""

    packet_id: int
    qos: int
    is_safe: bool = False


class Acknowledgements:
    """Holds an acknowledgement back until those before it have been sent (MQTT 5.0, 4.6).

    Args:
        send: sends one, for a packet identifier and its QoS.
    """

    def __init__(self, send: Callable[[int, int], None]) -> None:
        self._send = send
        self._waiting: deque[Unacknowledged] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def received(self, packet_id: int, qos: int) -> Unacknowledged:
        """Note a message."""
        one = Unacknowledged(packet_id, qos)
        self._waiting.append(one)
        return one

    def acknowledge(self, one: Unacknowledged) -> int:
        """Note that a message is safe; give how many acknowledgements went out."""
        one.is_safe = True
        sent = 0
        while self._waiting and self._waiting[0].is_safe:
            safe = self._waiting.popleft()
            self._send(safe.packet_id, safe.qos)
            sent += 1
        return sent
