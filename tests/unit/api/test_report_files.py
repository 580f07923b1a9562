"""Files, certificates, typed reports and typed filters, from client to local server and back."""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from pywats_api import HeaderFilter, InvalidResponseError, NotFoundError, ValidationError
from pywats_api.building import UurBuilder, UutBuilder
from pywats_api.report import ReportDomain

from .conftest import make_client, make_report

NOON = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)
PNG = b"\x89PNG" + bytes(range(256))


def failed_test(serial="S1", **changes):
    test = UutBuilder(
        "P1",
        serial,
        "A",
        **({"process": 60, "station": "FCT-1", "location": "L1", "program": "fct", "start": NOON} | changes),
    )
    with test.sequence("Power") as power:
        power.numeric("5V", 0.1, low=4.9, high=5.1, unit="V")
        power.attach("scope", PNG, file_name="scope.png")
    test.attach("log", b"booted", file_name="boot log.txt")
    test.misc("Work order", "WO-1")
    return test.build()


def repair_of(test):
    repair = UurBuilder.of(test, process=500, station="REP-1", location="L1", start=NOON + timedelta(hours=1))
    repair.unit.failure("Component", "Missing", step="Power/5V", files=[PNG])
    repair.attach(b"notes", file_name="notes.txt")
    return repair.build()


async def test_typed_report_comes_back(api):
    """A test and its repair come back as models, each where it is asked for."""
    test = failed_test()
    repair = repair_of(test)
    await api.report.submit(test)
    await api.report.submit(repair)
    found = await api.report.get_uut_report(test.id)
    assert found.to_wire() == test.to_wire() | {"processName": "Functional test"}
    assert found.root.steps[0].steps[0].numeric_meas[0].low_limit == 4.9
    back = await api.report.get_uur_report(repair.id)
    assert back.uur.ref_uut == test.id
    assert back.sub_units[0].failures[0].ref_step_id == found.root.steps[0].steps[0].id
    with pytest.raises(NotFoundError, match="repair report"):
        await api.report.get_uur_report(test.id)


async def test_files_of_a_test(api):
    """Files are listed in order and fetched by step, by name, and all at once."""
    test = failed_test()
    await api.report.submit(test)
    scope, log = await api.report.get_attachments(test.id)
    assert (scope.name, scope.content_type, scope.size, scope.step_id) == ("scope.png", "image/png", 260, 3)
    assert await api.report.get_attachment(test.id, step_id=scope.step_id) == PNG
    assert await api.report.download_attachment(test.id, "boot log.txt") == b"booted"
    assert log.attachment_id is None
    with pytest.raises(NotFoundError):
        await api.report.get_attachment(test.id, step_id=1)
    with pytest.raises(NotFoundError, match='no file "x"'):
        await api.report.download_attachment(test.id, "x")
    with pytest.raises(ValueError, match="step_id"):
        await api.report.get_attachment(test.id)


async def test_files_of_a_repair(api):
    """Files of failures and of the repair get an id from the server, and are fetched by it."""
    repair = repair_of(failed_test())
    await api.report.submit(repair)
    files = await api.report.get_attachments(repair.id)
    assert {file.name for file in files} == {"notes.txt", "attachment"}
    for file in files:
        content = await api.report.get_attachment(repair.id, attachment_id=file.attachment_id)
        assert content == (b"notes" if file.name == "notes.txt" else PNG)


async def test_large_file_is_written_as_it_comes(api, tmp_path):
    """A file of megabytes arrives on disk whole, and all files of a report as one archive."""
    large = bytes(range(256)) * 12_000
    test = UutBuilder("P1", "S1", "A", process=60, station="F", location="L", program="p", start=NOON)
    test.attach("trace", large, file_name="../trace.bin")
    test.attach("second", b"2", file_name="trace.bin")
    report = test.build()
    await api.report.submit(report)
    assert await api.report.save_attachment(report.id, tmp_path / "trace.bin", step_id=1) == len(large)
    assert (tmp_path / "trace.bin").read_bytes() == large
    size = await api.report.save_attachments(report.id, tmp_path / "all.zip")
    packed = (tmp_path / "all.zip").read_bytes()
    assert len(packed) == size
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.namelist() == ["trace.bin", "2-trace.bin"]
        assert archive.read("trace.bin") == large


async def test_failed_download_leaves_nothing(api, tmp_path):
    """Where the server has no such file, none appears on disk."""
    with pytest.raises(NotFoundError):
        await api.report.save_attachments(uuid4(), tmp_path / "all.zip")
    assert list(tmp_path.glob("all*")) == []


async def test_broken_download_is_begun_anew(server, fake_time, tmp_path):
    """A server that fails once costs a second try, and the file is whole."""
    async with make_client(server, fake_time, attempts=2) as api:
        test = failed_test()
        await api.report.submit(test)
        server.knobs.reject_next(1, status=503, path="/api/Report/Attachments")
        await api.report.save_attachments(test.id, tmp_path / "all.zip")
    assert zipfile.is_zipfile(tmp_path / "all.zip")
    assert fake_time.slept


