"""The local server's own surface: knobs, records of what came, pages, command line."""

import asyncio
import gc

import httpx
import pytest

from pywats_api.server import LocalWATS
from pywats_api.server.__main__ import main
from pywats_api.wsjf import SeqCall, Step

from .conftest import TOKEN, make_report


@pytest.fixture
async def http(server):
    headers = {"Authorization": f"Basic {TOKEN}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
        yield client


async def test_an_account_that_makes_no_sense(tmp_path):
    """A server that can't be made leaves no socket open."""
    server = LocalWATS(tmp_path / "wats.sqlite", processes=[{"no": "code"}])
    with pytest.raises(KeyError):
        await server.start()
    gc.collect()  # a socket that nobody closed would warn, which is an error here
    with pytest.raises(RuntimeError, match="no address"):
        _ = server.url


async def test_knobs_turn_over_http(server, http):
    """A knob turned over HTTP acts on the API, never on /local, and can be turned back."""
    answer = await http.patch("/local/knobs", json={"outage": "unavailable"})
    assert answer.json()["outage"] == "unavailable"
    assert server.knobs.outage == "unavailable"
    assert (await http.get("/api/App/Version")).status_code == 503
    assert (await http.get("/local/knobs")).status_code == 200
    assert (await http.delete("/local/knobs")).status_code == 204
    assert (await http.get("/api/App/Version")).status_code == 200


async def test_rejection_can_be_told_over_http(http):
    """The next few submissions are refused as told, then all is well."""
    await http.patch("/local/knobs", json={"reject": {"count": 1, "status": 418, "text": "tea"}})
    wire = make_report().to_wire()
    first = await http.post("/api/Report/WSJF", json=wire)
    assert (first.status_code, first.json()) == (418, {"Message": "tea"})
    assert (await http.post("/api/Report/WSJF", json=wire)).status_code == 200


@pytest.mark.parametrize("body", [{"lateness": 1}, {"error_rate": 2}, {"outage": "party"}, []])
async def test_impossible_knob_is_refused(server, http, body):
    """A knob that does not exist or cannot stand so is refused and nothing is turned."""
    before = server.knobs.model_dump()
    assert (await http.patch("/local/knobs", json=body)).status_code == 400
    assert server.knobs.model_dump() == before


async def test_random_errors_repeat_with_the_seed(server, http):
    """Random errors come at the rate asked for, and in the same order for the same seed."""

    async def statuses():
        server.knobs.seed = 7
        return [(await http.get("/api/App/Version")).status_code for _ in range(40)]

    server.knobs.error_rate = 0.5
    server.knobs.error_status = 502
    first = await statuses()
    assert first == await statuses()
    assert 8 < first.count(502) < 32


async def test_throttle_counts_a_minute(server, http):
    """Beyond the throttle the answer is 429 and says when to come back."""
    server.knobs.throttle = 2
    answers = [await http.get("/api/App/Version") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60


async def test_api_needs_a_token(server):
    """Without any token the API answers 401, even where any token would do."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        assert (await client.get("/api/App/Version")).status_code == 401


async def test_routes_in_any_case(http):
    """Routes are found in any case, as on the real server."""
    answer = await http.post("/API/report/wsjf", json=make_report().to_wire())
    assert answer.status_code == 200
    assert (await http.get(f"/api/report/Wsjf/{answer.json()[0]['uuid']}")).status_code == 200


async def test_what_came_can_be_seen(http):
    """A test sees each report as it came, how often, and the sums."""
    wire = make_report().to_wire()
    for _ in range(2):
        await http.post("/api/Report/WSJF", json=wire)
    await http.post("/api/Report/WSJF", json={})
    (entry,) = (await http.get("/local/reports")).json()
    assert (entry["receiveCount"], entry["body"]) == (2, wire)
    assert (await http.get(f"/local/reports/{wire['id']}")).json() == entry
    assert (await http.get("/local/counts")).json() == {
        "stored": 1,
        "quarantined": 0,
        "received": 2,
        "overwrites": 0,
        "refused": 1,
    }
    await http.delete("/local/reports")
    assert (await http.get("/local/reports")).json() == []


async def test_pages_show_reports_and_escape_them(http):
    """The pages show results, steps and limits, and nothing a report says becomes markup."""
    assert "Nothing was received" in (await http.get("/")).text
    evil = "<script>alert(1)</script>"
    report = make_report(sn=evil, machine_name="\"'>&")
    await http.post("/api/Report/WSJF", json=report.to_wire())
    listing = await http.get("/")
    page = await http.get(f"/reports/{report.id}")
    for answer in (listing, page):
        assert answer.status_code == 200
        assert "<script" not in answer.text
        assert "&lt;script&gt;" in answer.text
        assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert "Passed" in listing.text
    assert "3.2 … 3.4" in page.text
    assert "3.3 V" in page.text
    assert (await http.get("/reports/nothing")).status_code == 404


async def test_deep_report_has_a_page(http):
    """A report nested as deep as the server takes it can be looked at."""
    step = Step(name="leaf", step_type="Action", status="P")
    for depth in range(60):
        step = Step(
            name=f"level {depth}",
            step_type="SequenceCall",
            status="P",
            seq_call=SeqCall(name="x"),
            steps=[step],
        )
    report = make_report(root=step)
    assert (await http.post("/api/Report/WSJF", json=report.to_wire())).status_code == 200
    assert "leaf" in (await http.get(f"/reports/{report.id}")).text


async def test_unusable_database_is_told(tmp_path):
    """A database that cannot be opened fails the start and says which one."""
    server = LocalWATS(tmp_path / "no" / "such" / "wats.sqlite")
    with pytest.raises(RuntimeError, match=r"wats\.sqlite"):
        await server.start()


async def test_address_is_known_after_start_only(tmp_path):
    """Asking for the address too early is an error and not a wrong address."""
    with pytest.raises(RuntimeError, match="before it was started"):
        _ = LocalWATS(tmp_path / "wats.sqlite").url


def test_command_line_explains_itself(capsys):
    """The command names its options."""
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "--throttle" in capsys.readouterr().out


async def test_a_sender_that_goes_away_is_no_fault_of_the_server(server, http, caplog):
    """A connection that ends in the middle of a body stores nothing and logs no error."""
    port = int(server.url.rsplit(":", 1)[1])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = [
        "POST /api/Report/WSJF HTTP/1.1",
        "Host: x",
        f"Authorization: Basic {TOKEN}",
        "Content-Length: 500",
    ]
    writer.write("\r\n".join([*head, "", '{"id": ']).encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await http.get("/local/counts")).json()["received"] == 0
    await server.stop()  # waits for the requests under way
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "99999"], '"99999" is no port'),
        (["--port", "http"], '"http" is no port'),
        (["--db", "no/such/folder/wats.sqlite"], "unable to open database file"),
        (["--db", "text"], "file is not a database"),
    ],
)
def test_a_mistake_in_the_command_line_is_one_line(tmp_path, monkeypatch, capsys, arguments, said):
    """Which option, what is wrong with it, and exit code 2; nothing of the server's insides."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("not what a database begins with\n" * 10)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert f"argument {arguments[0]}: " in (last := capsys.readouterr().err.splitlines()[-1])
    assert said in last
