"""What all calls on production share: the connection, and how a unit is read."""

from typing import Any

from pywats_api.connection import Connection
from pywats_api.process import ProcessDomain
from pywats_api.product import ProductDomain
from pywats_api.records import path_segment


class ProductionCalls:
    """Ground of ``api.production``."""

    def __init__(self, connection: Connection, processes: ProcessDomain, products: ProductDomain) -> None:
        self._connection = connection
        self._processes = processes
        self._products = products

    async def _read_unit(self, operation: str, serial_number: str, part_number: str) -> Any:
        try:
            keys = [path_segment(serial_number), *([path_segment(part_number)] if part_number else [])]
        except ValueError:  # such a key cannot travel in the path
            if not serial_number.strip():
                raise
            return await self._connection.request(
                operation,
                "GET",
                "/api/internal/Production/GetUnit",
                query={"serialNumber": serial_number, "partNumber": part_number},
                internal=True,
            )
        return await self._connection.request(operation, "GET", f"/api/Production/Unit/{'/'.join(keys)}")
