"""The examples of the guide to reports run as they stand, against a local server."""

import re
from pathlib import Path

import pytest

from pywats_api import pyWATS
from pywats_api.building import UutBuilder
from pywats_api.server import LocalWATS
from pywats_api.sync import LoopThread

GUIDE = Path(__file__).parents[3] / "docs" / "reports.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


def failed_test():
    test = UutBuilder("PCB-100", "SN-9", "B", process=60, station="FCT-1", location="L1", program="fct.seq")
    test.sequence("Power").pass_fail("5V", passed=False)
    return test.build()


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    thread = LoopThread()
    server = LocalWATS(tmp_path_factory.mktemp("guide") / "wats.sqlite")
    thread.run(server.start())
    with pyWATS(server.url, "token") as api:  # something to be found, whichever example is run
        api.report.submit(failed_test())
    yield server.url
    thread.run(server.stop())
    thread.close()


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_example_runs(number, url, capsys):
    """Each example of the guide runs, with the address of the server in place of the guide's."""
    code = EXAMPLES[number].replace("http://localhost:8080", url)
    exec(compile(code, f"{GUIDE.name}, example {number + 1}", "exec"), {"__name__": "example"})  # noqa: S102
    if "print(submitted" in code:
        assert re.fullmatch(r"[0-9a-f-]{36}\n", capsys.readouterr().out)
    if "query_uut_headers" in code:
        assert "Power/5V" in capsys.readouterr().out
