"""Where the documents of the WATS client import names of assets from."""

from pywats_api import (
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
    "TagChange",
]
