"""A machine that publishes over AMQP 1.0, by the library's own blocking client and none of our code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from proton import Delivery, Message
from proton import Sender as ProtonSender
from proton.utils import BlockingConnection


class Encoded:
    """A message that is encoded already; it is sent as it is."""

    def __init__(self, sections: bytes) -> None:
        self._sections = sections

    def send(self, sender: ProtonSender, tag: str | None = None) -> Delivery:
        """Put it on a link."""
        delivery = sender.delivery(tag or sender.delivery_tag())
        sender.stream(self._sections)
        sender.advance()
        return delivery


@contextmanager
def connected(port: int, host: str = "127.0.0.1") -> Iterator[BlockingConnection]:
    """Give a connection to the broker at a port."""
    connection = BlockingConnection(
        f"amqp://guest:guest@{host}:{port}", timeout=20, allowed_mechs="PLAIN", reconnect=False
    )
    try:
        yield connection
    finally:
        connection.close()


def publish10(port: int, address: str, *messages: Message | Encoded | bytes) -> None:
    """Publish messages one after the other, each accepted before the next. It blocks: call it in a thread.

    Args:
        port: of the broker.
        address: where to, as it names it.
        messages: bytes become the one data section of a message.
    """
    with connected(port) as connection:
        sender = connection.create_sender(address)
        for message in messages:
            sender.send(
                Message(body=message, inferred=True, durable=True) if isinstance(message, bytes) else message
            )


def data(body: bytes, **fields: object) -> Message:
    """Make a durable message with one data section."""
    return Message(body=body, inferred=True, durable=True, **fields)
