"""Events on their way out to webhooks: signed, once the receiver can, and never for ever."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from brokers.certificates import Certificates
from brokers.ports import free_ports
from standardwebhooks import Webhook as Standard
from standardwebhooks import WebhookVerificationError

from handlers import Rules
from handlers.outgoing import Outgoing
from handlers.outgoing_rules import OutgoingRule
from pywats_api import AsyncWATS
from pywats_api.server import LocalWATS
from pywats_bridge.checking import check
from pywats_bridge.composition import Bridge, bridge_of
from pywats_bridge.settings import DeliverySettings, settings_of
from pywats_events import AsyncEventBus, BaseHandler, Event, EventType, PermanentError
from pywats_events.journal import DeliveryState, Journal, Query
from pywats_events.journal.memory import MemoryJournal
from pywats_events.journal.sqlite import SQLiteJournal
from pywats_events.policies import CircuitBreaker, ErrorPolicy, RetryPolicy

pytestmark = pytest.mark.timeout(60)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


class Receiver:
    """Another system: a real server, whose answers the test chooses.

    Attributes:
        calls: headers and body of each call, oldest first.
        answer: makes the answer to a call.
    """

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[web.Request], Any] = lambda _: web.Response(status=204)
        self._context = context
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        (self.port,) = free_ports(1)

    @property
    def url(self) -> str:
        """Where to post to."""
        return f"{'https' if self._context else 'http'}://localhost:{self.port}/andon"

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The bodies of the calls."""
        return [json.loads(body) for _, body in self.calls]

    async def start(self) -> None:
        """Listen, on the same port each time."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._context).start()

    async def stop(self) -> None:
        """Listen no more."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def until(self, number: int) -> None:
        """Wait for so many calls."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(lambda: len(self.calls) >= number)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        async with self._changed:
            self.calls.append(({name.lower(): value for name, value in request.headers.items()}, body))
            self._changed.notify_all()
        answer = self.answer(request)
        return await answer if asyncio.iscoroutine(answer) else answer


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    server = Receiver()
    await server.start()
    yield server
    await server.stop()


def rule(receiver: Receiver, **given: Any) -> OutgoingRule:
    return OutgoingRule.model_validate(
        {"name": "andon", "events": ["test.result"], "url": receiver.url, "timeout": 5, **given}
    )


@asynccontextmanager
async def running(
    *rules: OutgoingRule, journal: Journal | None = None, handlers: tuple[BaseHandler, ...] = ()
) -> AsyncIterator[AsyncEventBus]:
    """A bus with targets, as the bridge has them."""
    outgoing = Outgoing(rules)
    bus = AsyncEventBus(
        journal=journal,
        retry_policy=RetryPolicy(max_retries=2, initial_delay=0.01, max_delay=0.05),
        error_policy=ErrorPolicy(circuit_breaker=CircuitBreaker(failure_threshold=3, reset_timeout=0.05)),
    )
    for handler in outgoing.handlers:
        bus.subscribe(handler, filter=handler.wants)
    for other in handlers:
        bus.subscribe(other)
    try:
        async with bus:
            yield bus
    finally:
        await outgoing.aclose()


def result(number: int = 1, verdict: str = "fail", *, unit: str | None = None) -> Event:
    payload = {"unit_id": unit or f"SN{number}", "result": verdict, "number": number}
    return Event(EventType.TEST_RESULT, payload, source="//Acme/L1/T1", id=f"event-{number}")


async def states(bus: AsyncEventBus) -> dict[DeliveryState, int]:
    stats = await bus.journal.stats()
    return {state: stats.count(state) for state in DeliveryState if stats.count(state)}


async def settled(bus: AsyncEventBus, wanted: dict[DeliveryState, int]) -> None:
    """Wait until the journal says so: retries and probes take their time."""
    async with asyncio.timeout(30):
        while await states(bus) != wanted:
            await bus.drain()


async def parked(bus: AsyncEventBus, name: str = "outgoing-andon") -> Any:
    """Wait until a destination is left alone; give what is known of it."""
    async with asyncio.timeout(30):
        while (hold := (await bus.journal.holds()).get(name)) is None:
            await bus.drain()
    return hold


async def test_a_call_is_a_cloudevent_that_others_can_verify(receiver):
    """Signed with each secret, so that a receiver may have either while it changes; no other fits."""
    async with running(rule(receiver, secret=[SECRET, OTHER_SECRET], token="let-me-in")) as bus:
        await bus.publish(result())
        await receiver.until(1)
        await settled(bus, {DeliveryState.DONE: 1})
    ((headers, body),) = receiver.calls
    for secret in (SECRET, OTHER_SECRET):
        assert Standard(secret).verify(body, headers)["id"] == "event-1"
    with pytest.raises(WebhookVerificationError):
        Standard("whsec_" + "A" * 32).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Standard(SECRET).verify(body.replace(b"fail", b"pass"), headers)
    assert headers["webhook-id"] == "event-1"
    assert headers["content-type"] == "application/cloudevents+json"
    assert headers["authorization"] == "Bearer let-me-in"
    (document,) = receiver.documents
    assert (document["type"], document["subject"], document["data"]["result"]) == (
        "test.result",
        "SN1",
        "fail",
    )


async def test_only_what_the_rule_chooses_goes_out(receiver):
    """The rest is not even written down as a delivery."""
    async with running(rule(receiver, where={"result": "fail"})) as bus:
        for number, verdict in enumerate(("pass", "fail", "pass")):
            await bus.publish(result(number, verdict))
        await settled(bus, {DeliveryState.DONE: 1})
    assert [document["data"]["number"] for document in receiver.documents] == [1]


async def test_what_happens_while_the_receiver_is_down_arrives_in_order(receiver):
    """No try is spent and nothing dies; each unit's events come in their order."""
    await receiver.stop()
    async with running(rule(receiver)) as bus:
        for number in range(30):
            await bus.publish(result(number, unit=f"SN{number % 3}"))
        hold = await parked(bus)
        assert f"http://localhost:{receiver.port} can't be reached: Connection refused" in hold.reason
        assert not hold.needs_attention
        await receiver.start()
        await settled(bus, {DeliveryState.DONE: 30})
    numbers = [document["data"]["number"] for document in receiver.documents]
    for unit in range(3):
        of_unit = [number for number in numbers if number % 3 == unit]
        assert of_unit == sorted(of_unit)
    assert sorted(set(numbers)) == list(range(30))


