"""Queries over headers: what a filter finds, and which are refused."""

from datetime import UTC, datetime

import pytest

from pywats_api import ValidationError
from pywats_api.server.documents import Refused
from pywats_api.server.headers import COLUMNS
from pywats_api.server.odata import Column, parse_filter
from pywats_api.wsjf import UutInfo

from .conftest import make_report


@pytest.fixture
async def filled(api):
    for number, (serial, result, hour) in enumerate([("A-1", "P", 8), ("A-2", "F", 9), ("B_1", "E", 10)]):
        await api.report.submit(
            make_report(
                id=f"00000000-0000-0000-0000-00000000000{number}",
                sn=serial,
                result=result,
                start=datetime(2026, 1, 30, hour, tzinfo=UTC),
                uut=UutInfo(user="ann" if number else None, exec_time=number * 1.5),
            )
        )
    return api


@pytest.mark.parametrize(
    ("odata_filter", "found"),
    [
        ("serialNumber eq 'A-1'", "A-1"),
        ("serialNumber ne 'A-1'", "A-2 B_1"),
        ("serialNumber in ('A-1', 'B_1')", "A-1 B_1"),
        ("startswith(serialNumber, 'A')", "A-1 A-2"),
        ("endswith(serialNumber,'1') and contains(serialNumber,'-')", "A-1"),
        ("contains(serialNumber,'_')", "B_1"),
        ("contains(serialNumber,'%')", ""),
        ("not startswith(serialNumber,'A')", "B_1"),
        ("result eq 'Failed' or result eq 'Error'", "A-2 B_1"),
        ("(result eq 'Failed' or result eq 'Error') and serialNumber eq 'B_1'", "B_1"),
        ("start ge 2026-01-30T09:00:00Z", "A-2 B_1"),
        ("start lt 2026-01-30T11:00:00+01:00", "A-1 A-2"),
        ("start gt 2026-01-31", ""),
        ("uuid eq 00000000-0000-0000-0000-000000000001", "A-2"),
        ("uuid in (00000000-0000-0000-0000-000000000000,00000000-0000-0000-0000-000000000002)", "A-1 B_1"),
        ("processCode eq 60 and executionTime gt 1.4", "A-2 B_1"),
        ("userName eq null", "A-1"),
        ("userName ne 'bob'", "A-1 A-2 B_1"),
        ("not (userName eq 'ann')", "A-1"),
        ("stationName eq 'FCT-1'  ", "A-1 A-2 B_1"),
    ],
)
async def test_filter_finds(filled, odata_filter, found):
    """Comparisons, lists, text functions and their combinations find what they say."""
    headers = await filled.report.query_headers(odata_filter=odata_filter, orderby="start asc")
    assert " ".join(header.serial_number for header in headers) == found


@pytest.mark.parametrize(
    "odata_filter",
    [
        "serialNumber",
        "serialNumber eq",
        "serialNumber eq 5",
        "serialNumber like 'A'",
        "status eq 'Failed'",
        "processCode eq 'sixty'",
        "start ge yesterday",
        "start ge 2026-13-01",
        "(serialNumber eq 'A'",
        "serialNumber eq 'A' serialNumber eq 'B'",
        "serialNumber eq 'A",
        "serialNumber in ()",
        "serialNumber gt null",
        "contains(serialNumber)",
        "contains(processCode, '6')",
        "year(start) eq 2026",
        "processCode add 1 eq 2",
        "1 eq 1",
        "; DROP TABLE reports",
    ],
)
def test_bad_filter_is_refused(odata_filter):
    """A filter that says nothing is refused, and what is wrong with it is told."""
    with pytest.raises(Refused, match=r"\$filter"):
        parse_filter(odata_filter, COLUMNS)


async def test_refused_filter_reaches_the_client(api):
    """The fault in a filter arrives at who asked."""
    with pytest.raises(ValidationError, match=r'\$filter: there is no field "verdict"'):
        await api.report.query_headers(odata_filter="verdict eq 'Failed'")


@pytest.mark.parametrize(
    "options",
    [{"top": 10_001}, {"top": -1}, {"orderby": "result"}, {"orderby": "start up"}, {"select": ["nothing"]}],
)
async def test_bad_option_is_refused(api, options):
    """Options outside what the server offers get 400."""
    with pytest.raises(ValidationError, match=r"\$"):
        await api.report.query_headers(**options)


async def test_paging_and_order(filled):
    """Newest comes first, ten at most unless asked for, and pages follow each other."""
    assert [h.serial_number for h in await filled.report.query_headers()] == ["B_1", "A-2", "A-1"]
    page = await filled.report.query_headers(orderby="serialNumber desc", top=1, skip=1)
    assert [h.serial_number for h in page] == ["A-2"]


def test_nesting_has_an_end():
    """A filter nested without end is refused and does not exhaust the server."""
    with pytest.raises(Refused, match="deep"):
        parse_filter("(" * 5000 + "a eq 1" + ")" * 5000, {"a": Column("a", "number")})
