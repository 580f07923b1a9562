"""The WATS REST client, asynchronous first, and a local WATS server for demo and tests.

::

    async with AsyncWATS(base_url="https://acme.wats.com", token="...") as api:
        await api.report.submit(report)
"""

from pywats_api.asset import (
    Asset,
    AssetAlarmState,
    AssetFile,
    AssetLog,
    AssetLogEntry,
    AssetState,
    AssetStatus,
    AssetStatusCode,
    AssetTag,
    AssetType,
    TagChange,
)
from pywats_api.client import AsyncWATS
from pywats_api.errors import (
    AuthenticationError,
    AuthorizationError,
    ConflictError,
    ConnectionError,  # noqa: A004  # the catalogue's name
    EmptyResponseError,
    ErrorMode,
    InvalidResponseError,
    NotFoundError,
    PayloadTooLargeError,
    PyWATSError,
    ServerError,
    ServiceUnavailableError,
    ThrottledError,
    TimeoutError,  # noqa: A004  # the catalogue's name
    ValidationError,
    WatsApiError,
)
from pywats_api.process import Process
from pywats_api.product_bom import Bom, BomItem
from pywats_api.product_box_build import BoxBuildSubunit, BoxBuildTemplate
from pywats_api.product_records import Product, ProductGroup, ProductRevision, ProductState, ProductView
from pywats_api.production import ProcessVerification, Unit, UnitVerification
from pywats_api.report import ReportHeader, SubmittedReport
from pywats_api.results import Failure, Result, Success
from pywats_api.retry import RetryConfig
from pywats_api.sync import pyWATS
from pywats_api.tags import Setting
from pywats_api.throttle import RateLimiter
from pywats_api.unit_phases import UnitPhase, UnitPhaseFlag

__all__ = [
    "Asset",
    "AssetAlarmState",
    "AssetFile",
    "AssetLog",
    "AssetLogEntry",
    "AssetState",
    "AssetStatus",
    "AssetStatusCode",
    "AssetTag",
    "AssetType",
    "AsyncWATS",
    "AuthenticationError",
    "AuthorizationError",
    "Bom",
    "BomItem",
    "BoxBuildSubunit",
    "BoxBuildTemplate",
    "ConflictError",
    "ConnectionError",
    "EmptyResponseError",
    "ErrorMode",
    "Failure",
    "InvalidResponseError",
    "NotFoundError",
    "PayloadTooLargeError",
    "Process",
    "ProcessVerification",
    "Product",
    "ProductGroup",
    "ProductRevision",
    "ProductState",
    "ProductView",
    "PyWATSError",
    "RateLimiter",
    "ReportHeader",
    "Result",
    "RetryConfig",
    "ServerError",
    "ServiceUnavailableError",
    "Setting",
    "SubmittedReport",
    "Success",
    "TagChange",
    "ThrottledError",
    "TimeoutError",
    "Unit",
    "UnitPhase",
    "UnitPhaseFlag",
    "UnitVerification",
    "ValidationError",
    "WatsApiError",
    "pyWATS",
]