async def test_a_target_that_is_down_holds_up_no_other(receiver):
    """Each has its own deliveries and its own breaker."""
    (nobody,) = free_ports(1)
    gone = rule(receiver, name="gone", url=f"http://127.0.0.1:{nobody}/")
    async with running(gone, rule(receiver)) as bus:
        for number in range(10):
            await bus.publish(result(number))
        await receiver.until(10)
        await parked(bus, "outgoing-gone")
        waiting = await bus.journal.search(Query(handler="outgoing-gone"))
        assert DeliveryState.DEAD not in {entry.state for entry in waiting}
    assert {document["data"]["number"] for document in receiver.documents} == set(range(10))


async def test_after_a_crash_the_second_call_has_the_same_id(receiver, tmp_path):
    """The receiver took it, the bridge did not live to know: it is told again, and can tell."""
    hangs = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await hangs.wait()
        return web.Response()

    receiver.answer = hang
    path = tmp_path / "journal"
    async with running(rule(receiver), journal=SQLiteJournal(path, keep_free=0)) as bus:
        await bus.publish(result())
        await receiver.until(1)
        await bus.stop(timeout=0)
    receiver.answer = lambda _: web.Response()
    hangs.set()
    async with running(rule(receiver), journal=SQLiteJournal(path, keep_free=0)) as bus:
        await receiver.until(2)
        await settled(bus, {DeliveryState.DONE: 1})
    first, second = receiver.calls
    assert first[0]["webhook-id"] == second[0]["webhook-id"] == "event-1"
    assert first[1] == second[1]


async def test_an_event_that_the_receiver_refuses_is_a_dead_letter_alone(receiver):
    """With the receiver's words, so many as a person reads; the next event is not held up."""

    def answer(_: web.Request) -> web.Response:
        number = receiver.documents[-1]["data"]["number"]
        return (
            web.Response(status=422, text="no such\r\n\x1b[2Jline " + "x" * 5000)
            if number == 1
            else web.Response()
        )

    receiver.answer = answer
    async with running(rule(receiver)) as bus:
        await bus.publish(result(1, unit="SN"))
        await bus.publish(result(2, unit="SN"))
        await settled(bus, {DeliveryState.DEAD: 1, DeliveryState.DONE: 1})
        (dead,) = await bus.journal.search(Query(states=(DeliveryState.DEAD,)))
    assert dead.error == "PermanentError"
    assert dead.reason.startswith(f"http://localhost:{receiver.port} answered 422 Unprocessable")
    assert "no such [2Jline xxx" in dead.reason
    assert len(dead.reason) < 400


