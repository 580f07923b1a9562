"""A private PostgreSQL: own folder and port, thrown away at the end; no default instance is touched."""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final, Self

import psycopg

from brokers.guardian import Guardian
from brokers.ports import free_ports
from brokers.rabbitmq import BrokerUnavailable

#: Where Debian and Ubuntu keep the programs of each version.
_PLACES: Final = Path("/usr/lib/postgresql")
#: The server refuses to run as root.
_USER: Final = "postgres"
ALLOWANCE_SECONDS: Final = 60.0


class PostgreSQL:
    """One server, whose data and port last over ``stop``, ``kill`` and ``restart`` until ``end``.

    All methods block: in a coroutine call them through ``asyncio.to_thread``.

    Attributes:
        host: where it listens.
        port: where it listens, also after a restart.
    """

    host = "127.0.0.1"

    def __init__(self) -> None:
        self._programs = _programs()
        self._folder = Path(mkdtemp(prefix="postgres-"))
        self._server: subprocess.Popen[bytes] | None = None
        self._guardian: Guardian | None = None
        self._names = count(1)
        (self.port,) = free_ports(1)
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam(_USER)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(self._folder, user.pw_uid, user.pw_gid)
        self._run("initdb", "-D", self._data, "-U", _USER, "--auth=trust", "--no-sync", "-E", "UTF8")

    @classmethod
    @cache
    def shared(cls) -> Self:
        """Give the server that all tests of this run share, started. Never stop it."""
        server = cls()
        atexit.register(server.end)
        server.start()
        return server

    @property
    def url(self) -> str:
        """The database that is there from the start."""
        return f"postgresql://{_USER}@{self.host}:{self.port}/postgres"

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def running(self) -> bool:
        """True between a start and the end of the process, however that came."""
        return self._server is not None and self._server.poll() is None

    def fresh(self) -> str:
        """Make an empty schema and give the URL that leads there."""
        name = f"journal_{next(self._names)}"
        self.run(f"CREATE SCHEMA {name}")
        return f"{self.url}?options=-csearch_path%3D{name}"

    def run(self, statement: str, *, url: str | None = None) -> list[tuple[Any, ...]]:
        """Run a statement and give its rows."""
        with psycopg.connect(url or self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start it and return when it accepts connections."""
        deadline = time.monotonic() + ALLOWANCE_SECONDS
        guardian = self._guardian = self._guardian or Guardian()
        while not self._answers():
            if time.monotonic() > deadline:
                raise BrokerUnavailable(f"PostgreSQL does not start:\n{self._last_output()}")
            if not self.running:  # after a kill it refuses until the last process of the old one is gone
                self._server = self._launch()
                guardian.watch(self._server.pid)
            time.sleep(0.05)

    def _launch(self) -> subprocess.Popen[bytes]:
        options = (
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self._folder}",
            "max_connections=200",
            "autovacuum=off",  # what a test measures is not to depend on when it comes by
        )
        arguments = [part for option in options for part in ("-c", option)]
        with (self._folder / "log").open("ab") as output:
            return subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-p", str(self.port), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **self._as_user,
            )

    def stop(self) -> None:
        """End it as an operator would, and wait for it; connections are cut."""
        self._end_with(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut would, with all its processes, and wait for them."""
        if self._server is None or not self.running:
            return
        # Each of its processes leads a session of its own, and answers on after the first one is killed. That
        # one is stopped first: it starts no others then, and leaves the numbers of those that end alone.
        self._server.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._server.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        with contextlib.ExitStack() as stack:
            others = [os.pidfd_open(pid) for pid in _children(self._server.pid)]
            for process in others:
                stack.callback(os.close, process)
            self._end_with(signal.SIGKILL)
            for process in others:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(process, signal.SIGKILL)
            for process in others:
                _wait_for_end(process)

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Let none of its processes do anything, as on a host that lost its disk; sockets stay open."""
        assert self._server is not None
        processes = [self._server.pid, *_children(self._server.pid)]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def restart(self) -> None:
        """Stop, if running, and start with the same data on the same port."""
        self.stop()
        self.start()

    def end(self) -> None:
        """Stop for good, and take the data away."""
        if self._server is not None:
            self._end_with(signal.SIGQUIT)
        if self._guardian is not None:
            self._guardian.end()
            self._guardian = None
        shutil.rmtree(self._folder, ignore_errors=True)

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
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ALLOWANCE_SECONDS,
            check=False,
            **self._as_user,
        )
        if done.returncode != 0:
            raise BrokerUnavailable(f"{program}: {done.stderr or done.stdout}")

    def _last_output(self) -> str:
        log = self._folder / "log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _wait_for_end(process: int) -> None:
    """Wait for a process by its descriptor: it can be read from when the process has ended."""
    ended, _, _ = select.select([process], [], [], ALLOWANCE_SECONDS)
    if not ended:
        raise BrokerUnavailable("a process of PostgreSQL outlives a kill")


def _programs() -> Path:
    named = os.environ.get("POSTGRES_PROGRAMS")
    found = (
        [Path(named)] if named else sorted(_PLACES.glob("*/bin"), key=lambda place: float(place.parent.name))
    )
    if not found or not (found[-1] / "initdb").exists():
        raise BrokerUnavailable(
            f"PostgreSQL is not installed: there is no initdb below {named or _PLACES}. Install it (Debian, "
            "Ubuntu: apt-get install postgresql), name the folder of its programs in POSTGRES_PROGRAMS, or "
            "leave these tests out with --no-brokers."
        )
    return found[-1]
