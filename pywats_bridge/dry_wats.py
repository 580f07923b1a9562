"""Stands where the WATS client stands, and writes calls down in place of making them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from pywats_api.asset import Asset, AssetLogEntry, AssetState, AssetType
from pywats_api.product_records import Product, ProductRevision
from pywats_api.production_records import Unit
from pywats_api.report_records import ReportHeader
from pywats_api.root_cause_records import Ticket, TicketPriority, TicketStatus
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
        self.production = self
        self.product = self
        self.rootcause = self
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

    async def raise_total_count(self, value: int, /, *, serial_number: str) -> None:
        """``api.asset.raise_total_count``."""
        self._note("PUT", "/api/Asset/Count", serialNumber=serial_number, totalCount=value)

    async def reset_running_count(self, *, serial_number: str, comment: str) -> None:
        """``api.asset.reset_running_count``."""
        self._note("POST", "/api/Asset/ResetRunningCount", serialNumber=serial_number, comment=comment)

    async def get_unit(self, serial_number: str, part_number: str = "", /) -> Unit | None:  # noqa: ARG002
        """``api.production.get_unit``; no unit is there, so that each is shown as it is created."""
        return None

    async def create_units(self, units: Sequence[Unit], /) -> None:
        """``api.production.create_units``."""
        self.calls.append(Call("PUT", "/api/Production/Units", {"units": [one.to_wire() for one in units]}))

    async def set_unit_phase(self, serial_number: str, phase: int, /, *, part_number: str) -> None:
        """``api.production.set_unit_phase``."""
        keys = {"serialNumber": serial_number, "partNumber": part_number}
        self._note("PUT", "/api/Production/SetUnitPhase", **keys, phase=phase)

    async def set_unit_process(self, serial_number: str, process: int, /, *, part_number: str) -> None:
        """``api.production.set_unit_process``; the name that WATS takes is looked up by the client."""
        keys = {"serialNumber": serial_number, "partNumber": part_number}
        self._note("PUT", "/api/Production/SetUnitProcess", **keys, processCode=process)

    async def add_child_to_assembly(
        self, parent_serial: str, parent_part: str, child_serial: str, child_part: str, /
    ) -> None:
        """``api.production.add_child_to_assembly``."""
        keys = {"parentSerialNumber": parent_serial, "parentPartNumber": parent_part}
        keys |= {"childSerialNumber": child_serial, "childPartNumber": child_part}
        self._note("POST", "/api/Production/AddChildUnit", **keys)

    async def remove_child_from_assembly(
        self, parent_serial: str, parent_part: str, child_serial: str, child_part: str, /
    ) -> None:
        """``api.production.remove_child_from_assembly``."""
        keys = {"parentSerialNumber": parent_serial, "parentPartNumber": parent_part}
        keys |= {"childSerialNumber": child_serial, "childPartNumber": child_part}
        self._note("POST", "/api/Production/RemoveChildUnit", **keys)

    async def get_product(self, part_number: str, /) -> Product | None:  # noqa: ARG002
        """``api.product.get_product``."""
        return None

    async def bulk_save_products(self, products: Sequence[Product], /) -> None:
        """``api.product.bulk_save_products``."""
        self.calls.append(Call("PUT", "/api/Products", {"products": [one.to_wire() for one in products]}))

    async def bulk_save_revisions(self, revisions: Sequence[ProductRevision], /) -> None:
        """``api.product.bulk_save_revisions``."""
        body = {"revisions": [one.to_wire() for one in revisions]}
        self.calls.append(Call("PUT", "/api/Products/Revisions", body))

    async def find_ticket_by_tag(self, key: str, value: str, /, *, status: TicketStatus) -> Ticket | None:  # noqa: ARG002
        """``api.rootcause.find_ticket_by_tag``; none is there, so that each is shown as it is opened."""
        return None

    async def get_ticket(self, ticket_id: str, /) -> Ticket | None:  # noqa: ARG002
        """``api.rootcause.get_ticket``."""
        return None

    async def create_ticket(
        self,
        subject: str,
        priority: TicketPriority,
        /,
        *,
        initial_comment: str,
        origin: str,
        tags: Sequence[Mapping[str, str]],
    ) -> Ticket:
        """``api.rootcause.create_ticket``."""
        told = {"subject": subject, "priority": int(priority), "origin": origin, "tags": list(tags)}
        self.calls.append(Call("POST", "/api/RootCause/Ticket", {**told, "update": initial_comment}))
        return Ticket(subject=subject)

    async def add_comment(self, ticket_id: str, comment: str, /) -> None:
        """``api.rootcause.add_comment``."""
        self._note("PUT", "/api/RootCause/Ticket", {"update": comment}, ticketId=ticket_id)

    def _note(self, method: str, path: str, body: Mapping[str, Any] | None = None, /, **query: Any) -> None:
        self.calls.append(Call(method, f"{path}?{urlencode(query)}", body or {}))
