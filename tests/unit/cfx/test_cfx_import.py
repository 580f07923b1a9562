"""What is loaded when: a program that only reads envelopes pays for nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

import pywats_cfx
import pywats_events

BROKERS = {"aiormq", "aio_pika", "pamqp", "proton", "paho", "aiohttp", "httpx"}


def loaded(program):
    """Give the modules that a fresh interpreter has loaded after a program."""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split())


def ours(modules):
    """Give the modules of this project among those loaded."""
    return {name for name in modules if name.startswith(("pywats", "handlers", "samples"))}


@pytest.mark.parametrize("package", ["pywats_cfx", "pywats_events"])
def test_a_package_alone_loads_nothing(package):
    """Importing a package loads no other module of ours, no pydantic, no logging and no broker library."""
    modules = loaded(f"import {package}")
    assert ours(modules) == {package}
    assert not {"pydantic", "pydantic_core", "structlog", "asyncio", "sqlite3"} & modules
    assert not BROKERS & modules


def test_reading_envelopes_loads_no_transports_and_no_adapter():
    """Decoding needs the codec and the rules of the wire."""
    modules = loaded(
        "from pywats_cfx import decode\n"
        """assert decode(b'{"MessageName":"CFX.Heartbeat","MessageBody":{"x":1}}')[0].body == {"x": 1}"""
    )
    assert "pywats_cfx.codec" in modules
    below = {name.removeprefix("pywats_cfx.messages.").partition(".")[0] for name in ours(modules)}
    assert not {"production", "structures", "network", "materials", "resource_performance"} & below
    of_events = {name for name in ours(modules) if name.startswith("pywats_events")}
    assert of_events <= {"pywats_events", "pywats_events.compression"}
    assert not {name for name in ours(modules) if name.startswith("pywats_cfx.a")}
    assert not {"structlog", "asyncio", "sqlite3"} & modules
    assert not BROKERS & modules


def test_reading_messages_loads_no_broker_library():
    """Messages and their events need no connection."""
    modules = loaded("import pywats_cfx\npywats_cfx.messages.UnitsTested\npywats_cfx.cfx_adapter")
    assert not BROKERS & modules
    assert not {"structlog", "sqlite3"} & modules


@pytest.mark.parametrize("package", [pywats_cfx, pywats_events])
def test_every_public_name_is_there(package):
    """What is loaded late is offered all the same, also to those who look around."""
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert name in dir(package)
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        package.Nonsense  # noqa: B018


def test_star_import_and_module_access_work():
    """The usual ways to import all give the same things."""
    modules = loaded(
        "from pywats_cfx import *\n"
        "import pywats_cfx, pywats_cfx.messages\n"
        "assert messages is pywats_cfx.messages\n"
        "from pywats_cfx.codec import decode as same\n"
        "assert same is decode"
    )
    assert "pywats_cfx.messages" in modules


@pytest.mark.parametrize(
    "asked",
    [
        "from pywats_cfx import CFXListener",
        "import asyncio; asyncio.run(endpoint.request('amqp://127.0.0.1:1', 'A', cfx.AreYouThereRequest()))",
        "import asyncio; asyncio.run(endpoint.send('amqp://127.0.0.1:1', 'A'))",
    ],
)
def test_without_proton_what_needs_it_says_how_to_get_it(asked):
    """The rest of the package works; the others' error is one line with what to install."""
    program = (
        "import sys; sys.modules['proton'] = None\n"
        "from pywats_cfx import AMQPConfig, CFXConfig, CFXTransport, Endpoint, EndpointConfig\n"
        "from pywats_cfx import messages as cfx\n"
        "from pywats_cfx.amqp10 import ProtonMissing\n"
        "CFXTransport(CFXConfig(amqp=AMQPConfig()))\n"
        "endpoint = Endpoint(EndpointConfig())\n"
        f"try:\n    {asked}\n"
        "except ProtonMissing as error:\n    assert 'pip install' in str(error)\n"
        "else:\n    raise AssertionError('nothing was said')"
    )
    loaded(program)