@pytest.mark.parametrize("status", [401, 403, 410])
async def test_a_receiver_that_refuses_us_is_left_alone(receiver, status):
    """Every event would be refused: they wait, and go out when somebody has mended it."""
    receiver.answer = lambda _: web.Response(status=status)
    async with running(rule(receiver)) as bus:
        for number in range(5):
            await bus.publish(result(number))
        assert (await parked(bus)).needs_attention
        assert DeliveryState.DEAD not in await states(bus)
        receiver.answer = lambda _: web.Response()
        await bus.probe("outgoing-andon")
        await settled(bus, {DeliveryState.DONE: 5})


async def test_a_redirect_is_not_followed(receiver):
    """It would carry events, and a token, to where nobody has sent them."""
    receiver.answer = lambda _: web.Response(status=308, headers={"Location": "/elsewhere?secret=hush"})
    async with running(rule(receiver, token="let-me-in")) as bus:
        await bus.publish(result())
        hold = await parked(bus)
    assert len(receiver.calls) == 1
    assert hold.needs_attention
    assert "redirects are not followed: put the new address into url" in hold.reason
    assert "hush" not in hold.reason


@pytest.mark.parametrize("status", [429, 503])
async def test_a_receiver_that_asks_for_time_gets_it(receiver, status):
    """As long as Retry-After says, for all of its events."""
    receiver.answer = lambda _: web.Response(status=status, headers={"Retry-After": "120"})
    async with running(rule(receiver)) as bus:
        await bus.publish(result(1))
        hold = await parked(bus)
        await bus.publish(result(2))
        await bus.drain()
        assert (await states(bus)).get(DeliveryState.DEAD) is None
    assert (hold.probe_at - hold.since).total_seconds() == pytest.approx(120, abs=2)
    assert len(receiver.calls) == 1


async def test_a_fault_of_the_receiver_is_tried_again_and_told_at_last(receiver):
    """500 may pass; when it does not, the dead letter says so."""
    answers = iter([500, 404, 200, 500, 500, 500])
    receiver.answer = lambda _: web.Response(status=next(answers))
    async with running(rule(receiver)) as bus:
        await bus.publish(result(1))
        await settled(bus, {DeliveryState.DONE: 1})
        await bus.publish(result(2))
        await settled(bus, {DeliveryState.DONE: 1, DeliveryState.DEAD: 1})
    assert len(receiver.calls) == 6


async def test_an_answer_without_end_costs_nothing(receiver):
    """The beginning is read, and the status counts."""
    written = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
                written += 65536
        except ConnectionError:
            return response

    receiver.answer = endless
    async with running(rule(receiver)) as bus:
        await bus.publish(result())
        await settled(bus, {DeliveryState.DONE: 1})
    assert written < 50_000_000


async def test_a_receiver_that_does_not_answer_is_one_that_is_away(receiver):
    """Also one that answers a byte at a time; its events wait."""

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    receiver.answer = slow
    async with running(rule(receiver, timeout=0.1)) as bus:
        await bus.publish(result())
        assert "no answer within 0.1 s" in (await parked(bus)).reason


class Refusing(BaseHandler):
    """Finds nothing good enough."""

    name = "refusing"
    event_types = (EventType.TEST_RESULT,)

    async def handle(self, event: Event) -> None:  # noqa: ARG002
        """Refuse."""
        raise PermanentError("not this one")


async def test_dead_letters_reach_an_andon_light_and_cause_no_others(receiver):
    """Two targets refuse everything: each failure is told to the other one once, and that is the end."""
    receiver.answer = lambda _: web.Response(status=400)
    everything = ["test.result", "event.dead_letter", "handler.error"]
    first = rule(receiver, name="first", events=everything)
    second = rule(receiver, name="second", events=everything)
    async with running(first, second, handlers=(Refusing(),)) as bus:
        await bus.publish(result())
        # the result dies three times; each time an error and a dead letter are told: of "refusing" to both
        # targets, of each target to the other one
        await settled(bus, {DeliveryState.DEAD: 3 + 2 * (2 + 1 + 1)})
        assert await bus.drain()
        told = [
            document["data"]["handler"] for document in receiver.documents if "handler" in document["data"]
        ]
    assert sorted(told) == ["outgoing-first"] * 2 + ["outgoing-second"] * 2 + ["refusing"] * 4


