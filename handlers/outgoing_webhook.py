"""Webhooks of other systems: events posted as CloudEvents, signed as Standard Webhooks say."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from handlers.outgoing_rules import OutgoingRule
from pywats_api.answers import retry_after_seconds, status_phrase
from pywats_events.errors import DestinationUnavailable, PermanentError, TransientError
from pywats_events.event import Event
from pywats_events.returned import SENT_BY
from pywats_events.transports.webhook.signatures import signed_part, written

_TYPE: Final = "application/cloudevents+json"
#: Bytes that are read of an answer. The rest tells nobody anything.
_MOST_ANSWER: Final = 4096
_MOST_REASON: Final = 300
#: Receivers keep ids in columns of some width.
_LONGEST_ID: Final = 255
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
#: What refuses us, and not the event: somebody has to mend it.
_REFUSES_US: Final = frozenset({401, 403, 407, 410, 511})
#: What may be well in a moment. A gateway answers 404 while the receiver behind it starts.
_PASSING: Final = frozenset({404, 408, 421, 423, 425, 500})
#: What says that the receiver is not there now.
_AWAY: Final = frozenset({429, 502, 503, 504, 507, 520, 521, 522, 523, 524})


class Webhook:
    """The receiver of one rule.

    | answer | becomes |
    |---|---|
    | 2xx | done |
    | no connection, no answer in time, 502, 503, 504 | DestinationUnavailable |
    | 429, and any other of these with Retry-After | DestinationUnavailable, for so long |
    | 401, 403, 407, 410, a redirect, a certificate that is not trusted | DestinationUnavailable that needs \
somebody's attention |
    | 404, 408, 421, 423, 425, 500 and the other 5xx | TransientError |
    | other 4xx | PermanentError with what the receiver says |

    Args:
        rule: where to, and how.
        clock: seconds since 1970, for signatures.

    Raises:
        ValueError: a certificate can't be used; the text names the file.
    """

    def __init__(self, rule: OutgoingRule, *, clock: Callable[[], float] = time.time) -> None:
        if rule.url is None:
            raise ValueError(f'outgoing "{rule.name}" is no webhook')
        self._rule = rule
        self._url = rule.url.get_secret_value()
        self._keys = rule.keys
        self._clock = clock
        self._context = tls_context(rule) if rule.is_tls else None
        self._client: httpx.AsyncClient | None = None

    async def send(self, event: Event) -> Mapping[str, Any]:
        """Post an event."""
        body = event.to_json_bytes()
        request = self._connected().build_request(
            "POST", self._url, content=body, headers=self._headers(event, body)
        )
        try:
            async with asyncio.timeout(self._rule.timeout):
                status, headers, said = await self._answer(request)
        except TimeoutError:
            raise self._away(f"no answer within {self._rule.timeout:g} s") from None
        except httpx.TransportError as error:
            raise self._unreached(error) from None  # the library's error may quote the address
        self._judge(status, headers, said)
        return {"status": status, "webhook_id": request.headers["webhook-id"]}

    async def reach(self) -> None:
        """Connect, and say nothing: a look whether the receiver is there.

        Raises:
            DestinationUnavailable: it is not, or its certificate is not trusted.
        """
        parts = urlsplit(self._url)
        host, port = parts.hostname or "", parts.port or (443 if self._rule.is_tls else 80)
        try:
            async with asyncio.timeout(self._rule.timeout):
                _, writer = await asyncio.open_connection(host, port, ssl=self._context)
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
        except TimeoutError:
            raise self._away(f"{self._rule.host} is not there within {self._rule.timeout:g} s") from None
        except OSError as error:
            raise self._unreached(error) from error

    async def aclose(self) -> None:
        """Let the connections go."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                verify=self._context or True,
                timeout=self._rule.timeout,
                follow_redirects=False,
                trust_env=False,  # a proxy of the environment is not to see what goes to the shop floor
                limits=httpx.Limits(max_connections=16, max_keepalive_connections=4, keepalive_expiry=3.0),
            )
        return self._client

    def _headers(self, event: Event, body: bytes) -> dict[str, str]:
        message_id, timestamp = webhook_id(event.id), str(int(self._clock()))
        headers = {
            "content-type": _TYPE,
            "accept-encoding": "identity",
            "user-agent": "pywats-bridge",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            SENT_BY: self._rule.mark,
        }
        if self._keys:
            signed = signed_part(message_id, timestamp) + body
            headers["webhook-signature"] = " ".join(
                written(hmac.digest(key, signed, "sha256")) for key in self._keys
            )
        if self._rule.token is not None:
            headers["authorization"] = f"Bearer {self._rule.token.get_secret_value()}"
        return headers

    async def _answer(self, request: httpx.Request) -> tuple[int, httpx.Headers, str]:
        response = await self._connected().send(request, stream=True)
        try:
            said = b""
            async for part in response.aiter_raw(_MOST_ANSWER):
                said += part
                if len(said) >= _MOST_ANSWER:
                    break
        finally:
            await response.aclose()
        packed = response.headers.get("content-encoding", "identity") != "identity"
        return response.status_code, response.headers, "" if packed else _one_line(said)

    def _judge(self, status: int, headers: httpx.Headers, said: str) -> None:
        """Raise what an answer means, unless it is a good one."""
        if 200 <= status < 300:  # noqa: PLR2004  # success
            return
        reason = f"{self._rule.host} answered {status_phrase(status)}" + (f": {said}" if said else "")
        retry_after = retry_after_seconds(headers.get("retry-after"))
        if 300 <= status < 400:  # noqa: PLR2004  # redirections
            raise self._refused(f"{reason}; redirects are not followed: put the new address into url")
        if status in _REFUSES_US:
            raise self._refused(reason)
        if status in _AWAY or (retry_after is not None and status >= 500):  # noqa: PLR2004  # of the server
            raise self._away(reason, retry_after)
        if status in _PASSING or status >= 500:  # noqa: PLR2004
            raise TransientError(reason, retry_after=retry_after)
        raise PermanentError(reason)

    def _unreached(self, error: httpx.TransportError | OSError) -> DestinationUnavailable:
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                why = f"the certificate of {self._rule.host} is not trusted: {cause.verify_message}"
                return self._refused(f"{why}; name its authority with ca_file")
            if isinstance(cause, OSError) and cause.strerror:
                # asyncio has put words of its own there; those of name look-ups have no number above 0
                number = cause.errno or 0
                why = os.strerror(number) if number > 0 else cause.strerror
                return self._away(f"{self._rule.host} can't be reached: {why}")
        why = _one_line(str(error).encode()) or type(error).__name__
        return self._away(f"{self._rule.host} can't be reached: {why}")

    def _away(self, reason: str, retry_after: float | None = None) -> DestinationUnavailable:
        return DestinationUnavailable(self._rule.handler, reason, retry_after=retry_after)

    def _refused(self, reason: str) -> DestinationUnavailable:
        return DestinationUnavailable(self._rule.handler, reason, needs_attention=True)


