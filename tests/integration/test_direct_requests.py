"""Machines that ask the bridge, over AMQP 1.0 and without a broker."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
import structlog
from brokers.certificates import Certificates
from listening import HANDLE, listening
from proton import ConnectionException, Delivery, Message
from sdk_machine import Asker, Machine, bodies, capture, envelope_in, transfers, trusting

from pywats_events.questions import Fitness, UnitAnswer, UnitsAnswer, UnitsQuestion

SECONDS = 20.0
ASKER = "Acme.Tester.T1"


class Fit:
    """Finds every unit fit, when it may."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()

    async def validate(self, question: UnitsQuestion) -> UnitsAnswer:
        """Answer when the gate is open."""
        self.asked.set()
        await self.gate.wait()
        units = tuple(UnitAnswer(unit, Fitness.FIT) for unit in question.units)
        return UnitsAnswer(Fitness.FIT, units=units)


def said_over(message: Message) -> dict[str, Any]:
    """Give what a message says besides its body, by the names of the recordings."""
    return {
        "durable": message.durable,
        "to": message.address,
        "subject": message.subject,
        "reply-to": message.reply_to,
        "correlation-id": message.correlation_id,
        "content-type": str(message.content_type),
        # proton says "None" for a symbol that is not there
        "content-encoding": None if message.content_encoding == "None" else message.content_encoding,
        "application-properties": dict(message.properties),
    }


def as_recorded(name: str) -> dict[str, Any]:
    """Give the same of an answer of the SDK's, as if it had been ours: the two handles change places."""
    recorded = capture(name)["messages"][0]
    fields = {key: recorded["properties"][key] for key in ("to", "subject", "reply-to", "correlation-id")}
    fields |= {key: recorded["properties"][key] for key in ("content-type", "content-encoding")}
    fields |= {"durable": recorded["header"]["durable"]}
    fields |= {"application-properties": recorded["application-properties"]}
    return _swapped(fields)


def _swapped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _swapped(member) for key, member in value.items()}
    if isinstance(value, str):
        return value.replace(HANDLE, "\0").replace(ASKER, HANDLE).replace("\0", ASKER)
    return value


def play(uri: str, recording: str) -> tuple[Any, Message]:
    """Ask as the SDK did; give the outcome of the request, and the answer."""
    with Asker(uri, recording) as machine:
        return machine.ask()


async def test_the_sdk_hears_that_we_are_there():
    """Its own request, byte for byte, is accepted and answered with what its own endpoint would answer."""
    async with listening() as bridge:
        outcome, answer = await asyncio.to_thread(play, bridge.uri, "request-areyouthere")
        assert outcome == Delivery.ACCEPTED
        assert said_over(answer) == as_recorded("response-areyouthere")
        envelope = envelope_in(answer)
        assert answer.id == envelope["UniqueID"]
        (asked,) = bodies("request-areyouthere")
        assert envelope["RequestID"].encode() in asked
        assert (envelope["Source"], envelope["Target"]) == (HANDLE, ASKER)
        assert envelope["MessageBody"] == {
            "$type": "CFX.AreYouThereResponse, CFX",
            "Result": {"Result": "Success", "ResultCode": 0, "Message": "OK"},
            "CFXHandle": HANDLE,
            "RequestNetworkUri": bridge.uri,
            "RequestTargetAddress": HANDLE,
        }
        assert (await bridge.bus.journal.stats()).received == {}  # requests are no events


async def test_the_sdk_hears_which_units_are_fit():
    """The captured question about a panel gets a verdict for it and for its one unit."""
    async with listening(validator=Fit()) as bridge:
        outcome, answer = await asyncio.to_thread(play, bridge.uri, "request-validate")
    assert outcome == Delivery.ACCEPTED
    body = envelope_in(answer)["MessageBody"]
    assert body["$type"] == "CFX.InformationSystem.UnitValidation.ValidateUnitsResponse, CFX"
    assert body["Result"]["Result"] == "Success"
    verdict = {"Result": "Passed", "FailureCode": 0, "Message": "OK"}
    assert body["PrimaryResult"] == {"UniqueIdentifier": "PNL-000123", "PositionNumber": 0, **verdict}
    assert body["ValidationResults"] == [{"UniqueIdentifier": "SN-1001", "PositionNumber": 1, **verdict}]


