"""The WATS REST client, asynchronous first, and a local WATS server for demo and tests.

::

    async with AsyncWATS(base_url="https://acme.wats.com", token="...") as api:
        await api.report.submit(report)

Everything is loaded when first asked for: who only reads records needs no HTTP library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
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

_HOME: Final = {
    "AssemblyVerification": "production_records",
    "Asset": "asset",
    "AssetAlarmState": "asset",
    "AssetFile": "asset",
    "AssetLog": "asset",
    "AssetLogEntry": "asset",
    "AssetState": "asset",
    "AssetStatus": "asset",
    "AssetStatusCode": "asset",
    "AssetTag": "asset",
    "AssetType": "asset",
    "AsyncWATS": "client",
    "AuthenticationError": "errors",
    "AuthorizationError": "errors",
    "Bom": "product_bom",
    "BomItem": "product_bom",
    "BoxBuildSubunit": "product_box_build",
    "BoxBuildTemplate": "product_box_build",
    "ConflictError": "errors",
    "ConnectionError": "errors",
    "EmptyResponseError": "errors",
    "ErrorMode": "errors",
    "Failure": "results",
    "HeaderFilter": "report",
    "InvalidResponseError": "errors",
    "MiscInfoHeader": "report",
    "NotFoundError": "errors",
    "PayloadTooLargeError": "errors",
    "Process": "process_records",
    "ProcessVerification": "production_records",
    "Product": "product_records",
    "ProductGroup": "product_records",
    "ProductRevision": "product_records",
    "ProductState": "product_records",
    "ProductView": "product_records",
    "ProductionBatch": "production_records",
    "PyWATSError": "errors",
    "RateLimiter": "throttle",
    "ReportAttachment": "report",
    "ReportHeader": "report",
    "ReportType": "report",
    "Result": "results",
    "RetryConfig": "retry",
    "SerialNumberType": "production_records",
    "ServerError": "errors",
    "ServiceUnavailableError": "errors",
    "Setting": "tags",
    "SubmittedReport": "report",
    "Success": "results",
    "TagChange": "asset",
    "ThrottledError": "errors",
    "Ticket": "root_cause_records",
    "TicketAttachment": "root_cause_records",
    "TicketPriority": "root_cause_records",
    "TicketStatus": "root_cause_records",
    "TicketUpdate": "root_cause_records",
    "TicketUpdateType": "root_cause_records",
    "TicketView": "root_cause_records",
    "TimeoutError": "errors",
    "Unit": "production_records",
    "UnitChange": "production_records",
    "UnitPhase": "unit_phases",
    "UnitPhaseFlag": "unit_phases",
    "UnitVerification": "production_records",
    "UnitVerificationGrade": "production_records",
    "ValidationError": "errors",
    "WatsApiError": "errors",
    "pyWATS": "sync",
    "token_of_user": "auth",
}

#: Modules that are members of the package without being imported: ``pywats_api.errors.NotFoundError``.
_MODULES: Final = frozenset({*_HOME.values(), "wsjf"})


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    member = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = member
    return member


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


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
