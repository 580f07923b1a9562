"""What becomes of a call: who brings it, is it whole, what is in it, and has the journal got it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, Final

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from pywats_events.event import Event
from pywats_events.journal import JournalError
from pywats_events.mapping.body import GZIP
from pywats_events.message import RawMessage, Unreadable
from pywats_events.policies import RateLimit, TokenBucket
from pywats_events.transports.base import Intake
from pywats_events.transports.webhook.config import HookConfig, WebhookConfig
from pywats_events.transports.webhook.credentials import LONGEST_KEY, Gate, Proof, is_key, only
from pywats_events.transports.webhook.problems import Problem, unauthorized
from pywats_events.transports.webhook.reading import TOO_LARGE, HookAdapter, kept_headers, takes

log = structlog.get_logger(__name__)

#: Bytes of bodies that are held at one time, of all hooks together, unless a hook allows larger ones.
ROOM: Final = 64 * 1024 * 1024
#: Seconds for the journal to finish what it has begun, at the end.
GRACE: Final = 0.5
#: Calls whose key is remembered together with what was in them.
REMEMBERED: Final = 10_000

#: Seconds after which callers should try again.
_WHEN_CROWDED: Final = 5.0
_WHEN_ENDING: Final = 10.0
#: A hook takes this part of a minute's calls at once.
_BURST: Final = 10

#: Statuses that say that callers are not at fault.
_HOLD_UP: Final = (429, 503)

#: Where a server puts the client certificate that a connection brought (see ``server.HookConnection``).
CLIENT_CERTIFICATE: Final = "client_certificate"


class Receiver:
    """Takes the calls of all hooks. It exists before the bus starts and after it has stopped.

    Args:
        config: the hooks, and how long callers may take and wait.
        adapter: reads what they bring.
        name: the transport's.
        clock: seconds since 1970, by which signed times are judged.

    Attributes:
        answers: how often each hook gave which status; hooks that do not exist are counted as ``?``.
    """

    def __init__(
        self,
        config: WebhookConfig,
        *,
        adapter: HookAdapter,
        name: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self._config = config
        self._adapter = adapter
        self._name = name
        self._gates = {hook.name: Gate(hook, clock=clock) for hook in config.hooks}
        guarded = next((hook for hook in config.hooks if hook.authentication != "none"), None)
        self._decoy = Gate.decoy(guarded, clock=clock) if guarded is not None else None
        self._buckets = {hook.name: _bucket(hook) for hook in config.hooks}
        self._largest = max((hook.max_bytes for hook in config.hooks), default=0)
        self._room = max(ROOM, self._largest)
        self._contents: OrderedDict[str, bytes] = OrderedDict()
        self._held_up: dict[str, int] = {}
        self._intake: Intake | None = None
        self._limits: set[asyncio.Timeout] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    # --- life --------------------------------------------------------------------------------------------

    def open(self, intake: Intake) -> None:
        """Take calls from now on."""
        self._intake = intake

    async def stop(self) -> None:
        """Take no more; return when nothing is on its way into the journal.

        Calls whose body is not here yet, or that wait for room in the journal, are answered with 503.
        """
        self._intake = None
        soon = asyncio.get_running_loop().time() + GRACE
        for limit in self._limits:
            when = limit.when()
            if not limit.expired() and (when is None or when > soon):
                limit.reschedule(soon)
        await self._idle.wait()

    @asynccontextmanager
    async def _within(self, seconds: float) -> AsyncIterator[None]:
        """Bound a wait, also by the end of everything. Raises ``TimeoutError``."""
        limit = asyncio.timeout(seconds)
        self._limits.add(limit)
        self._idle.clear()
        try:
            async with limit:
                yield
        finally:
            self._limits.discard(limit)
            if not self._limits:
                self._idle.set()

    def _taking(self) -> Intake:
        if self._intake is None:
            raise Problem(
                503, "the bridge is ending or not up yet; try again later", retry_after=_WHEN_ENDING
            )
        return self._intake

    # --- one call ----------------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Response:
        """Answer ``POST /hooks/{name}``."""
        called = request.path_params["name"]
        gate = self._gates.get(called, self._decoy)
        name = called if called in self._gates else "?"
        about: dict[str, Any] = {"hook": called[:100], "client": request.client and request.client.host}
        began = time.monotonic()
        try:
            response, about["events"] = await self._taken(request, gate, is_hook=name != "?")
        except Problem as problem:
            response = problem.response()
            self._tell_refusal(name, problem, about)
        except ClientDisconnect:
            log.warning(
                "caller of a webhook hung up before its message was here", transport=self._name, **about
            )
            return Response(status_code=400)  # nobody hears it
        except Exception:
            # the supervisor of one call: whatever is wrong with it must not end the server
            log.exception("webhook failed", transport=self._name, **about)
            response = Problem(500, "the bridge failed at this message; its log says why").response()
        else:
            self._held_up.pop(name, None)
            log.debug("webhook taken in", transport=self._name, seconds=_since(began), **about)
        self.answers[name, response.status_code] += 1
        return response

    def _tell_refusal(self, name: str, problem: Problem, about: dict[str, Any]) -> None:
        """Log a refusal; where callers are held up, and there may be thousands, only the first one."""
        is_known = problem.status in _HOLD_UP and self._held_up.get(name) == problem.status
        if problem.status in _HOLD_UP:
            self._held_up[name] = problem.status
        tell = log.debug if is_known else log.warning
        tell("webhook refused", transport=self._name, status=problem.status, reason=problem.reason, **about)

    async def _taken(self, request: Request, gate: Gate | None, *, is_hook: bool) -> tuple[Response, int]:
        intake = self._taking()
        if gate is None:
            raise Problem(404, "there is no such hook")
        proof = gate.begin(request.headers, request.scope.get("state", {}).get(CLIENT_CERTIFICATE))
        holding = _Holding(self)
        try:
            most = gate.hook.max_bytes
            # others must not learn from a limit which hooks there are
            told = _too_large(most) if is_hook and proof.is_good else self._too_large_for_all()
            body = await self._body(request, proof, most, holding, told)
            refusal = proof.refusal() if is_hook else "there is no such hook"
            if refusal is not None:
                raise unauthorized(refusal)
            hook = gate.hook
            self._check_rate(hook)
            message = self._message(request, hook, body)
            self._taking()  # may have ended meanwhile
            with _Remembering(self._contents, message):
                parts = self._read(message)
                await self._journalled(intake, message, parts)
        finally:
            holding.let_go()
        ids = [part.id for part in parts]
        return JSONResponse({"event_ids": ids}, 202), len(ids)

    async def _body(
        self, request: Request, proof: Proof, most: int, holding: _Holding, too_large: Problem
    ) -> bytes | None:
        """Read the body; None where it is larger than its hook allows, or nobody will want it.

        It is read to its end in any case, within the limits of the largest hook: a call that is refused looks
        the same whatever it was refused for, and callers that write before they read hear the answer.
        """
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._largest:
            raise too_large
        body: bytearray | None = bytearray()
        size = 0
        try:
            async with self._within(self._config.body_timeout):
                async for part in request.stream():
                    size += len(part)
                    if size > self._largest:
                        raise too_large
                    proof.update(part)
                    if proof.is_refused or size > most:
                        body = None
                        holding.let_go()
                    if body is not None:
                        holding.hold(len(part))
                        body += part
        except TimeoutError:
            self._taking()  # the end, not the caller, was the reason
            seconds = self._config.body_timeout
            detail = f"the body was not here after {seconds:g} seconds"
            raise Problem(408, detail, headers={"Connection": "close"}) from None
        return None if body is None else bytes(body)

    def _too_large_for_all(self) -> Problem:
        return Problem(413, f"the body is larger than the {self._largest} bytes that any hook here allows")

    def _check_rate(self, hook: HookConfig) -> None:
        bucket = self._buckets[hook.name]
        if not bucket.available:
            raise Problem(
                429,
                f"more than {hook.requests_per_minute:g} calls in a minute",
                retry_after=bucket.seconds_to_next,
            )
        bucket.take()

    def _message(self, request: Request, hook: HookConfig, body: bytes | None) -> RawMessage:
        if body is None:
            raise _too_large(hook.max_bytes)
        headers = request.headers
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity", *GZIP):
            raise Problem(
                415, "Content-Encoding: gzip is read, and no other one", headers={"Accept-Encoding": "gzip"}
            )
        content_type = headers.get("content-type")
        if not takes(hook, content_type):
            what = "CloudEvents in JSON" if hook.format == "cloudevents" else "application/json"
            raise Problem(415, f"Content-Type: send {what}, in UTF-8")
        properties = kept_headers(headers.items(), hook)
        key = _key(request, hook)
        if key:
            # calls of two hooks may have the same number
            properties["identity"] = f"{hook.address}#{key}"
        if request.client is not None:
            properties["client"] = request.client.host
        return RawMessage(
            body=body,
            content_type=content_type,
            content_encoding=encoding or None,
            transport=self._name,
            address=hook.address,
            properties=properties,
        )

    def _read(self, message: RawMessage) -> list[Event]:
        """Read a message whole or not at all: its caller hears what is wrong, and nobody else has to."""
        events: list[Event] = []
        broken: list[Unreadable] = []
        for part in self._adapter(message):
            if isinstance(part, Event):
                events.append(part)
            else:
                broken.append(part)
        if broken:
            too_large = any(one.error == TOO_LARGE for one in broken)
            reasons = [one.reason for one in broken]
            raise Problem(413 if too_large else 400, reasons[0], errors=reasons[1:] and reasons)
        return events

    async def _journalled(self, intake: Intake, message: RawMessage, events: Sequence[Event]) -> None:
        """Return when the message is acknowledged. Else nothing of it was promised, and it may come again."""
        loop = asyncio.get_running_loop()
        safe: asyncio.Future[bool] = loop.create_future()

        async def settle(*, is_safe: bool) -> None:
            if not safe.done():
                safe.set_result(is_safe)

        message.ack = lambda: settle(is_safe=True)
        message.release = lambda: settle(is_safe=False)
        until = loop.time() + self._config.journal_timeout
        try:
            async with self._within(self._config.journal_timeout):
                await intake.receive(message, adapter=lambda _: events)
            async with asyncio.timeout_at(until):
                # a journal in memory: until its deliveries are done. Not cancelled: it may be told later
                await asyncio.shield(safe)
        except TimeoutError:
            if not safe.done():
                self._taking()
                detail = "too much waits to be delivered, or the journal is full; nothing was taken"
                raise Problem(503, detail, retry_after=_WHEN_CROWDED) from None
        except JournalError as error:
            detail = "the journal takes nothing now; nothing was taken"
            raise Problem(503, detail, reason=str(error), retry_after=_WHEN_CROWDED) from error
        if not safe.result():
            raise Problem(503, "the bridge ends before this was delivered", retry_after=_WHEN_ENDING)

    # --- memory ------------------------------------------------------------------------------------------

    def hold(self, number: int) -> None:
        """Take room for bytes of a body.

        Raises:
            Problem: there is none.
        """
        if number > self._room:
            raise Problem(503, "too many large bodies at one time", retry_after=1.0)
        self._room -= number

    def give_back(self, number: int) -> None:
        """Give room back."""
        self._room += number


class _Holding:
    """The room that one call takes."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._bytes = 0

    def hold(self, number: int) -> None:
        self._receiver.hold(number)
        self._bytes += number

    def let_go(self) -> None:
        self._receiver.give_back(self._bytes)
        self._bytes = 0