async def test_a_report_that_wats_does_not_get_lights_the_andon(receiver, tmp_path):
    """The bridge's own dead letter, told to another system with unit, handler and reason."""
    outgoing = Outgoing([rule(receiver, events=["event.dead_letter"], secret=[SECRET])])
    async with LocalWATS(tmp_path / "wats.sqlite", token="t") as wats:
        bridge = Bridge(
            api=AsyncWATS(base_url=wats.url, token="t"),
            transports=(),
            rules=Rules.model_validate({"report": {"give_up_after": 0}}),
            delivery=DeliverySettings(),
            journal=MemoryJournal(),
        )
        for handler in outgoing.handlers:
            bridge.bus.subscribe(handler, filter=handler.wants)
        async with bridge:
            await bridge.bus.publish(result())
            await receiver.until(1)
        await outgoing.aclose()
    ((headers, body),) = receiver.calls
    Standard(SECRET).verify(body, headers)
    (document,) = receiver.documents
    assert document["type"] == "event.dead_letter"
    assert (document["data"]["unit_id"], document["data"]["event_id"]) == ("SN1", "event-1")
    assert document["data"]["handler"] == "report"
    assert "process" in document["data"]["reason"] or "part" in document["data"]["reason"]


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path):
    """Events wait until the authority is named; then they go out."""
    certificates = Certificates.make(tmp_path / "certificates")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server, certificates.key)
    receiver = Receiver(context=context)
    await receiver.start()
    try:
        async with running(rule(receiver)) as bus:
            await bus.publish(result(1))
            hold = await parked(bus)
            assert hold.needs_attention
            assert "is not trusted" in hold.reason
        assert not receiver.calls
        async with running(rule(receiver, ca_file=certificates.authority)) as bus:
            await bus.publish(result(2))
            await settled(bus, {DeliveryState.DONE: 1})
    finally:
        await receiver.stop()


async def test_check_looks_whether_the_receiver_is_there(receiver, tmp_path):
    """It connects, and calls nobody; what keeps it from that is told without the secret in the address."""
    own = Certificates.make(tmp_path / "certificates")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(own.server, own.key)
    guarded = Receiver(context=context)
    await guarded.start()
    (free,) = free_ports(1)
    settings = settings_of(
        {
            "wats": {"url": "http://127.0.0.1:9", "token": "none"},
            "webhook": {"listen": "http://127.0.0.1:0", "hooks": []},
            "outgoing": [
                {"name": name, "events": ["asset.fault"], "url": url, **more}
                for name, url, more in (
                    ("there", receiver.url, {}),
                    ("down", f"http://127.0.0.1:{free}/hush", {}),
                    ("strange", guarded.url, {}),
                    ("trusted", guarded.url, {"ca_file": str(own.authority)}),
                )
            ],
        },
        base=tmp_path,
    )
    try:
        found = {each.what: each async for each in check(settings, base=tmp_path)}
    finally:
        await guarded.stop()
    assert {name: found[f"outgoing {name}"].good for name in ("there", "down", "strange", "trusted")} == {
        "there": True,
        "down": False,
        "strange": False,
        "trusted": True,
    }
    assert found["outgoing down"].said == f"http://127.0.0.1:{free} can't be reached: Connection refused"
    assert "is not trusted: " in found["outgoing strange"].said
    assert found["webhooks http://127.0.0.1:0"].said.startswith("there are no hooks")
    assert receiver.documents == guarded.documents == []


async def test_no_secret_is_logged(receiver, capsys):
    """Neither those that sign, nor the address, which is one at many receivers."""
    await receiver.stop()
    given = rule(receiver, url=f"{receiver.url}/T0KEN", token="let-me-in", secret=[SECRET])
    async with running(given) as bus:
        await bus.publish(result())
        hold = await parked(bus)
    said = capsys.readouterr()
    for secret in ("T0KEN", "let-me-in", "MfKQ"):
        assert secret not in said.out + said.err + hold.reason


async def test_an_event_that_comes_back_ends_there(tmp_path):
    """A way out that leads to our own hook, by whatever detour, makes nothing of an event a second time."""
    (port,) = free_ports(1)
    hook = {"name": "own", "auth": "none"}
    settings = settings_of(
        {
            "wats": {"url": "http://127.0.0.1:9", "token": "none"},
            "webhook": {"listen": f"http://0.0.0.0:{port}", "hooks": [hook]},
            "outgoing": [
                {"name": "round", "events": ["asset.fault"], "url": f"http://127.0.0.2:{port}/hooks/own"}
            ],
            "journal": {"kind": "memory"},
        },
        base=tmp_path,
    )
    async with bridge_of(settings) as bridge:
        bus = bridge.bus
        await bus.publish(Event(EventType.ASSET_FAULT, {"asset_id": "T1"}, source="//Acme/L1/T1", id="x"))
        query = Query(states=(DeliveryState.DEAD,), handler="outgoing-round")
        async with asyncio.timeout(30):
            while not (found := await bus.journal.search(query)):
                await bus.drain(timeout=0.1)
        (dead,) = found
        assert "and came in again at /hooks/own" in dead.reason
        assert (await bus.journal.stats()).events == 1
