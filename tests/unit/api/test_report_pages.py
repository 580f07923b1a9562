"""The pages of reports: tree, limits, colours, charts, pictures, repairs, and the list's filters."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from pywats_api.building import UurBuilder, UutBuilder
from pywats_api.server.report_chart import chart_svg
from pywats_api.server.report_page import limits_of, shown

from .conftest import TOKEN

NOON = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)
PNG = b"\x89PNG picture"


@pytest.fixture
async def http(server):
    async with httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Basic {TOKEN}"}) as client:
        yield client


def failed_test(serial="S1"):
    test = UutBuilder(
        "P1",
        serial,
        "A",
        process=60,
        station="FCT-1",
        location="L1",
        program="fct",
        start=NOON,
        operator="ann",
    )
    with test.sequence("Power") as power:
        power.numeric("5V", 0.1, low=4.9, high=5.1, unit="V", error_message="too low")
        power.attach("board", PNG, file_name="board.png")
    chart = test.chart("Bode", chart_type="LineLogX", x_unit="Hz")
    chart.curve("gain <1>", x=[1, 10, 100], y=[0, -3, -9])
    test.attach("script", b"<script>alert(1)</script>", file_name="evil.svg", content_type="image/svg+xml")
    test.misc("Work order", "WO-1")
    return test.build()


def test_a_name_can_not_turn_the_text_behind_it():
    """Nor become markup."""
    assert shown("St\u202eation <b>") == "St\ufffdation &lt;b&gt;"


async def put(http, report):
    answer = await http.post("/api/Report/WSJF", json=report.to_wire())
    assert answer.status_code == 200, answer.text


async def test_page_shows_the_tree(http):
    """Steps stand with value, limits, verdict and text; charts are drawn; facts stand above."""
    report = failed_test()
    await put(http, report)
    page = (await http.get(f"/reports/{report.id}")).text
    assert '<td class="F">0.1 V</td><td class="limits">4.9 … 5.1</td>' in page
    for text in ("Functional test", "too low", "First failure", "<polyline", "gain &lt;1&gt;", "WO-1", "ann"):
        assert text in page
    assert "<script>" not in page


async def test_pictures_are_shown_and_files_saved(http):
    """A picture is drawn on the page; what a browser might run is offered for saving only."""
    report = failed_test()
    await put(http, report)
    page = await http.get(f"/reports/{report.id}")
    assert f'<img src="/reports/{report.id}/files/0"' in page.text
    assert f'<img src="/reports/{report.id}/files/1"' not in page.text
    assert "img-src 'self'" in page.headers["Content-Security-Policy"]
    picture = await http.get(f"/reports/{report.id}/files/0")
    assert (picture.content, picture.headers["Content-Type"]) == (PNG, "image/png")
    evil = await http.get(f"/reports/{report.id}/files/1")
    assert evil.headers["Content-Disposition"].startswith("attachment")
    assert evil.headers["X-Content-Type-Options"] == "nosniff"
    assert (await http.get(f"/reports/{report.id}/files/2")).status_code == 404


async def test_repair_and_test_lead_to_each_other(http):
    """From the failed test to its repair and back to the step that failed."""
    test = failed_test()
    repair = UurBuilder.of(test, process=500, station="REP-1", location="L1", start=NOON + timedelta(hours=1))
    repair.unit.failure("Component", "Missing", component="C12", step="Power/5V", files=[PNG])
    repair.attach(PNG, file_name="bench.png")
    built = repair.build()
    await put(http, test)
    await put(http, built)
    page = (await http.get(f"/reports/{test.id}")).text
    assert "Repairs of this failure" in page
    assert f'href="/reports/{built.id}"' in page
    page = (await http.get(f"/reports/{built.id}")).text
    assert f'<a href="/reports/{test.id}#step-2">Power/5V</a>' in page
    for text in ("Component: Missing", "C12", "bench.png", "Failed test"):
        assert text in page


async def test_list_is_filtered(http):
    """The list shows what fits all filters, and says so where nothing does."""
    for serial in ("AB-1", "AB-2", "CD-3"):
        await put(http, failed_test(serial))
    for query, found in {
        "serial=ab-": 2,
        "serial=CD&result=F": 1,
        "result=P": 0,
        "result=R": 0,
        "process=60&part=p1&station=fct": 3,
        "process=30": 0,
        "process=x": 3,
        "unheard=1": 3,
    }.items():
        page = (await http.get(f"/?{query}")).text
        assert page.count('<a href="/reports/') == found, query
    assert "No report fits" in (await http.get("/?serial=zz")).text
    assert 'value="&quot;&gt;"' in (await http.get('/?serial=">')).text


@pytest.mark.parametrize(
    ("measurement", "text"),
    [
        ({"compOp": "GELE", "lowLimit": 1, "highLimit": 2}, "1 … 2"),
        ({"compOp": "GTLT", "lowLimit": 1, "highLimit": 2}, "> 1 and < 2"),
        ({"compOp": "LTGT", "lowLimit": 1, "highLimit": 2}, "< 1 or > 2"),
        ({"compOp": "Le", "lowLimit": 5}, "≤ 5"),
        ({"compOp": "LOG"}, ""),
        ({"compOp": "IGNORECASE", "limit": "ok"}, "= ok (any case)"),
        ({"compOp": "NE", "limit": "ok"}, "≠ ok"),
        ({}, ""),
    ],
)
def test_limits_read_as_people_write_them(measurement, text):
    """A limit is shown as what passes, not as the letters of its operator."""
    assert limits_of(measurement) == text


@pytest.mark.parametrize("kind", ["Line", "LineLogX", "LineLogXY"])
@pytest.mark.parametrize(
    "ydata",
    [
        "",
        "x;y",
        "1",
        "0;0",
        "-1;-2",
        "1e308;-1e308",
        "1e308",
        "nan;inf",
        "5e-324;5e-324",
        ";".join("1" * 9999),
    ],
)
def test_any_chart_is_drawn_or_said_to_be_empty(kind, ydata):
    """No points, however odd, break the page of a report."""
    drawn = chart_svg({"chartType": kind, "label": "a<b", "series": [{"name": "s", "ydata": ydata}]})
    assert ("<svg" in drawn) or ("no points" in drawn)
    assert "nan" not in drawn
    assert len(drawn) < 60_000