async def test_certificate_is_a_pdf(api):
    """The certificate names unit and result."""
    test = failed_test("S(1)")
    await api.report.submit(test)
    pdf = await api.report.get_certificate(test.id)
    assert pdf.startswith(b"%PDF-")
    assert b"Serial number: S\\(1\\)" in pdf
    assert b"FAILED" in pdf


async def test_files_can_be_left_out(api):
    """A repair without its files is the same report without their bytes."""
    repair = repair_of(failed_test())
    await api.report.submit(repair)
    plain = await api.report.get(repair.id, include_attachments=False)
    assert "binaryData" not in plain
    assert "attachments" not in plain["subUnits"][0]["failures"][0]


async def test_headers_by_misc_info(api):
    """Reports are found by what people put in their misc infos."""
    await api.report.submit(failed_test())
    await api.report.submit(make_report(sn="other"))
    for query in (
        {"description": "Work order"},
        {"data": "WO-1"},
        {"serial_number": "S1", "process_code": 60},
    ):
        (found,) = await api.report.query_headers_by_misc_info(**query)
        assert (found.serial_number, found.process_name) == ("S1", "Functional test")
        assert found.misc_data == [{"description": "Work order", "text": "WO-1"}]
    assert await api.report.query_headers_by_misc_info("Work order", "WO-2") == []


async def test_header_tells_the_cause_and_the_run_that_passed(api):
    """The header of a failed test names the failing step, and the run in which the unit passed."""
    await api.report.submit(failed_test())
    await api.report.submit(make_report(start=NOON + timedelta(minutes=5)))
    second, first = await api.report.query_headers(expand=["attachments"])
    assert (first.caused_uut_failure, first.caused_uut_failure_path) == ("5V", "Power/5V")
    assert (first.run, first.passed_in_run, second.run) == (1, 2, 2)
    assert [file["name"] for file in first.attachments] == ["scope.png", "boot log.txt"]


@pytest.mark.parametrize(
    ("wanted", "odata"),
    [
        ({}, ""),
        ({"serial_number": "O'Brien"}, "serialNumber eq 'O''Brien'"),
        ({"result": "F"}, "result eq 'Failed'"),
        ({"result": ["F", "E"]}, "result in ('Failed', 'Error')"),
        ({"process_code": [30, 60]}, "processCode in (30, 60)"),
        (
            {"part_number": "P1", "started_from": NOON},
            "partNumber eq 'P1' and start ge 2026-01-30T12:00:00.000Z",
        ),
        ({"serial_prefix": "S"}, "startswith(serialNumber, 'S')"),
    ],
)
async def test_typed_filter_is_odata(api, wanted, odata):
    """A typed filter is what one would write by hand, and the server reads it."""
    condition = HeaderFilter(**wanted)
    assert condition.to_odata() == odata
    await api.report.query_headers(odata_filter=condition)


async def test_typed_filter_finds(api):
    """Conditions hold together, on tests and on repairs."""
    test = failed_test()
    await api.report.submit(test)
    await api.report.submit(repair_of(test))
    await api.report.submit(make_report(sn="S2"))
    (failed,) = await api.report.query_headers(
        odata_filter=HeaderFilter(
            serial_number=["S1", "S2"],
            result="F",
            program="fct",
            station="FCT-1",
            started_from=NOON,
            started_before=NOON + timedelta(seconds=1),
        )
    )
    assert failed.uuid == test.id
    (repair,) = await api.report.query_uur_headers(HeaderFilter(failed_test=test.id))
    assert repair.referenced_uut == test.id


def test_typed_filter_refuses_what_matches_nothing():
    """An empty list and a moment without offset are mistakes, not questions."""
    with pytest.raises(ValueError, match="empty list"):
        HeaderFilter(result=[]).to_odata()
    with pytest.raises(ValueError, match="has no offset"):
        HeaderFilter(started_from=datetime(2026, 1, 30)).to_odata()  # noqa: DTZ001  # the very thing under test


async def test_bad_addresses_get_400(api):
    """Questions that no report can answer are refused with their reason."""
    for path in (
        "Attachment?reportId=x&stepId=1",
        f"Attachment?reportId={uuid4()}",
        "WSJF/x",
        "Certificate/x",
    ):
        with pytest.raises(ValidationError):
            await api.report._connection.request("test", "GET", f"/api/Report/{path}")


async def test_tree_too_deep_to_be_read_is_told():
    """A server that gives a tree without end is answered with an error that can be read."""
    step = {"name": "leaf", "stepType": "Action", "status": "P"}
    for _ in range(2000):
        step = {
            "name": "s",
            "stepType": "SequenceCall",
            "status": "P",
            "seqCall": {"path": "s", "name": "s"},
            "steps": [step],
        }

    class Endless(ReportDomain):
        async def get(self, report_id, **_):  # noqa: ARG002  # the name it is called by
            return make_report().to_wire() | {"root": step}

    with pytest.raises(InvalidResponseError, match="is not as documented") as refused:
        await Endless(None).get_report("x")
    assert len(str(refused.value)) < 500