async def test_a_request_that_nobody_answers_is_not_supported():
    """The answer comes on the same way, and says so by its name."""
    async with listening() as bridge:
        outcome, answer = await asyncio.to_thread(play, bridge.uri, "request-validate")
        assert outcome == Delivery.ACCEPTED
        assert envelope_in(answer)["MessageName"] == "CFX.NotSupportedResponse"
        assert bridge.listener.endpoint.unsupported == 1


async def test_a_request_whose_answer_has_no_way_back_is_rejected():
    """Without a link for the reply address: not found, as the SDK's own listeners say."""
    (request,) = transfers("request-areyouthere")

    def ask(uri: str) -> tuple[Any, Any]:
        with Machine(uri) as machine:
            delivery = machine.transfer(machine.sender(HANDLE), request)
            return machine.outcome(delivery), delivery.remote.condition.name

    async with listening() as bridge:
        said = await asyncio.to_thread(ask, bridge.uri)
    assert said == (Delivery.REJECTED, "amqp:not-found")


@pytest.mark.parametrize("message_id", ["ID:4711", None])
async def test_a_request_with_a_message_id_of_its_own_is_answered(message_id):
    """Other makers' endpoints choose their own; the answer's correlation-id repeats it."""

    def ask(uri: str) -> Message:
        with Asker(uri, "request-areyouthere") as machine:
            message = Message()
            message.decode(machine.request)
            message.id, message.inferred = message_id, True
            message.body = bytes(message.body)
            assert machine.send(machine.questions, bytes(message.encode())) == Delivery.ACCEPTED
            return machine.answer()

    async with listening() as bridge:
        answer = await asyncio.to_thread(ask, bridge.uri)
        assert envelope_in(answer)["MessageName"] == "CFX.AreYouThereResponse"
        assert answer.correlation_id == message_id
        assert (await bridge.bus.journal.stats()).received == {}


@pytest.mark.parametrize("body", [b"[]", b"not JSON", b'[{"MessageName":"CFX.AreYouThereRequest"}, {}]'])
async def test_a_request_that_cannot_be_read_is_rejected_with_the_reason(body):
    """It is one envelope; anything else goes back to the machine's programmer."""

    def ask(uri: str) -> tuple[Any, Any]:
        with Asker(uri, "request-areyouthere") as machine:
            message = Message()
            message.decode(machine.request)
            message.body, message.inferred = body, True
            delivery = machine.transfer(machine.questions, bytes(message.encode()))
            return machine.outcome(delivery), delivery.remote.condition.name

    async with listening() as bridge:
        assert await asyncio.to_thread(ask, bridge.uri) == (Delivery.REJECTED, "amqp:decode-error")


async def test_twenty_requests_at_once_on_one_connection_are_all_answered():
    """Each gets its own answer."""

    def ask(uri: str) -> list[str]:
        with Asker(uri, "request-areyouthere") as machine:
            message = Message()
            message.decode(machine.request)
            asked = bytes(message.body)
            start = asked.index(b"REQUEST-")
            flying = []
            for number in range(20):
                message.body = asked[:start] + b"REQUEST-%02d" % number + asked[start + 44 :]
                message.inferred = True
                flying.append(machine.transfer(machine.questions, bytes(message.encode())))
            assert {machine.outcome(each) for each in flying} == {Delivery.ACCEPTED}
            return [envelope_in(machine.answer())["RequestID"] for _ in flying]

    async with listening() as bridge:
        answered = await asyncio.to_thread(ask, bridge.uri)
        assert sorted(answered) == [f"REQUEST-{number:02}" for number in range(20)]
        assert bridge.listener.endpoint.answered == 20


async def test_a_slow_validator_holds_up_nothing_else():
    """On the same link, messages that are published meanwhile are taken in before the answer is there."""
    validator = Fit()
    validator.gate.clear()
    loop = asyncio.get_running_loop()

    def ask(uri: str) -> list[Any]:
        with Asker(uri, "request-validate") as machine:
            outcomes = [machine.send(machine.questions, machine.request)]
            published = transfers("publish-raw-single-direct")
            outcomes += [machine.send(machine.questions, message) for message in published]
            loop.call_soon_threadsafe(validator.gate.set)
            return [*outcomes, envelope_in(machine.answer())["MessageName"]]

    async with listening(validator=validator) as bridge:
        said = await asyncio.to_thread(ask, bridge.uri)
    assert said[:-1] == [Delivery.ACCEPTED] * 10
    assert said[-1].endswith("ValidateUnitsResponse")