class _Remembering:
    """Sees that what comes again under one key is the same. What was refused is forgotten."""

    def __init__(self, contents: OrderedDict[str, bytes], message: RawMessage) -> None:
        self._contents = contents
        self._key = message.properties.get("identity")
        self._digest = sha256(message.body).digest() if self._key else b""
        self._is_new = False

    def __enter__(self) -> None:
        if self._key is None:
            return
        known = self._contents.setdefault(self._key, self._digest)
        self._is_new = known is self._digest
        if known != self._digest:
            raise Problem(409, "webhook-id or Idempotency-Key: an earlier call with it had another body")
        self._contents.move_to_end(self._key)
        if len(self._contents) > REMEMBERED:
            self._contents.popitem(last=False)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._is_new and self._contents.get(self._key or "") is self._digest:
            del self._contents[self._key or ""]


def _bucket(hook: HookConfig) -> TokenBucket:
    burst = max(1, round(hook.requests_per_minute / _BURST))
    return TokenBucket(RateLimit(hook.requests_per_minute, burst))


def _key(request: Request, hook: HookConfig) -> str | None:
    """Give what tells a repeated call; where calls are signed, only what the signature covers."""
    names = ("webhook-id",) if hook.authentication == "standard" else ("idempotency-key", "webhook-id")
    for name in names:
        if name in request.headers:
            key = (only(request.headers, name) or "").strip()
            # the draft of Idempotency-Key has it in quotes, most callers write none
            key = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
            if not is_key(key):
                raise Problem(400, f"{name}: should be 1 to {LONGEST_KEY} printable characters, once")
            return key
    return None


def _since(began: float) -> float:
    return round(time.monotonic() - began, 4)


def _too_large(most: int) -> Problem:
    return Problem(413, f"the body is larger than the {most} bytes allowed")
