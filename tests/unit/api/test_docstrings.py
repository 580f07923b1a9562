"""What the documentation of every call says: arguments, errors, and the route that it calls."""

import inspect
import re

import pytest

from pywats_api.app import AppDomain
from pywats_api.asset import AssetDomain
from pywats_api.process import ProcessDomain
from pywats_api.product import ProductDomain
from pywats_api.product_box_build import BoxBuildTemplate
from pywats_api.production import ProductionDomain
from pywats_api.report import ReportDomain
from pywats_api.root_cause import RootCauseDomain

DOMAINS = (
    AppDomain,
    AssetDomain,
    ProcessDomain,
    ProductDomain,
    ProductionDomain,
    ReportDomain,
    RootCauseDomain,
    BoxBuildTemplate,
)
METHODS = [
    pytest.param(method, id=f"{domain.__name__}.{name}")
    for domain in DOMAINS
    for name, method in inspect.getmembers(domain, inspect.isfunction)
    if not name.startswith("_")
]


@pytest.mark.parametrize("method", METHODS)
def test_a_call_is_documented(method):
    """Each argument has its line; what asks the server names the route, and what can go wrong."""
    text = inspect.getdoc(method) or ""
    arguments = [name for name in inspect.signature(method).parameters if name != "self"]
    assert [name for name in arguments if not re.search(rf"(?m)^    \**{name}: ", text)] == []
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        assert "/api/" in text
        assert "\nRaises:\n" in text
