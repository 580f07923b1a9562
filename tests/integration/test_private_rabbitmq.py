"""The suite's own RabbitMQ keeps its data over a crash, and leaves nothing behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from brokers import RabbitMQ


def test_durable_queue_survives_a_kill(own_broker: RabbitMQ):
    """A node that was killed comes back on its port with what it had on disk."""
    own_broker.ctl("add_vhost", "kept")
    own_broker.kill()
    assert not own_broker.running
    own_broker.start()
    assert "kept" in own_broker.ctl("list_vhosts").split()


@pytest.mark.broker
def test_end_leaves_no_process(tmp_path: Path):
    """Node and port mapper are gone once the broker has ended."""
    with RabbitMQ(tmp_path) as node:
        processes = [node._server.pid, node._node_pid(), node._epmd.pid]
        assert all(Path(f"/proc/{pid}").exists() for pid in processes)
    assert not any(Path(f"/proc/{pid}").exists() for pid in processes)


def test_killed_test_run_leaves_no_server():
    """Servers end with the run that started them, also when no fixture could end them."""
    run = """
import subprocess, sys
from brokers.guardian import Guardian
server = subprocess.Popen(["sleep", "600"], start_new_session=True)
guardian = Guardian()
guardian.watch(server.pid)
print(server.pid, flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", run],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    ) as process:
        assert process.stdout is not None
        server = Path(f"/proc/{process.stdout.readline().strip()}/stat")
        assert server.exists()
        process.kill()
    deadline = time.monotonic() + 30
    while server.exists() and server.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.02)
