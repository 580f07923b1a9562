"""The examples of the report documents that ask the server, run against a local one.

Left out are those that build reports: the documents show two builders that contradict each other (a numeric
`purpose`, statuses that are not worked out, `send_uut_report` of models that the format refuses), and ours is
the one of docs/reports.md, whose examples run in test_report_docs.py.
"""

import re
from datetime import UTC, datetime, timedelta

import pytest

from pywats_api import ReportType, pyWATS
from pywats_api.building import UurBuilder, UutBuilder
from pywats_api.server import LocalWATS
from pywats_api.sync import LoopThread

from .conftest import SAMPLES, TOKEN

DOCUMENT = SAMPLES.parent / "seeds" / "pywats-documentation.txt"
MISSING = pytest.mark.skipif(
    not DOCUMENT.exists(), reason=f"{DOCUMENT.name} is not beside the checkout, in ../shared/seeds"
)
# The heading an example stands under, and the line before which that heading is looked for.
MODULE, GUIDE = "*Source: docs/modules/report.md*", "Source: [docs/usage/report-module.md]"
HEADINGS = [
    (MODULE, "Query UUT Report Headers"),
    (MODULE, "OData Filter Examples"),
    (MODULE, "Query with Expanded Fields"),
    (MODULE, "Query UUR (Repair) Headers"),
    (MODULE, "Download Attachments"),
    (MODULE, "Failure Analysis Report"),
    (GUIDE, "Using OData Filters"),
    (GUIDE, "Convenience Methods"),
    (GUIDE, "Expanded Fields"),
]


def example(chapter, heading):
    """The first piece of code under a heading of a chapter."""
    text = DOCUMENT.read_text()
    text = text[text.index(chapter) :]
    found = re.search(rf"^{re.escape(heading)}\s*$.*?^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, heading
    code = re.sub(r"\bfrom pywats\b", "from pywats_api", found.group(1))
    return code.replace('"report-uuid-here"', "REPORT_ID")


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """A client of a server that has what the examples ask for."""
    thread = LoopThread()
    server = LocalWATS(tmp_path_factory.mktemp("examples") / "wats.sqlite")
    thread.run(server.start())
    with pyWATS(server.url, TOKEN) as client:
        yield client
    thread.run(server.stop())
    thread.close()


def furnished(api):
    test = UutBuilder(
        "WIDGET-001",
        "W12345",
        "A",
        process=100,
        station="EOL-1",
        location="Line 1",
        program="eol",
        start=datetime.now(UTC) - timedelta(minutes=1),
    )
    test.pass_fail("UART", passed=False)
    test.attach("screen", b"png", file_name="screen.png")
    test.sub_unit("PCBA", "PCB-1", "PCB-0001")
    test.misc("Work order", "WO-1")
    report = test.build()
    api.report.submit(report)
    repair = UurBuilder.of(report, process=500, station="REP", location="Line 1")
    repair.unit.failure("Component", "Defect")
    api.report.submit(repair.build())
    return report.id


@pytest.mark.parametrize("place", HEADINGS, ids=lambda place: place[1])
@MISSING
def test_example_runs(api, place, tmp_path, monkeypatch, capsys):
    """Each example that asks the server runs as it stands, the module's name replaced."""
    monkeypatch.chdir(tmp_path)
    heading = place[1]
    names = {"api": api, "REPORT_ID": furnished(api), "ReportType": ReportType, "__name__": "example"}
    exec(compile(example(*place), heading, "exec"), names)  # noqa: S102
    said = capsys.readouterr().out
    if heading == "Query UUT Report Headers":
        assert "W12345: Failed (" in said
    if heading == "Query with Expanded Fields":
        assert "Sub-unit: PCB-0001" in said
    if heading == "Download Attachments":
        assert (tmp_path / "downloaded_screen.png").read_bytes() == b"png"
    if heading == "Failure Analysis Report":
        assert "WIDGET-001:" in said
    if heading == "Convenience Methods":
        assert names["report"].sn == "W12345"
