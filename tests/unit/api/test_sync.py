"""The blocking client is the asynchronous one, for code without an event loop."""

import asyncio
import inspect
import threading

import pytest

from pywats_api import NotFoundError, pyWATS
from pywats_api.app import AppDomain
from pywats_api.asset import AssetDomain
from pywats_api.process import ProcessDomain
from pywats_api.product import ProductDomain
from pywats_api.production import ProductionDomain
from pywats_api.report import ReportDomain
from pywats_api.root_cause import RootCauseDomain
from pywats_api.sync import (
    SyncAppDomain,
    SyncAssetDomain,
    SyncProcessDomain,
    SyncProductDomain,
    SyncProductionDomain,
    SyncReportDomain,
    SyncRootCauseDomain,
)

from .conftest import TOKEN, make_report

PAIRS = [
    (AppDomain, SyncAppDomain),
    (AssetDomain, SyncAssetDomain),
    (ProcessDomain, SyncProcessDomain),
    (ProductDomain, SyncProductDomain),
    (ProductionDomain, SyncProductionDomain),
    (ReportDomain, SyncReportDomain),
    (RootCauseDomain, SyncRootCauseDomain),
]


@pytest.mark.parametrize(("asynchronous", "blocking"), PAIRS)
def test_every_call_has_its_blocking_twin(asynchronous, blocking):
    """No call is missing in the blocking client, and each has the same signature and documentation."""
    for name, method in inspect.getmembers(asynchronous, inspect.iscoroutinefunction):
        if name.startswith("_"):
            continue
        twin = getattr(blocking, name)
        assert inspect.signature(twin) == inspect.signature(method)
        assert twin.__doc__ == method.__doc__


async def test_blocking_calls_reach_the_server(server):
    """Submitting and finding a report works without a loop of one's own."""

    def work():
        with pyWATS(server.url, TOKEN) as api:
            report = make_report()
            assert api.report.submit(report).uuid == report.id
            assert api.report.get_headers_by_serial("S1")[0].uuid == report.id
            assert api.process.get_test_operation("ICT").code == 30
            with pytest.raises(NotFoundError):
                api.asset.get_asset_by_serial("nobody")
            return api.app.get_version()

    assert (await asyncio.to_thread(work)).startswith("local")


def test_close_ends_the_thread_and_may_be_repeated():
    """Closing leaves no thread behind; closing twice does no harm."""
    before = threading.active_count()
    api = pyWATS("http://127.0.0.1:1", TOKEN)
    assert threading.active_count() == before + 1
    api.close()
    api.close()
    assert threading.active_count() == before


def test_failed_start_leaves_no_thread():
    """A client that cannot be made leaves no thread behind."""
    before = threading.active_count()
    with pytest.raises(ValueError):
        pyWATS("nowhere", TOKEN)
    assert threading.active_count() == before
