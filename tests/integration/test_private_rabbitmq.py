"""The suite's own RabbitMQ keeps its data over a crash, and leaves nothing behind."""

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
