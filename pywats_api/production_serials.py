"""Serial numbers that WATS hands out: from which pools, which were taken, and for what.

``SerialNumbers/Take`` cannot be repeated: each call takes other numbers. Store what it gives before using it,
and look for the reference after an unclear error.
"""

import csv
import io
import json
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from pywats_api.connection import Content
from pywats_api.errors import InvalidResponseError, NotFoundError
from pywats_api.production_calls import ProductionCalls
from pywats_api.production_records import SerialNumberType

_PATH = "/api/Production/SerialNumbers"


class SerialNumberCalls(ProductionCalls):
    """The part of ``api.production`` that deals with serial numbers."""

    async def get_serial_number_types(
        self,
        part_number: str | None = None,  # noqa: ARG002  # documented, but WATS keeps types for the account
        revision: str | None = None,  # noqa: ARG002
    ) -> list[SerialNumberType]:
        """The pools of the account (``GET /api/Production/SerialNumbers/Types``).

        Args:
            part_number: of no effect: WATS has the same types for all products.
            revision: of no effect.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        operation = "production.get_serial_number_types"
        answer = await self._connection.request(operation, "GET", f"{_PATH}/Types")
        return SerialNumberType.read_list(answer, operation)

    async def allocate_serial_numbers(
        self,
        type_name: str | None = None,
        quantity: int = 1,
        *,
        serial_type_id: int | None = None,
        part_number: str = "",
        revision: str = "",  # noqa: ARG002  # documented, but WATS does not note it
        serial_number: str = "",
        station_name: str = "",
        only_in_sequence: bool = False,
    ) -> list[str]:
        """Take numbers out of a pool (``POST /api/Production/SerialNumbers/Take``). Never repeated by itself.

        Args:
            type_name: name of the pool.
            quantity: how many; the server may give fewer.
            serial_type_id: the pool by its place in `get_serial_number_types`, from 1.
            part_number: of the product they are taken for, to find them by later.
            revision: of no effect: WATS notes only the part number.
            serial_number: of the unit they are taken for, to find them by later.
            station_name: where they are taken.
            only_in_sequence: only numbers that follow each other without a gap.

        Raises:
            ValueError: no pool is named, or the quantity is below 1.
            NotFoundError: there is no such pool.
        """
        operation = "production.allocate_serial_numbers"
        if quantity < 1:
            raise ValueError(f"quantity is 1 or more, not {quantity}")
        answer = await self._connection.request(
            operation,
            "POST",
            f"{_PATH}/Take",
            query={
                "serialNumberType": await self._type_name(operation, type_name, serial_type_id),
                "quantity": quantity,
                "refSN": serial_number,
                "refPN": part_number,
                "stationName": station_name,
                "onlyInSequence": only_in_sequence,
                "format": "XML",
            },
            idempotent=False,
            accept="application/xml",
        )
        return _numbers_in(answer, operation)

    async def find_serial_numbers_in_range(
        self,
        type_name: str,
        start_address: str,
        end_address: str,
        *,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> list[str]:
        """Numbers taken between two of a pool (``GET /api/Production/SerialNumbers/ByRange``).

        Args:
            type_name: name of the pool.
            start_address: the first number.
            end_address: the last number.
            start_date: taken at this time or later.
            end_date: taken at this time or before.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        operation = "production.find_serial_numbers_in_range"
        query = {
            "serialNumberType": type_name,
            "startAddress": start_address,
            "endAddress": end_address,
            **_dates(start_date, end_date),
        }
        answer = await self._connection.request(
            operation, "GET", f"{_PATH}/ByRange", query=query, accept="application/xml"
        )
        return _numbers_in(answer, operation)

    async def find_serial_numbers_by_reference(
        self,
        type_name: str,
        *,
        serial_number: str | None = None,
        part_number: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> list[str]:
        """Numbers taken for a unit or a product (``GET /api/Production/SerialNumbers/ByReference``).

        Args:
            type_name: name of the pool.
            serial_number: of the unit they were taken for.
            part_number: of the product they were taken for.
            start_date: taken at this time or later.
            end_date: taken at this time or before.

        Raises:
            ValueError: neither serial number nor part number is given.
        """
        if not serial_number and not part_number:
            raise ValueError("serial_number or part_number: one of them is needed")
        operation = "production.find_serial_numbers_by_reference"
        query = {
            "serialNumberType": type_name,
            "refSN": serial_number,
            "refPN": part_number,
            **_dates(start_date, end_date),
        }
        answer = await self._connection.request(
            operation, "GET", f"{_PATH}/ByReference", query=query, accept="application/xml"
        )
        return _numbers_in(answer, operation)

    async def export_serial_numbers(
        self,
        type_name: str,
        *,
        file_format: str = "XML",
        start_address: str | None = None,
        end_address: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> bytes:
        """The taken numbers of a pool as a file (``GET /api/Production/SerialNumbers``).

        Args:
            type_name: name of the pool.
            file_format: ``XML`` or ``CSV``.
            start_address: the first number.
            end_address: the last number.
            start_date: taken at this time or later.
            end_date: taken at this time or before.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        query = {
            "serialNumberType": type_name,
            "format": file_format,
            "startAddress": start_address,
            "endAddress": end_address,
            **_dates(start_date, end_date),
        }
        answer: bytes = await self._connection.request(
            "production.export_serial_numbers", "GET", _PATH, query=query, accept="*/*"
        )
        return answer

    async def import_serial_numbers(
        self, type_name: str, file: bytes, *, file_format: str = "XML", filename: str | None = None
    ) -> bool:
        """Fill a pool with the numbers of a file (``PUT /api/Production/SerialNumbers``).

        Args:
            type_name: name of the pool.
            file: its content, ``<SerialNumbers><SN id="..."/></SerialNumbers>`` or one number a line.
            file_format: ``XML`` or ``CSV``.
            filename: name of the file.

        Raises:
            ValidationError: the server refuses what was sent.
        """
        await self._connection.request(
            "production.import_serial_numbers",
            "PUT",
            _PATH,
            query={"serialNumberType": type_name, "format": file_format},
            body=Content.file(filename or f"numbers.{file_format.lower()}", file),
            idempotent=True,
            accept="*/*",
        )
        return True

    async def _type_name(self, operation: str, name: str | None, number: int | None) -> str:
        if (name is None) == (number is None):
            raise ValueError("name the pool by type_name or by serial_type_id, one of the two")
        if name is not None:
            return name
        types = await self.get_serial_number_types()
        if number is None or not 1 <= number <= len(types):
            raise NotFoundError(
                f"the account has {len(types)} types of serial numbers, so no type {number}",
                operation=operation,
            )
        return types[number - 1].name


def _dates(start: datetime | None, end: datetime | None) -> dict[str, str | None]:
    """Moments as a query carries them; one without offset is local time."""
    return {
        "startDate": None if start is None else start.astimezone().isoformat(),
        "endDate": None if end is None else end.astimezone().isoformat(),
    }


def _numbers_in(answer: bytes, operation: str) -> list[str]:
    """The serial numbers in an answer: XML, a JSON text around it, a JSON list, or CSV."""
    text = answer.decode("utf-8-sig", errors="replace").strip()
    if text.startswith(('"', "[")):
        try:
            document: Any = json.loads(text)
        except ValueError:
            raise _unreadable(operation) from None
        if isinstance(document, list):
            return [str(entry.get("id", "") if isinstance(entry, dict) else entry) for entry in document]
        text = str(document).strip()
    if not text.startswith("<"):
        return [row[0] for row in csv.reader(io.StringIO(text)) if row]
    if "<!DOCTYPE" in text:
        raise _unreadable(operation)
    try:
        root = ET.fromstring(text)  # noqa: S314  # no document type, so no entities
    except ET.ParseError:
        raise _unreadable(operation) from None
    return [
        node.get("id") or (node.text or "").strip()
        for node in root.iter()
        if node.tag.rpartition("}")[2] == "SN"
    ]


def _unreadable(operation: str) -> InvalidResponseError:
    return InvalidResponseError("the server's answer is no list of serial numbers", operation=operation)
