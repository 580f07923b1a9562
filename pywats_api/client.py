"""The asynchronous client."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from pywats_api.app import AppDomain
from pywats_api.asset import AssetDomain
from pywats_api.auth import access
from pywats_api.connection import Connection
from pywats_api.errors import ErrorMode
from pywats_api.process import ProcessDomain
from pywats_api.product import ProductDomain
from pywats_api.production import ProductionDomain
from pywats_api.report import ReportDomain
from pywats_api.retry import RetryConfig
from pywats_api.root_cause import RootCauseDomain


class AsyncWATS:
    """A WATS server, with its calls sorted by domain.

    Use it as ``async with AsyncWATS(...) as api``, or call `aclose` when done. One client per server and
    token is enough: it pools connections, and its speed limit counts all its calls together.

    Attributes:
        report: submit, fetch and look up reports.
        process: the operations the account knows.
        asset: stations, fixtures, instruments and their log.
        product: what is made: revisions, bills of materials, box-build templates.
        production: units, their phases, and whether they passed what they should have.
        rootcause: tickets of problems that people look into.
        app: the server itself.
    """

    def __init__(
        self,
        base_url: str | None = None,
        token: str | SecretStr | None = None,
        *,
        timeout: float = 30.0,
        requests_per_minute: int | None = 500,
        max_connections: int = 20,
        error_mode: ErrorMode = ErrorMode.STRICT,
        retry_config: RetryConfig | None = None,
        process_refresh_interval: float = 300.0,
        verify: bool | ssl.SSLContext = True,
        ca_file: Path | str | None = None,
        proxy: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Make a client; nothing is sent before the first call.

        Args:
            base_url: address of the server; an ending ``/api`` is taken off. Without, WATS_BASE_URL of the
                environment.
            token: the text the WATS Control Panel issued, as it is. Without, WATS_AUTH_TOKEN of the
                environment.
            timeout: seconds one attempt may take in all.
            requests_per_minute: own limit in any 60 seconds; None for none.
            max_connections: requests under way at one time.
            error_mode: whether a missing thing raises or is None.
            retry_config: how idempotent calls are tried again.
            process_refresh_interval: seconds the list of processes is kept.
            verify: False trusts any certificate; or a context of your own.
            ca_file: certificates to trust in place of the system's.
            proxy: address of an HTTP proxy.
            clock: seconds that only go forward.
            sleep: waits; with `clock` it lets a test pass time at will.
        """
        url, secret = access(base_url, token)
        self._connection = Connection(
            base_url=url,
            token=secret,
            timeout=timeout,
            requests_per_minute=requests_per_minute,
            max_connections=max_connections,
            error_mode=ErrorMode(error_mode),
            retry_config=retry_config or RetryConfig(),
            verify=verify,
            ca_file=ca_file,
            proxy=proxy,
            clock=clock,
            sleep=sleep,
        )
        self.report = ReportDomain(self._connection)
        self.process = ProcessDomain(self._connection, refresh_interval=process_refresh_interval, clock=clock)
        self.asset = AssetDomain(self._connection)
        self.product = ProductDomain(self._connection)
        self.production = ProductionDomain(self._connection, self.process, self.product)
        self.rootcause = RootCauseDomain(self._connection)
        self.app = AppDomain(self._connection)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def base_url(self) -> str:
        """Address of the server, without ``/api``."""
        return self._connection.base_url

    @property
    def error_mode(self) -> ErrorMode:
        """Whether a missing thing raises or is None."""
        return self._connection.error_mode

    def on_request(self, listener: Callable[[], None]) -> None:
        """Call this as each request begins, in the context of whoever makes it: to count what is used.

        Args:
            listener: takes the place of an earlier one. It must not raise.
        """
        self._connection.on_request = listener

    async def get_version(self) -> str:
        """Version of the server (``GET /api/App/Version``)."""
        return await self.app.get_version()

    async def test_connection(self) -> bool:
        """True if the server answers and takes the token; else the error that says why not is raised."""
        await self.app.get_version()
        return True

    async def aclose(self) -> None:
        """Close the pooled connections. The client is of no use afterwards."""
        await self._connection.aclose()
