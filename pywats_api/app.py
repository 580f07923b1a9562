"""The server itself: is it there, which version is it, what does the account know."""

from pywats_api.connection import Connection
from pywats_api.process_records import Process
from pywats_api.product_records import ProductGroup


class AppDomain:
    """``api.app``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get_version(self) -> str:
        """Version of the server (``GET /api/App/Version``).

        Needs a valid token, so it is the natural test of a connection.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        answer = await self._connection.request("app.get_version", "GET", "/api/App/Version")
        if isinstance(answer, dict):
            answer = answer.get("version") or answer.get("Version")
        return str(answer or "")

    async def get_processes(self, *, include_inactive: bool = False) -> list[Process]:
        """The operations of the account, asked for anew (``GET /api/App/Processes``).

        ``api.process`` keeps them for a while and finds single ones.

        Args:
            include_inactive: those that are out of use as well.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        operation = "app.get_processes"
        answer = await self._connection.request(
            operation,
            "GET",
            "/api/App/Processes",
            query={"includeInactiveProcesses": include_inactive or None},
        )
        return Process.read_list(answer, operation)

    async def get_product_groups(self, *, include_filters: bool = False) -> list[ProductGroup]:
        """The product groups of the account (``GET /api/App/ProductGroups``).

        Args:
            include_filters: tell which products each of them takes in.

        Raises:
            PyWATSError: the server can't be asked, or refuses.
        """
        operation = "app.get_product_groups"
        answer = await self._connection.request(
            operation, "GET", "/api/App/ProductGroups", query={"includeFilters": include_filters or None}
        )
        return ProductGroup.read_list(answer, operation)