def webhook_id(event_id: str) -> str:
    """Give the id of a call: that of its event, as a header can carry it and a receiver can keep it.

    Full stops part what is signed, so there are none in it.
    """
    plain = quote(event_id, safe="/#:@~_-", errors="surrogatepass").replace(".", "%2E")
    return (
        plain
        if len(plain) <= _LONGEST_ID
        else hashlib.sha256(event_id.encode(errors="surrogatepass")).hexdigest()
    )


def tls_context(rule: OutgoingRule) -> ssl.SSLContext:
    """Make what TLS needs of a rule's files. It reads them.

    Raises:
        ValueError: a file can't be used; the text names it.
    """
    try:
        context = ssl.create_default_context(cafile=rule.ca_file)
    except OSError:
        raise ValueError(f'outgoing "{rule.name}": {rule.ca_file} holds no certificates (PEM)') from None
    if rule.cert_file is not None:
        try:
            context.load_cert_chain(rule.cert_file, rule.key_file)
        except OSError:
            files = " and ".join(str(file) for file in (rule.cert_file, rule.key_file) if file is not None)
            raise ValueError(
                f'outgoing "{rule.name}": {files}: no certificate with its private key (PEM)'
            ) from None
    return context


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and what it came from: the libraries below say more than the one above."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        if isinstance(cause, BaseExceptionGroup):  # one for each address of the host
            cause = cause.exceptions[0]
        else:
            cause = cause.__cause__ or cause.__context__


def _one_line(said: bytes) -> str:
    text = _UNFIT.sub(" ", said.decode(errors="replace"))
    return " ".join(text.split())[:_MOST_REASON]
