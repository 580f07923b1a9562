"""A machine on the line, as far as its broker connection goes: publishes, and looks at queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import aiormq
from aiormq.abc import AbstractChannel


class Machine:
    """A connection of the test's own, apart from the transport's."""

    def __init__(self, url: str) -> None:
        self._connection = aiormq.Connection(url)
        self.channel: AbstractChannel

    async def __aenter__(self) -> Self:
        await self._connection.connect()
        self.channel = await self._connection.channel()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    async def publish(
        self, exchange: str, *bodies: bytes, key: str = "Acme.Tester.T1.CFX.Heartbeat", **properties: Any
    ) -> None:
        """Publish messages that survive the broker, and wait until it has them."""
        for body in bodies:
            await self.channel.basic_publish(
                body,
                exchange=exchange,
                routing_key=key,
                properties=aiormq.spec.Basic.Properties(delivery_mode=2, **properties),
            )

    async def declare(self, queue: str, **settings: Any) -> None:
        """Create a queue."""
        await self.channel.queue_declare(queue, **settings)

    async def depth(self, queue: str) -> int:
        """Count the messages that wait in a queue; those that a consumer holds are not counted."""
        answer = await self.channel.queue_declare(queue, passive=True)
        return answer.message_count or 0

    async def until_depth(self, queue: str, is_right: Callable[[int], bool]) -> int:
        """Ask for the depth of a queue until it is right. The test's own timeout bounds it."""
        while not is_right(depth := await self.depth(queue)):
            pass
        return depth


def encoded_headers(**sections: bytes) -> Mapping[str, Any]:
    """Give headers that hold encoded AMQP 1.0 sections, as RabbitMQ 3 makes them."""
    return {f"x-amqp-1.0-{name.replace('_', '-')}": bytearray(value) for name, value in sections.items()}
