"""A private RabbitMQ: own folder, ports, cookie and epmd; nothing of a default instance is touched."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Final, Self
from uuid import uuid4

from brokers.certificates import Certificates
from brokers.guardian import Guardian
from brokers.ports import free_ports

#: The scripts themselves, not the wrappers in /usr/sbin: those change the user and lose the environment.
SCRIPTS: Final = Path(os.environ.get("RABBITMQ_SCRIPTS", "/usr/lib/rabbitmq/bin"))

#: A loaded machine starts a node in many seconds where an idle one needs four.
ALLOWANCE_SECONDS: Final = 60.0

_AMQP_091_HEADER: Final = b"AMQP\x00\x00\x09\x01"
_METHOD_FRAME: Final = b"\x01"
_QUIET_SCHEDULERS: Final = "+sbwt none +sbwtdcpu none +sbwtdio none"


class BrokerUnavailable(Exception):  # noqa: N818  # says a state
    """No broker can be had on this machine; the text says why and what to do."""


class RabbitMQ:
    """One node, whose data, ports and users last over ``stop``, ``kill`` and ``restart`` until ``end``.

    All methods block: in a coroutine call them through ``asyncio.to_thread``.

    Args:
        folder: where it keeps all it has.
        amqp10: with its plugin for AMQP 1.0.
        client_certificates: over TLS only clients with a certificate of the authority are let in; they may
            log in by it (SASL EXTERNAL).

    Attributes:
        host: where it listens.
        port: AMQP 0-9-1, and AMQP 1.0 where that is switched on.
        tls_port: the same over TLS.
        certificates: what the node shows of itself there; made for ``localhost``.
    """

    host = "127.0.0.1"

    def __init__(self, folder: Path, *, amqp10: bool = True, client_certificates: bool = False) -> None:
        if not (SCRIPTS / "rabbitmq-server").exists():
            raise BrokerUnavailable(
                f"RabbitMQ is not installed: there is no {SCRIPTS / 'rabbitmq-server'}. Install it "
                "(Debian, Ubuntu: apt-get install rabbitmq-server), name the folder of its scripts in "
                "RABBITMQ_SCRIPTS, or leave these tests out with --no-brokers."
            )
        self._folder = folder
        self._amqp10 = amqp10
        self._client_certificates = client_certificates
        self._node = f"t{uuid4().hex[:12]}@localhost"
        self._server: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._guardian: Guardian | None = None
        self.port, self.tls_port, self._distribution_port, self._epmd_port = free_ports(4)
        self.certificates = Certificates.make(folder / "certificates")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def url(self) -> str:
        """The default virtual host, as the user that exists from the start."""
        return f"amqp://guest:guest@{self.host}:{self.port}/"

    @property
    def running(self) -> bool:
        """True between a start and the end of the process, however that came."""
        return self._server is not None and self._server.poll() is None

    def start(self) -> None:
        """Start the node and return when it accepts connections."""
        if self.running:
            return
        self._write_configuration()
        guardian = self._guardian = self._guardian or Guardian()
        self._start_epmd(guardian)
        with (self._folder / "log" / "out").open("ab") as output:
            # A session of its own: a Ctrl-C meant for pytest must not reach the node before the tests' ends.
            self._server = subprocess.Popen(
                [SCRIPTS / "rabbitmq-server"],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        guardian.watch(self._server.pid)
        self._wait_until_ready()

    def stop(self) -> None:
        """End the node as an operator would, and wait for it."""
        self._signal_node(signal.SIGTERM)
        self._wait_for_end()

    def kill(self) -> None:
        """End the node as a power cut would, and wait for it."""
        self._signal_node(signal.SIGKILL)
        self._wait_for_end()

    def restart(self) -> None:
        """Stop, if running, and start with the same data on the same port."""
        self.stop()
        self.start()

    def end(self) -> None:
        """Stop for good, epmd too."""
        self.stop()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait(ALLOWANCE_SECONDS)
            self._forget(self._epmd.pid)
            self._epmd = None
        if self._guardian is not None:
            self._guardian.end()
            self._guardian = None

    def ctl(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` on this node and give what it printed."""
        done = subprocess.run(
            [SCRIPTS / "rabbitmqctl", "-q", *arguments],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ALLOWANCE_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise AssertionError(f"rabbitmqctl {' '.join(arguments)}: {done.stderr or done.stdout}")
        return done.stdout

    def unsettled(self, queue: str) -> int:
        """Count the messages of a queue, with those that a consumer holds."""
        lines = self.ctl("list_queues", "name", "messages").splitlines()
        counts = dict(line.split("\t") for line in lines if "\t" in line)
        return int(counts[queue])

    def _environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RABBITMQ_", "ERL_", "ERLANG_"))
        }
        folder = self._folder
        return inherited | {
            "HOME": str(folder / "home"),
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": self.host,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": self.host,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                f"-kernel inet_dist_use_interface {{127,0,0,1}} {_QUIET_SCHEDULERS}"
            ),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        }

    def _write_configuration(self) -> None:
        for name in ("home", "mnesia", "log"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        settings = (
            f"listeners.tcp.1 = {self.host}:{self.port}",
            f"listeners.ssl.1 = {self.host}:{self.tls_port}",
            f"ssl_options.cacertfile = {self.certificates.authority}",
            f"ssl_options.certfile = {self.certificates.server}",
            f"ssl_options.keyfile = {self.certificates.key}",
            f"ssl_options.verify = {'verify_peer' if self._client_certificates else 'verify_none'}",
            f"ssl_options.fail_if_no_peer_cert = {str(self._client_certificates).lower()}",
            "loopback_users = none",
            "log.console = true",
            "log.file = false",
        )
        if self._client_certificates:
            settings += (
                "auth_mechanisms.1 = PLAIN",
                "auth_mechanisms.2 = EXTERNAL",
                "ssl_cert_login_from = common_name",
            )
        (self._folder / "rabbitmq.conf").write_text("\n".join(settings) + "\n")
        chosen = {
            "rabbitmq_amqp1_0": self._amqp10,
            "rabbitmq_auth_mechanism_ssl": self._client_certificates,
        }
        plugins = ",".join(name for name, wanted in chosen.items() if wanted)
        (self._folder / "enabled_plugins").write_text(f"[{plugins}].\n")

    def _start_epmd(self, guardian: Guardian) -> None:
        """Start the port mapper as a child: the node would start one that outlives everybody."""
        if self._epmd is not None and self._epmd.poll() is None:
            return
        self._epmd = subprocess.Popen(
            ["epmd", "-port", str(self._epmd_port), "-address", self.host],  # noqa: S607  # wherever Erlang is
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        guardian.watch(self._epmd.pid)
        deadline = time.monotonic() + ALLOWANCE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((self.host, self._epmd_port), 1):
                return
            time.sleep(0.02)
        raise BrokerUnavailable(f"epmd does not listen on port {self._epmd_port}")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + ALLOWANCE_SECONDS
        while time.monotonic() < deadline:
            if not self.running:
                raise BrokerUnavailable(f"RabbitMQ ended while it started:\n{self._last_output()}")
            if self._speaks_amqp():
                return
            time.sleep(0.05)
        self.kill()
        raise BrokerUnavailable(
            f"RabbitMQ was not ready after {ALLOWANCE_SECONDS:.0f} s:\n{self._last_output()}"
        )

    def _speaks_amqp(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), 2) as probe:
                probe.settimeout(2)
                probe.sendall(_AMQP_091_HEADER)
                return probe.recv(1) == _METHOD_FRAME
        except OSError:
            return False

    def _last_output(self) -> str:
        return (self._folder / "log" / "out").read_text(errors="replace")[-4000:]

    def _signal_node(self, number: signal.Signals) -> None:
        if self._server is None or not self.running:
            return
        node = self._node_pid()
        if node is None:
            self._server.kill()
            return
        # The script waits for the node, reaps it and ends with it.
        with contextlib.suppress(ProcessLookupError):
            os.kill(node, number)

    def _node_pid(self) -> int | None:
        """Give the process of the Erlang machine, if it is one that our script started."""
        if self._server is None:
            return None
        try:
            pid = int((self._folder / "pid").read_text())
            session = os.getsid(pid)
        except (OSError, ValueError):
            return None
        return pid if session == self._server.pid else None

    def _wait_for_end(self) -> None:
        if self._server is None:
            return
        try:
            self._server.wait(ALLOWANCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal_node(signal.SIGKILL)
            self._server.wait(ALLOWANCE_SECONDS)
        self._forget(self._server.pid)
        self._server = None
        self._wait_until_port_is_free()

    def _forget(self, group: int) -> None:
        if self._guardian is not None:
            self._guardian.forget(group)

    def _wait_until_port_is_free(self) -> None:
        """Wait for the sockets of the old node: the Erlang machine may outlive the script for a moment."""
        deadline = time.monotonic() + ALLOWANCE_SECONDS
        while time.monotonic() < deadline:
            try:
                socket.create_connection((self.host, self.port), 1).close()
            except OSError:
                return
            time.sleep(0.02)
