"""The library for AMQP 1.0 is needed by those who speak it, and only by them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from brokers.recorder import Recorder

import pywats_cfx.amqp10
from pywats_cfx.amqp.probe import probe
from pywats_cfx.amqp.transport import CFXTransport
from pywats_cfx.amqp.troubles import BrokerUnfit
from pywats_cfx.config import AMQPConfig, CFXConfig


@pytest.fixture
def _not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pywats_cfx.amqp10, "find_spec", lambda _: None)


@pytest.mark.usefixtures("_not_installed")
async def test_without_the_library_one_line_says_how_to_get_it():
    """Transport and check say the same: what is missing, how to install it, and what to set otherwise."""
    config = AMQPConfig(reconnect_initial_delay=0.01)
    with pytest.raises(BrokerUnfit, match="pip install") as unfit:
        await probe(config)
    intake = Recorder()
    transport = CFXTransport(CFXConfig(amqp=config), adapter=lambda _: [])
    await transport.start(intake)
    reason = await intake.until_disconnected()
    await transport.close()
    assert reason == str(unfit.value)
    assert "\n" not in reason
    assert 'cfx.amqp.protocol = "0-9-1"' in reason


@pytest.mark.parametrize(
    ("module", "foreign"),
    [
        ("pywats_cfx.amqp.transport", ["proton", "aiormq", "cryptography"]),
        ("pywats_cfx.amqp10.session", ["aiormq", "cryptography"]),
        ("pywats_cfx.amqp091.session", ["proton", "cryptography"]),
    ],
)
def test_libraries_that_are_not_used_are_not_loaded(module: str, foreign: list[Any]):
    """Each protocol's library is loaded for itself, where it is spoken."""
    code = f"import sys, {module}; print([name for name in {foreign!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
