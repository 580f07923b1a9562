"""Stands where the WATS client stands, and writes calls down in place of making them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from pywats_api.asset import Asset, AssetLogEntry, AssetState, AssetType
from pywats_api.report import ReportHeader
from pywats_api.wsjf import Report
from pywats_events import PermanentError


@dataclass(frozen=True, slots=True)
class Call:
    """One call that would be made.

    Attributes:
        method: HTTP method.
        path: route, with query.
        body: JSON body.
    """

    method: str
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)


class DryWATS:
    """Knows nothing, takes everything, and has every asset that it is asked for.

    Attributes:
        calls: what would have been changed, in order.
    """

    def __init__(self) -> None:
        self.report = self
        self.asset = self
        self.calls: list[Call] = []

    async def submit(self, report: Report, /) -> None:
        """``api.report.submit``."""
        self.calls.append(Call("POST", "/api/Report/WSJF", report.to_wire()))

    async def query_headers(self, *, odata_filter: str, top: int, orderby: str) -> Sequence[ReportHeader]:  # noqa: ARG002
        """``api.report.query_headers``."""
        return []

    async def get_asset(self, *, serial_number: str) -> Asset:
        """``api.asset.get_asset``."""
        return Asset(serial_number=serial_number)

    async def get_asset_log(self, filter_str: str, /, *, top: int) -> Sequence[AssetLogEntry]:  # noqa: ARG002
        """``api.asset.get_asset_log``."""
        return []

    async def get_asset_types(self, filter_str: str, /, *, top: int) -> Sequence[AssetType]:  # noqa: ARG002
        """``api.asset.get_asset_types``."""
        return []

    async def create_asset(
        self,
        serial_number: str,
        type_id: str,
        /,
        *,
        asset_name: str | None,  # noqa: ARG002
        location: str | None,
        parent_serial_number: str | None,  # noqa: ARG002
    ) -> Asset:
        """``api.asset.create_asset``; every asset is there, so nobody needs it."""
        raise PermanentError(f"asset {serial_number} ({type_id}, {location}) is made only when it is needed")

    async def post_message(self, text: str, /, *, serial_number: str) -> None:
        """``api.asset.post_message``."""
        self._note("POST", "/api/Asset/Message", {"content": text}, serialNumber=serial_number)

    async def set_asset_state(self, *, serial_number: str, state: AssetState) -> None:
        """``api.asset.set_asset_state``."""
        self._note("PUT", "/api/Asset/State", serialNumber=serial_number, state=int(state))

    async def record_maintenance(
        self, *, serial_number: str, comment: str, maintenance_date: datetime
    ) -> None:
        """``api.asset.record_maintenance``."""
        said = {"serialNumber": serial_number, "dateTime": maintenance_date.isoformat(), "comment": comment}
        self._note("POST", "/api/Asset/Maintenance", **said)

    async def record_calibration(
        self, *, serial_number: str, comment: str, calibration_date: datetime
    ) -> None:
        """``api.asset.record_calibration``."""
        said = {"serialNumber": serial_number, "dateTime": calibration_date.isoformat(), "comment": comment}
        self._note("POST", "/api/Asset/Calibration", **said)

    async def reset_running_count(self, *, serial_number: str, comment: str) -> None:
        """``api.asset.reset_running_count``."""
        self._note("POST", "/api/Asset/ResetRunningCount", serialNumber=serial_number, comment=comment)

    def _note(self, method: str, path: str, body: Mapping[str, Any] | None = None, /, **query: Any) -> None:
        self.calls.append(Call(method, f"{path}?{urlencode(query)}", body or {}))
