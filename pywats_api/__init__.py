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
from pywats_api.auth import token_of_user
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
from pywats_api.process_records import Process
from pywats_api.product_bom import Bom, BomItem
from pywats_api.product_box_build import BoxBuildSubunit, BoxBuildTemplate
from pywats_api.product_records import Product, ProductGroup, ProductRevision, ProductState, ProductView
from pywats_api.production_records import (
    AssemblyVerification,
    ProcessVerification,
    ProductionBatch,
    SerialNumberType,
    Unit,
    UnitChange,
    UnitVerification,
    UnitVerificationGrade,
)
from pywats_api.report import (
    HeaderFilter,
    MiscInfoHeader,
    ReportAttachment,
    ReportHeader,
    ReportType,
    SubmittedReport,
)
from pywats_api.results import Failure, Result, Success
from pywats_api.retry import RetryConfig
from pywats_api.root_cause_records import (
    Ticket,
    TicketAttachment,
    TicketPriority,
    TicketStatus,
    TicketUpdate,
    TicketUpdateType,
    TicketView,
)
from pywats_api.sync import pyWATS
from pywats_api.tags import Setting
from pywats_api.throttle import RateLimiter
from pywats_api.unit_phases import UnitPhase, UnitPhaseFlag

__all__ = [
    "AssemblyVerification",
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
    "HeaderFilter",
    "InvalidResponseError",
    "MiscInfoHeader",
    "NotFoundError",
    "PayloadTooLargeError",
    "Process",
    "ProcessVerification",
    "Product",
    "ProductGroup",
    "ProductRevision",
    "ProductState",
    "ProductView",
    "ProductionBatch",
    "PyWATSError",
    "RateLimiter",
    "ReportAttachment",
    "ReportHeader",
    "ReportType",
    "Result",
    "RetryConfig",
    "SerialNumberType",
    "ServerError",
    "ServiceUnavailableError",
    "Setting",
    "SubmittedReport",
    "Success",
    "TagChange",
    "ThrottledError",
    "Ticket",
    "TicketAttachment",
    "TicketPriority",
    "TicketStatus",
    "TicketUpdate",
    "TicketUpdateType",
    "TicketView",
    "TimeoutError",
    "Unit",
    "UnitChange",
    "UnitPhase",
    "UnitPhaseFlag",
    "UnitVerification",
    "UnitVerificationGrade",
    "ValidationError",
    "WatsApiError",
    "pyWATS",
    "token_of_user",
]
