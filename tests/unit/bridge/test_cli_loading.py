"""What a command loads: people wait for what they asked for, and for nothing else."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import version

import pytest

HEAVY = {"aio_pika", "aiohttp", "aiormq", "fastapi", "httpx", "proton", "psycopg", "uvicorn"}


def loaded(program: str) -> set[str]:
    """Give the modules that a fresh interpreter has loaded after a program."""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["pywats_bridge.cli", "pywats_bridge.settings"])
def test_the_command_line_and_the_configuration_load_no_client_and_no_server(module: str) -> None:
    """Help, and a configuration that is read, need nothing that speaks to WATS or a broker."""
    modules = loaded(f"import {module}")
    assert not HEAVY & modules
    assert not {"pywats_bridge.composition", "pywats_api.client", "pywats_api.wsjf.parts"} & modules


@pytest.mark.parametrize("package", ["pywats_api", "pywats_api.wsjf", "handlers"])
def test_a_package_alone_loads_no_other_module_of_its_own(package: str) -> None:
    """Who imports one record, rule or text does not pay for all of them."""
    root = package.partition(".")[0]
    ours = {name for name in loaded(f"import {package}") if name.partition(".")[0] == root}
    assert ours == {package, root}


@pytest.mark.parametrize(
    "package", ["pywats_api", "pywats_api.wsjf", "handlers", "pywats_events.transports.mqtt"]
)
def test_every_public_name_can_be_had_and_is_shown(package: str) -> None:
    """What a package promises is there when it is asked for, and in the list of its members before."""
    module = importlib.import_module(package)
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Misspelt'"):
        _ = module.Misspelt


def test_the_errors_of_the_client_are_members_of_its_package() -> None:
    """``import pywats_api`` is enough to write ``except pywats_api.errors.NotFoundError``."""
    program = "import pywats_api\nassert pywats_api.errors.NotFoundError and pywats_api.wsjf.Report"
    assert "pywats_api.errors" in loaded(program)


def test_the_program_loads_next_to_nothing_before_it_minds_ctrl_c() -> None:
    """Whoever is impatient from the first moment sees no traceback; the version is there when asked for."""
    modules = loaded("import pywats_bridge.__main__")
    assert {name for name in modules if name.startswith("pywats_")} == {
        "pywats_bridge",
        "pywats_bridge.__main__",
        "pywats_bridge.loading",
    }
    assert "importlib.metadata" not in modules
    assert importlib.import_module("pywats_bridge").__version__ == version("pywats-bridge")
    with pytest.raises(AttributeError, match="no attribute 'Misspelt'"):
        _ = importlib.import_module("pywats_bridge").Misspelt
