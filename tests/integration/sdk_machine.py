"""A machine as the standard's SDK makes one, on the wire: proton's blocking client with captured bytes.

Nothing of ours is in it. It blocks: run it in a thread (``asyncio.to_thread``).
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Self

import pytest
from proton import Delivery, Message, SSLDomain
from proton.reactor import Container, LinkOption
from proton.utils import BlockingConnection

WIRE = Path(__file__).parents[3] / "shared" / "cfx" / "wire"
SECONDS = 20.0


def capture(name: str) -> dict[str, Any]:
    """Give a recording of the SDK's traffic, or skip where there is none."""
    path = WIRE / f"{name}.amqp10.json"
    if not path.is_file():
        pytest.skip("recordings of the SDK (../shared/cfx/wire) are not beside this checkout")
    recording: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return recording


def transfers(name: str) -> list[bytes]:
    """Give the messages of a recording as they were on the wire, all sections."""
    return [base64.b64decode(message["transfer_b64"]) for message in capture(name)["messages"]]


def bodies(name: str) -> list[bytes]:
    """Give the bodies of a recording."""
    return [base64.b64decode(message["body_b64"]) for message in capture(name)["messages"]]


class _Attach(LinkOption):
    """Attaches a link with the details that were captured."""

    def __init__(self, details: dict[str, Any]) -> None:
        self._details = details

    def apply(self, link: Any) -> None:
        """Set them."""
        for end in ("source", "target"):
            getattr(link, end).address = self._details.get(end, {}).get("address")
        link.snd_settle_mode = self._details.get("snd_settle_mode", 2)
        link.rcv_settle_mode = self._details.get("rcv_settle_mode", 0)


class Machine:
    """One connection of a machine.

    Args:
        uri: the listener.
        container: what the machine calls itself.
        options: for proton's connection (``ssl_domain``, ``user``, ``password``, ``sasl_enabled``, ...).
    """

    def __init__(self, uri: str, container: str = "Acme.Tester.T1", **options: Any) -> None:
        own = Container()
        own.container_id = container
        self.connection = BlockingConnection(
            uri.rstrip("/"), timeout=SECONDS, container=own, heartbeat=None, **options
        )
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def sender(self, target: str | None, *, name: str | None = None) -> Any:
        """Attach a link that publishes, as the SDK does: its name is the address, its source has none."""
        details = {"target": {"address": target}}
        return self.connection.create_sender(target, name=name or target, options=_Attach(details)).link

    def attach(self, details: dict[str, Any]) -> Any:
        """Attach a link of a recording."""
        if details["role"] == "sender":
            target = details["target"]["address"]
            options = _Attach(details)
            return self.connection.create_sender(target, name=details["name"], options=options).link
        return self.connection.create_receiver(
            details["source"]["address"], credit=100, name=details["name"], options=_Attach(details)
        )

    def transfer(self, link: Any, encoded: bytes, *, settled: bool = False) -> Delivery:
        """Send bytes as one message, without waiting."""
        self.connection.wait(lambda: link.credit > 0)
        self._number += 1
        delivery: Delivery = link.delivery(str(self._number))
        link.stream(encoded)
        link.advance()
        if settled:
            delivery.settle()
        return delivery

    def outcome(self, delivery: Delivery) -> Any:
        """Wait until the other side has said what became of a message."""
        self.connection.wait(lambda: delivery.settled)
        return delivery.remote_state

    def send(self, link: Any, encoded: bytes) -> Any:
        """Send bytes as one message, and give the outcome."""
        return self.outcome(self.transfer(link, encoded))


class Asker(Machine):
    """A machine that asks, link by link as it was captured."""

    def __init__(self, uri: str, recording: str, **options: Any) -> None:
        attached = capture(recording)["connections"][0]
        super().__init__(uri, attached["open"]["container-id"], **options)
        receiver, sender = attached["links"]
        self.answers = self.attach(receiver)
        self.questions = self.attach(sender)
        self.request = transfers(recording)[0]

    def ask(self) -> tuple[Any, Message]:
        """Send the captured request; give the outcome, and the answer as it came."""
        outcome = self.send(self.questions, self.request)
        return outcome, self.answer()

    def answer(self) -> Message:
        """Wait for an answer."""
        return self.answers.receive(timeout=SECONDS)


def envelope_in(message: Message) -> dict[str, Any]:
    """Give the envelope in a message."""
    assert not isinstance(message.body, str), "it came as text, not as data"
    envelope: dict[str, Any] = json.loads(bytes(message.body))
    return envelope


def trusting(authority: Path, *, certificate: Path | None = None, key: Path | None = None) -> SSLDomain:
    """Give TLS that trusts an authority, with a certificate of the machine's own if it has one."""
    domain = SSLDomain(SSLDomain.MODE_CLIENT)
    domain.set_trusted_ca_db(str(authority))
    domain.set_peer_authentication(SSLDomain.VERIFY_PEER)
    if certificate is not None:
        domain.set_credentials(str(certificate), str(key), None)
    return domain
