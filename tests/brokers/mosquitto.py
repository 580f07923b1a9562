"""A private Mosquitto: own folder and ports, thrown away at the end; no default instance is touched."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import which
from typing import Any, Final, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from brokers.certificates import Certificates
from brokers.guardian import Guardian
from brokers.ports import free_ports
from brokers.rabbitmq import BrokerUnavailable

ALLOWANCE_SECONDS: Final = 60.0
#: Where Debian has it, also for those whose path leads to no servers.
_PLACES: Final = "/usr/sbin:/usr/local/sbin"


class Mosquitto:
    """One broker, whose data and ports last over ``stop``, ``kill`` and ``restart`` until ``end``.

    All methods block: in a coroutine call them through ``asyncio.to_thread``.

    Args:
        folder: where it keeps all it has.
        users: their passwords by name; with any, nobody else is let in.
        client_certificates: over TLS only clients with a certificate of the authority are let in.
        saves_always: all that it has is on disk after each change, so that a kill takes little away.
        settings: further lines of its configuration.

    Attributes:
        host: where it listens.
        port: where it listens, also after a restart.
        tls_port: the same over TLS.
        certificates: what it shows of itself there; made for ``localhost``.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        folder: Path,
        *,
        users: Mapping[str, str] | None = None,
        client_certificates: bool = False,
        saves_always: bool = False,
        settings: Sequence[str] = (),
    ) -> None:
        self._program = _program("mosquitto", "MOSQUITTO")
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        self._guardian: Guardian | None = None
        self.port, self.tls_port = free_ports(2)
        self.certificates = Certificates.make(folder / "certificates")
        (folder / "data").mkdir(parents=True, exist_ok=True)
        self._write_configuration(users or {}, client_certificates, saves_always, settings)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def running(self) -> bool:
        """True between a start and the end of the process, however that came."""
        return self._server is not None and self._server.poll() is None

    def start(self) -> None:
        """Start it and return when it accepts connections."""
        if self.running:
            return
        guardian = self._guardian = self._guardian or Guardian()
        with (self._folder / "log").open("ab") as output:
            self._server = subprocess.Popen(
                [self._program, "-c", self._folder / "mosquitto.conf"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        guardian.watch(self._server.pid)
        deadline = time.monotonic() + ALLOWANCE_SECONDS
        while not self._answers():
            if not self.running or time.monotonic() > deadline:
                self.kill()
                raise BrokerUnavailable(f"Mosquitto does not start:\n{self.log()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it as an operator would, and wait for it."""
        self._end_with(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would, and wait for it."""
        self._end_with(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """Stop it for a while (SIGSTOP), or let it go on (SIGCONT)."""
        assert self._server is not None
        self._server.send_signal(number)

    def restart(self) -> None:
        """Stop, if running, and start with the same data on the same ports."""
        self.stop()
        self.start()

    def end(self) -> None:
        """Stop for good."""
        self.stop()
        if self._guardian is not None:
            self._guardian.end()
            self._guardian = None

    def log(self) -> str:
        """Give what it said."""
        file = self._folder / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def _end_with(self, number: signal.Signals) -> None:
        if self._server is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._server.send_signal(number)
        try:
            self._server.wait(ALLOWANCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait(ALLOWANCE_SECONDS)
        if self._guardian is not None:
            self._guardian.forget(self._server.pid)
        self._server = None

    def _answers(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), 2).close()
        except OSError:
            return False
        return True

    def _write_configuration(
        self,
        users: Mapping[str, str],
        client_certificates: bool,
        saves_always: bool,
        settings: Sequence[str],
    ) -> None:
        lines = [
            *(["user root"] if os.geteuid() == 0 else []),
            "per_listener_settings false",
            "persistence true",
            f"persistence_location {self._folder}/data/",
            *(
                ["autosave_interval 1", "autosave_on_changes true"]
                if saves_always
                else ["autosave_interval 0"]
            ),
            "max_queued_messages 100000",
            "connection_messages true",
            f"allow_anonymous {str(not users).lower()}",
            *settings,
        ]
        if users:
            file = self._folder / "passwd"
            file.touch(mode=0o600)
            for name, password in users.items():
                subprocess.run(
                    [_program("mosquitto_passwd", "MOSQUITTO_PASSWD"), "-b", file, name, password], check=True
                )
            lines.append(f"password_file {file}")
        lines += [
            f"listener {self.port} {self.host}",
            f"listener {self.tls_port} {self.host}",
            f"cafile {self.certificates.authority}",
            f"certfile {self.certificates.server}",
            f"keyfile {self.certificates.key}",
            f"require_certificate {str(client_certificates).lower()}",
        ]
        (self._folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")


class Publisher:
    """A machine of the line: the library's own client without any of our code. Its methods block.

    Args:
        broker: where to connect.
        client_id: who it is.
        topic: it is subscribed to this; what comes is in ``received``.
        version: of MQTT.
    """

    def __init__(
        self, broker: Mosquitto, *, client_id: str = "", topic: str = "", version: str = "5"
    ) -> None:
        is_5 = version == "5"
        self._is_5 = is_5
        self.received: list[MQTTMessage] = []
        self._is_ready = False
        self._topic = topic
        self._ended = False
        client = self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if is_5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            **({} if is_5 else {"clean_session": True}),  # type: ignore[arg-type]
        )
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_ready
        client.on_disconnect = self._on_disconnect
        client.on_message = lambda _, __, message: self.received.append(message)
        client.connect(broker.host, broker.port)
        self.until(lambda: self._is_ready)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        while not self._ended:
            self._turn()

    def until(self, is_so: Any, *, seconds: float = ALLOWANCE_SECONDS) -> None:
        """Run the client until something holds.

        Raises:
            ConnectionError: the broker is gone.
            TimeoutError: it does not come.
        """
        deadline = time.monotonic() + seconds
        while not is_so():
            self._turn()
            if self._ended:
                raise ConnectionError("the broker is gone")
            if time.monotonic() > deadline:
                raise TimeoutError("it does not come")

    def publish(
        self, topic: str, *bodies: bytes, qos: int = 1, retain: bool = False, **properties: Any
    ) -> None:
        """Publish messages, and wait until the broker has them (QoS 0: until they are sent).

        Raises:
            ConnectionError: the broker went away first; some of them may have come.
        """
        said = None
        if properties:
            said = Properties(PacketTypes.PUBLISH)
            for name, value in properties.items():
                setattr(said, name, value)
        sent = [self._client.publish(topic, body, qos, retain, said) for body in bodies]
        for one in sent:
            self.until(one.is_published)

    def _turn(self) -> None:
        """Let the library read and write, or wait a little."""
        connection: Any = self._client.socket()
        if connection is None:
            self._ended = True
            return
        writers = [connection] if self._client.want_write() else []
        readable, writable, _ = select.select([connection], writers, [], 0.1)
        if readable:
            self._client.loop_read()
        if writable:
            self._client.loop_write()
        self._client.loop_misc()

    def _on_connect(self, *_: object) -> None:
        if self._topic:
            self._client.subscribe(self._topic, 1)
        else:
            self._is_ready = True

    def _on_ready(self, *_: object) -> None:
        self._is_ready = True

    def _on_disconnect(self, *_: object) -> None:
        self._ended = True


def _program(name: str, variable: str) -> str:
    found = os.environ.get(variable) or which(name) or which(name, path=_PLACES)
    if found is None:
        raise BrokerUnavailable(
            f"Mosquitto is not installed: there is no {name}. Install it (Debian, Ubuntu: apt-get install "
            f"mosquitto), name the program in {variable}, or leave these tests out with --no-brokers."
        )
    return found
