"""The other side of our requests: a peer made of proton alone that behaves as the SDK's listener does."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from proton import Condition, Message
from proton.handlers import MessagingHandler
from proton.reactor import Container

HANDLE = "Acme.Tester.T1"


class SdkListener(MessagingHandler):
    """Listens, and answers requests as it is told to.

    Args:
        does: ``answer``, or another of the ways that a peer may go.

    Attributes:
        requests: what came.
        links: name, source and target of each link that was attached.
        containers: the names of those who connected.
        ended: connections that ended, politely.
    """

    def __init__(self, does: str = "answer") -> None:
        super().__init__(prefetch=100, auto_accept=False)
        self.does = does
        self.requests: list[Message] = []
        self.links: list[tuple[str, str | None, str | None]] = []
        self.containers: list[str] = []
        self.left = threading.Event()
        self.port = 0
        self.ready = threading.Event()
        self._answers: dict[str, Any] = {}
        self._acceptor: Any = None
        self.socket: Any = None

    def on_start(self, event: Any) -> None:
        """Listen on a free port."""
        self._acceptor = event.container.listen("127.0.0.1:0")
        self.socket = self._acceptor._selectable._delegate
        self.port = self.socket.getsockname()[1]
        self.ready.set()

    def on_connection_opening(self, event: Any) -> None:
        """Note who comes."""
        self.containers.append(event.connection.remote_container)

    def on_connection_closing(self, _event: Any) -> None:
        """Note who leaves."""
        self.left.set()

    def on_link_opening(self, event: Any) -> None:
        """Attach as asked; note how."""
        link = event.link
        self.links.append((link.name, link.remote_source.address, link.remote_target.address))
        if _asked(link) != HANDLE:
            return
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        if link.is_sender:
            self._answers[link.remote_target.address] = link

    def on_link_local_open(self, event: Any) -> None:
        """Detach what nobody is there for."""
        if _asked(event.link) != HANDLE:
            event.link.condition = Condition("amqp:not-found", f"no processor at {_asked(event.link)}")
            event.link.close()

    def on_message(self, event: Any) -> None:
        """Do as told."""
        self.requests.append(event.message)
        match self.does:
            case "reject":
                event.delivery.local.condition = Condition("amqp:not-found", "nobody takes answers")
                self.reject(event.delivery)
                return
            case "release":
                self.release(event.delivery, delivered=False)
                return
            case "leave":
                event.connection.close()
                return
        if self.does != "answer only":
            self.accept(event.delivery)
        for answer in self._answers_to(event.message):
            self._answers[event.message.reply_to].send(answer).settle()

    def _answers_to(self, request: Message) -> Iterator[Message]:
        asked = json.loads(bytes(request.body))
        body = {
            "MessageName": "CFX.AreYouThereResponse",
            "Version": "2.1",
            "TimeStamp": "2026-11-21T00:12:23.964303+00:00",
            "UniqueID": "c42bb444-61c2-4a01-9c87-3a4a221bedcb",
            "Source": HANDLE,
            "Target": asked["Source"],
            "RequestID": asked["RequestID"],
            "MessageBody": {"$type": "CFX.AreYouThereResponse, CFX", "CFXHandle": HANDLE},
        }
        answer = Message(inferred=True, correlation_id=request.id, body=json.dumps(body).encode())
        match self.does:
            case "answer" | "answer only":  # the second leaves the request unsettled
                yield answer
            case "twice":
                yield answer
                yield answer
            case "packed":
                yield Message(inferred=True, content_encoding="GZip", body=gzip.compress(answer.body))
            case "bare":  # no properties at all
                yield Message(inferred=True, body=answer.body)
            case "another first":
                other = {**body, "RequestID": "REQUEST-of-somebody-else"}
                yield Message(inferred=True, body=json.dumps(other).encode())
                yield answer
            case "no id":
                yield Message(inferred=True, body=json.dumps({**body, "RequestID": None}).encode())
            case "garbage":
                yield Message(inferred=True, body=b"no CFX")


def _asked(link: Any) -> str | None:
    address: str | None = (link.remote_source if link.is_sender else link.remote_target).address
    return address


@contextmanager
def sdk_listener(does: str = "answer") -> Iterator[SdkListener]:
    """Run one in a thread of its own."""
    peer = SdkListener(does)
    container = Container(peer)
    thread = threading.Thread(target=container.run, name="sdk listener")
    thread.start()
    assert peer.ready.wait(10)
    try:
        yield peer
    finally:
        container.stop()
        container.wakeup()
        thread.join(10)
        assert not thread.is_alive()
        peer.socket.close()
