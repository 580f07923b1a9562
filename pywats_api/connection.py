"""The one place where requests leave: address, token, speed limit, retries, errors."""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from pydantic import SecretStr
from pydantic_core import to_json

from pywats_api.answers import error_text, retry_after_seconds, status_phrase
from pywats_api.auth import clean_token
from pywats_api.errors import (
    ConnectionError,  # noqa: A004  # the catalogue's name
    ErrorMode,
    InvalidResponseError,
    PyWATSError,
    ThrottledError,
    TimeoutError,  # noqa: A004  # the catalogue's name
    error_class,
)
from pywats_api.retry import RetryConfig, call_with_retries
from pywats_api.throttle import RateLimiter

_CHUNK_BYTES = 512 * 1024
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Content:
    """A body that is not JSON: a file, or a document in another language."""

    content: bytes
    content_type: str

    @classmethod
    def file(cls, name: str, content: bytes) -> "Content":
        """A file as a form carries it, in a part named ``file``."""
        form = httpx.Request("POST", "http://form", files={"file": (name, content)})
        return cls(form.read(), form.headers["Content-Type"])


class Connection:
    """A pooled connection to one server, shared by all domains of a client."""

    def __init__(
        self,
        *,
        base_url: str,
        token: str | SecretStr,
        timeout: float,
        requests_per_minute: int | None,
        max_connections: int,
        error_mode: ErrorMode,
        retry_config: RetryConfig,
        verify: bool | ssl.SSLContext,
        ca_file: Path | str | None,
        proxy: str | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.base_url = _clean_base_url(base_url)
        self.error_mode = error_mode
        self.retry_config = retry_config
        self.limiter = RateLimiter(requests_per_minute, clock=clock, sleep=sleep)
        self.on_request: Callable[[], None] = lambda: None
        self._token = clean_token(token)
        self._timeout = timeout
        self._sleep = sleep
        # Waiting for a free connection must not eat the time a request is given, so it happens here.
        self._connections = asyncio.Semaphore(max_connections)
        self._client = httpx.AsyncClient(
            transport=_OnceTransport(
                # Reading the system's certificates takes long, and plain HTTP has no use for them.
                verify=_tls(verify, ca_file) if proxy or self.base_url.startswith("https") else False,
                limits=httpx.Limits(max_connections=max_connections, keepalive_expiry=15.0),
                proxy=httpx.Proxy(proxy) if proxy else None,
            ),
            headers={"Accept": "application/json", "User-Agent": "pywats-api"},
            auth=self._authorize,
            timeout=None,  # noqa: S113  # one deadline over the whole request is set where it is sent
            follow_redirects=False,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the pooled connections."""
        await self._client.aclose()

    async def request(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        idempotent: bool | None = None,
        internal: bool = False,
        accept: str | None = None,
    ) -> Any:
        """Send one request and give the answer's JSON, None for an empty answer.

        `body` goes as JSON unless it is a `Content`. `idempotent` says that doing it twice does no harm; only
        such a call is tried again. Left out, it is so for GET. `internal` routes want to be told that the
        server's own pages ask. `accept` is the media type of an answer that is not JSON; its bytes are given.
        """
        request = self._client.build_request(
            method,
            self.base_url + path,
            params={name: _query_value(value) for name, value in (query or {}).items() if value is not None},
            **_content_of(body),
        )
        if internal:
            request.headers["Referer"] = self.base_url
        if accept is not None:
            request.headers["Accept"] = accept
        repeatable = method == "GET" if idempotent is None else idempotent

        async def attempt() -> Any:
            return await self._send_once(operation, path, request, as_json=accept is None)

        return await (self.repeat(attempt) if repeatable else attempt())

    async def repeat(self, attempt: Callable[[], Awaitable[_R]]) -> _R:
        """Do what may be done twice until it succeeds, fails for good, or the attempts are used up."""
        return await call_with_retries(attempt, self.retry_config, sleep=self._sleep)

    async def _send_once(self, operation: str, path: str, request: httpx.Request, *, as_json: bool) -> Any:
        await self.limiter.wait()
        self.on_request()
        place: dict[str, Any] = {"operation": operation, "method": request.method, "path": path}
        try:
            async with self._connections, asyncio.timeout(self._timeout):
                response = await self._client.send(request)
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            # Without the chain: aiohttp's exceptions carry the request with its headers, token included.
            raise self._unanswered(error, place) from None
        if response.is_success:
            return self._content(response, place) if as_json else response.content
        raise self._refused(response, place)

    async def stream(
        self, operation: str, path: str, *, query: Mapping[str, Any] | None = None, accept: str
    ) -> AsyncGenerator[bytes, None]:
        """Send one GET and give the answer's bytes as they come, so that no size of answer fills the memory.

        Tried once: who takes the bytes knows whether beginning anew does harm. The time limit holds for the
        head of the answer and for each piece, not for the whole. Close the iterator if it is left early.
        """
        request = self._client.build_request(
            "GET",
            self.base_url + path,
            params={name: _query_value(value) for name, value in (query or {}).items() if value is not None},
            headers={"Accept": accept},
        )
        await self.limiter.wait()
        self.on_request()
        place: dict[str, Any] = {"operation": operation, "method": "GET", "path": path}
        async with self._connections:
            response = await self._in_time(self._client.send(request, stream=True), place)
            try:
                if not response.is_success:
                    await self._in_time(response.aread(), place)
                    raise self._refused(response, place)
                pieces = response.aiter_bytes(_CHUNK_BYTES)
                while (piece := await self._in_time(anext(pieces, None), place)) is not None:
                    yield piece
            finally:
                await response.aclose()

    async def _in_time(self, step: Awaitable[_R], place: dict[str, Any]) -> _R:
        try:
            async with asyncio.timeout(self._timeout):
                return await step
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise self._unanswered(error, place) from None

    def _unanswered(self, error: Exception, place: dict[str, Any]) -> PyWATSError:
        # httpx_aiohttp calls every broken connection a timeout; the exception behind it knows better.
        origin = error.__cause__ or error
        if isinstance(error, asyncio.TimeoutError) or isinstance(origin, asyncio.TimeoutError):
            return TimeoutError(f"no complete answer within {self._timeout:g} s", **place)
        text = self._without_token(str(origin)) or type(origin).__name__
        return ConnectionError(f"cannot reach {self.base_url}: {text}", **place)

    def _content(self, response: httpx.Response, place: dict[str, Any]) -> Any:
        if not response.content.strip():
            return None
        try:
            return response.json()
        except ValueError:
            text = self._without_token(error_text(response.content))
            raise InvalidResponseError(
                f"{status_phrase(response.status_code)}, but not JSON: {text[:200]}",
                status_code=response.status_code,
                server_text=text,
                **place,
            ) from None

    def _refused(self, response: httpx.Response, place: dict[str, Any]) -> PyWATSError:
        status = response.status_code
        text = self._without_token(error_text(response.content))
        if response.is_redirect:
            text = f"redirects to {self._without_token(response.headers.get('location', '?'))}"
        error = error_class(status)(
            f"{status_phrase(status)}: {text}" if text else status_phrase(status),
            status_code=status,
            server_text=text,
            retry_after=retry_after_seconds(response.headers.get("retry-after")),
            **place,
        )
        if isinstance(error, ThrottledError) and error.retry_after:
            # No longer than a caller is ready to wait: beyond that each shall get the server's answer itself.
            self.limiter.pause(min(error.retry_after, self.retry_config.max_retry_after))
        return error

    def _authorize(self, request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Basic {self._token.get_secret_value()}"
        return request

    def _without_token(self, text: str) -> str:
        return text.replace(self._token.get_secret_value(), "***")


class _OnceTransport(AiohttpTransport):
    """Sends each request once.

    By itself aiohttp sends a PUT again, unseen, when a connection that was used before breaks under it. In
    WATS a PUT may count or comment, so only what is known to be idempotent is repeated, by `repeat`.
    """

    def get_client(self) -> aiohttp.ClientSession:
        session = super().get_client()
        session._retry_connection = False  # noqa: SLF001  # no public option; a test sees to it
        return session


class _Chunks:
    """A long body in pieces, as often as asked; in one piece it would hold the event loop up."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), _CHUNK_BYTES):
            yield self._content[start : start + _CHUNK_BYTES]


def _content_of(body: Any) -> dict[str, Any]:
    if body is None:
        return {}
    plain = body if isinstance(body, Content) else Content(to_json(body), "application/json")
    content = plain.content
    return {
        "content": content if len(content) <= _CHUNK_BYTES else _Chunks(content),
        "headers": {"Content-Type": plain.content_type, "Content-Length": str(len(content))},
    }


def _clean_base_url(base_url: str) -> str:
    url = httpx.URL(base_url.strip())
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("base_url must look like https://account.wats.com")
    if url.userinfo:
        raise ValueError("base_url must not carry user and password; WATS takes a token")
    return re.sub(r"(?i)/api$", "", str(url.copy_with(query=None, fragment=None)).rstrip("/")).rstrip("/")


def _tls(verify: bool | ssl.SSLContext, ca_file: Path | str | None) -> bool | ssl.SSLContext:
    if ca_file is None:
        return verify
    return ssl.create_default_context(cafile=str(ca_file))


def _query_value(value: Any) -> Any:
    return ("true" if value else "false") if isinstance(value, bool) else value