async def test_an_asker_that_leaves_before_the_answer_harms_nobody():
    """Nothing is logged above debug, and the next one is answered."""
    validator = Fit()
    validator.gate.clear()

    def leave(uri: str) -> None:
        with Asker(uri, "request-validate") as machine:
            machine.send(machine.questions, machine.request)

    with structlog.testing.capture_logs() as logs:
        async with listening(validator=validator) as bridge:
            await asyncio.to_thread(leave, bridge.uri)
            validator.gate.set()
            _, answer = await asyncio.to_thread(play, bridge.uri, "request-validate")
    assert envelope_in(answer)["MessageName"].endswith("ValidateUnitsResponse")
    assert [line for line in logs if line["log_level"] in ("warning", "error")] == []


# --- who may come in


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def machine_certificate(certificates: Certificates) -> tuple[Path, Path]:
    """Give a certificate of a machine, signed by the same authority."""
    folder = certificates.authority.parent
    key, request, certificate = folder / "line.key", folder / "line.csr", folder / "line.crt"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    signer = ("-CA", certificates.authority, "-CAkey", folder / "ca.key", "-CAcreateserial")
    for command in (
        ("req", *curve, "-keyout", key, "-out", request, "-subj", "/CN=line 1"),
        ("x509", "-req", "-in", request, *signer, "-out", certificate, "-days", "2"),
    ):
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)  # noqa: S607
    return certificate, key


def encrypted(certificates: Certificates, **more: Any) -> dict[str, Any]:
    return {
        "listen": "amqps://localhost:0",
        "cert_file": certificates.server,
        "key_file": certificates.key,
        **more,
    }


def publishes(uri: str, **options: Any) -> Any:
    with Machine(uri, **options) as machine:
        return machine.send(machine.sender(HANDLE), transfers("publish-raw-single-direct")[0])


async def test_machines_publish_over_tls(certificates):
    """With the listener's certificate checked by the machine."""
    async with listening(**encrypted(certificates)) as bridge:
        trust = trusting(certificates.authority)
        assert await asyncio.to_thread(publishes, bridge.uri, ssl_domain=trust) == Delivery.ACCEPTED


async def test_the_right_password_opens_the_door_and_nothing_else_does():
    """Wrong passwords, wrong users, nobody and no login at all are refused; no line shows a password."""
    login = {"username": "line", "password": "r1ght-word"}
    with structlog.testing.capture_logs() as logs:
        async with listening(**login) as bridge:
            plain = {"allow_insecure_mechs": True, "reconnect": False}
            right = {"user": "line", "password": "r1ght-word", **plain}
            assert await asyncio.to_thread(publishes, bridge.uri, **right) == Delivery.ACCEPTED
            for wrong in (
                {**right, "password": "wr0ng-word"},
                {**right, "user": "other"},
                {"reconnect": False},
                {"sasl_enabled": False, "reconnect": False},
            ):
                with pytest.raises(ConnectionException):
                    await asyncio.to_thread(publishes, bridge.uri, **wrong)
            assert bridge.listener.tally.acknowledged == 1
    refused = [line for line in logs if line["log_level"] == "warning"]
    assert len(refused) == 4
    assert "-word" not in str(logs)


async def test_a_certificate_that_we_trust_is_a_login(certificates, machine_certificate):
    """EXTERNAL with a certificate of the authority; without one it opens nothing."""
    login = {"username": "line", "password": "r1ght-word", "ca_file": certificates.authority}
    certificate, key = machine_certificate
    async with listening(**encrypted(certificates, **login)) as bridge:
        shown = trusting(certificates.authority, certificate=certificate, key=key)
        options = {"ssl_domain": shown, "allowed_mechs": "EXTERNAL", "reconnect": False}
        assert await asyncio.to_thread(publishes, bridge.uri, **options) == Delivery.ACCEPTED
        options["ssl_domain"] = trusting(certificates.authority)
        with pytest.raises(ConnectionException):
            await asyncio.to_thread(publishes, bridge.uri, **options)


async def test_a_peer_that_breaks_the_handshake_harms_nobody(certificates):
    """Plain AMQP on the encrypted port ends there."""
    async with listening(**encrypted(certificates)) as bridge:
        _, _, port = bridge.uri.rstrip("/").rpartition(":")
        reader, writer = await asyncio.open_connection("localhost", int(port))
        writer.write(b"AMQP\x00\x01\x00\x00")
        async with asyncio.timeout(SECONDS):
            await reader.read()
        writer.close()
        domain = trusting(certificates.authority)
        assert await asyncio.to_thread(publishes, bridge.uri, ssl_domain=domain) == Delivery.ACCEPTED
