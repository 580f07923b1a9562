"""What an endpoint answers, held to the standard's own examples."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
import structlog
from cfx_shop import REFERENCE
from pydantic import ValidationError

from pywats_cfx import CFXEnvelope, decode
from pywats_cfx import messages as cfx
from pywats_cfx.config import CFXConfig
from pywats_cfx.endpoint.config import EndpointConfig, Place, place_of
from pywats_cfx.endpoint.endpoint import Endpoint
from pywats_events.questions import (
    AskedUnit,
    Check,
    Fitness,
    UnitAnswer,
    UnitsAnswer,
    UnitsQuestion,
)

HANDLE = "Acme.MES.1"
VALIDATE = "CFX.InformationSystem.UnitValidation.ValidateUnitsRequest"


def example(name: str) -> dict[str, Any]:
    """Give a body out of the standard's documentation."""
    path = REFERENCE / "examples" / f"{name}.json"
    if not path.is_file():
        pytest.skip("the standard's examples (../shared/cfx) are not beside this checkout")
    body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return body


def asked(name: str, body: dict[str, Any] | None = None) -> CFXEnvelope:
    """Give a request as it comes in."""
    return CFXEnvelope(name, body or {}, source="Acme.Tester.T1", target=HANDLE, request_id="REQUEST-7")


class Told:
    """A validator that says what it was told to, and remembers the question."""

    def __init__(self, answer: UnitsAnswer | Exception) -> None:
        self.answer = answer
        self.questions: list[UnitsQuestion] = []

    async def validate(self, question: UnitsQuestion) -> UnitsAnswer:
        """Say it."""
        self.questions.append(question)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def endpoint(validator: Told | None = None, **settings: Any) -> Endpoint:
    config = EndpointConfig(cfx_handle=HANDLE, public_uri="amqp://mes:5690/", **settings)
    return Endpoint(config, validator=validator, consumes=["CFX.Production.WorkStarted"])


async def test_the_answer_goes_back_to_who_asked_with_the_id_of_the_request():
    """Source and target change places, the id is repeated, and the answer has an identity of its own."""
    answer = await endpoint().answer(asked("CFX.AreYouThereRequest", {"CFXHandle": HANDLE}))
    assert (answer.source, answer.target, answer.request_id) == (HANDLE, "Acme.Tester.T1", "REQUEST-7")
    assert answer.unique_id
    assert answer.body == {
        "$type": "CFX.AreYouThereResponse, CFX",
        "Result": {"Result": "Success", "ResultCode": 0, "Message": "OK"},
        "CFXHandle": HANDLE,
        "RequestNetworkUri": "amqp://mes:5690/",
        "RequestTargetAddress": HANDLE,
    }


@pytest.mark.parametrize("name", ["CFX.AreYouThereRequest", "CFX.GetEndpointInformationRequest"])
async def test_a_request_for_another_handle_is_not_answered_in_its_place(name):
    """Only the endpoint that is named may say that it is there."""
    answer = await endpoint().answer(asked(name, {"CFXHandle": "Acme.Other.2"}))
    assert answer.message_name == "CFX.NotSupportedResponse"
    assert answer.body["RequestResult"]["Result"] == "Failed"
    assert answer.body["RequestResult"]["Message"] == f'this is "{HANDLE}", not "Acme.Other.2"'


@pytest.mark.parametrize(
    ("query", "topics", "there"),
    [
        ("Ignore", [("CFX.Nothing", "Publisher", [])], True),
        ("All", [], True),
        ("Any", [], True),
        ("All", [("CFX.Production", "Consumer", [])], True),
        ("All", [("CFX.Production", "Consumer", ["WorkStarted"])], True),
        ("All", [("CFX.Production", "Consumer", ["CFX.Production.WorkStarted"])], True),
        ("All", [("CFX.Production", "Consumer", ["UnitsArrived"])], False),
        ("All", [("CFX.Production", "Publisher", [])], False),
        ("All", [("CFX.Production", "Consumer", []), ("CFX.Nothing", "Consumer", [])], False),
        ("Any", [("CFX.Production", "Consumer", []), ("CFX.Nothing", "Consumer", [])], True),
        ("Any", [("CFX.Nothing", "Consumer", [])], False),
    ],
)
async def test_who_asks_for_topics_hears_of_those_who_have_them(query, topics, there):
    """All, any or regardless of the topics asked for, in the role asked for."""
    body = {
        "SupportedTopicQueryType": query,
        "SupportedTopics": [
            {"TopicName": name, "TopicSupportType": role, "SupportedMessages": names}
            for name, role, names in topics
        ],
    }
    answer = await endpoint().answer(asked("CFX.WhoIsThereRequest", body))
    assert (answer.message_name == "CFX.WhoIsThereResponse") is there


async def test_the_examples_of_the_standard_are_answered():
    """What the documentation shows as requests is understood."""
    answer = await endpoint().answer(asked("CFX.WhoIsThereRequest", example("CFX.WhoIsThereRequest.1")))
    assert answer.message_name == "CFX.NotSupportedResponse"  # it asks for publishers of production
    body = example("CFX.GetEndpointInformationRequest.1")
    answer = await endpoint().answer(
        asked("CFX.GetEndpointInformationRequest", {**body, "CFXHandle": HANDLE})
    )
    about = answer.body["EndpointInformation"]
    recorded = example("CFX.GetEndpointInformationResponse.1")["EndpointInformation"]
    assert {name for name in recorded if not name.startswith("$")} - set(about) == set()
    topics = {each["TopicName"]: each for each in about["SupportedTopics"]}
    assert topics["CFX.Production"]["SupportedMessages"] == ["WorkStarted"]
    assert topics["CFX"]["TopicSupportType"] == "PublisherConsumer"


async def test_a_machine_hears_which_boards_it_may_work_on():
    """The standard's own example: fit, unfit and unchecked units, each under the name it was asked by."""
    fit = UnitAnswer(AskedUnit("CARRIER5566", 1), Fitness.FIT)
    unfit = UnitAnswer(AskedUnit("CARRIER5566", 2), Fitness.UNFIT, "ICT (100) was not passed", 2)
    validator = Told(UnitsAnswer(Fitness.UNFIT, "one of two may not go on", 2, (fit, unfit)))
    answer = await endpoint(validator).answer(asked(VALIDATE, example(f"{VALIDATE}.1")))
    assert validator.questions == [
        UnitsQuestion(
            asker="Acme.Tester.T1",
            primary_id="CARRIER2342",
            units=(AskedUnit("CARRIER5566", 1, "CIRCUIT1"), AskedUnit("CARRIER5566", 2, "CIRCUIT2")),
            checks=frozenset({Check.ROUTE, Check.STATUS}),
        )
    ]
    pattern = example(VALIDATE.replace("Request", "Response") + ".1")
    assert set(answer.body) - {"$type"} == set(pattern)
    assert answer.body["Result"] == {"Result": "Success", "ResultCode": 0, "Message": "OK"}
    assert answer.body["PrimaryResult"] == {
        "UniqueIdentifier": "CARRIER2342",
        "PositionNumber": 0,
        "Result": "Failed",
        "FailureCode": 2,
        "Message": "one of two may not go on",
    }
    assert answer.body["ValidationResults"] == [
        pattern["ValidationResults"][0],
        {
            "UniqueIdentifier": "CARRIER5566",
            "PositionNumber": 2,
            "Result": "Failed",
            "FailureCode": 2,
            "Message": "ICT (100) was not passed",
        },
    ]


async def test_a_captured_question_is_read_to_the_last_field():
    """The request that the SDK sent, and an answer of a unit that nobody looked at."""
    path = REFERENCE / "wire" / "request-validate.amqp10.json"
    if not path.is_file():
        pytest.skip("recordings of the SDK (../shared/cfx/wire) are not beside this checkout")
    captured = json.loads(path.read_text(encoding="utf-8"))["messages"][0]
    (request,) = decode(base64.b64decode(captured["body_b64"]))
    validator = Told(UnitsAnswer(Fitness.NOT_CHECKED, "nothing to check it by", 9))
    answer = await endpoint(validator).answer(request)
    (question,) = validator.questions
    assert question.primary_id == "PNL-000123"
    assert question.units == (AskedUnit("SN-1001", 1, "CIRCUIT1"),)
    assert question.asked_at == request.time_stamp
    assert answer.body["PrimaryResult"]["Result"] == "Skipped"
    # the validator said nothing of the unit: that is never a pass
    assert [each["Result"] for each in answer.body["ValidationResults"]] == ["Skipped"]


@pytest.mark.parametrize(
    ("validations", "checks"),
    [
        ([], set()),
        (None, set()),
        (["All"], set()),
        (["UnitRouteValidation", "All"], set()),
        (["UnitTraceValidation", "UnitAndSubsStatusValidation"], {Check.TRACE, Check.STATUS_WITH_SUB_UNITS}),
        (["UnitRouteValidation", "SomethingNew"], set()),
        ([1, "0"], {Check.STATUS, Check.ROUTE}),
    ],
)
async def test_what_is_to_be_checked_is_what_was_asked(validations, checks):
    """Nothing said, everything said and a kind that we don't know stand for all checks."""
    validator = Told(UnitsAnswer(Fitness.FIT))
    await endpoint(validator).answer(asked(VALIDATE, {"Validations": validations}))
    assert validator.questions[0].checks == checks


@pytest.mark.parametrize(
    ("status", "bad"), [("Pass", False), (None, False), ("Fail", True), ("Scrap", True), ("Skip", True)]
)
async def test_units_that_the_machine_knows_as_bad_are_asked_about_as_such(status, bad):
    """Marks of the machine reach the validator."""
    validator = Told(UnitsAnswer(Fitness.FIT))
    units = [{"UnitIdentifier": "SN-1", "PositionNumber": 0, "Status": status}]
    await endpoint(validator).answer(asked(VALIDATE, {"Units": units}))
    assert validator.questions[0].units == (AskedUnit("SN-1", None, None, marked_bad=bad),)


@pytest.mark.parametrize(
    "name", ["CFX.Production.GetActiveRecipeRequest", VALIDATE, "CFX.NobodyKnowsRequest"]
)
async def test_a_request_without_a_responder_is_not_supported(name):
    """The machine is told so at once, and by whom; validation too where nobody validates."""
    answer = await endpoint().answer(asked(name))
    assert answer.message_name == "CFX.NotSupportedResponse"
    assert answer.body["RequestResult"]["Message"] == f"{HANDLE} has no answer to {name}"


async def test_a_request_that_cannot_be_read_says_which_field():
    """A machine's programmer sees what is wrong."""
    answer = await endpoint(Told(UnitsAnswer(Fitness.FIT))).answer(asked(VALIDATE, {"Units": "all of them"}))
    assert answer.message_name == "CFX.NotSupportedResponse"
    assert "MessageBody.Units" in answer.body["RequestResult"]["Message"]


async def test_a_responder_that_fails_costs_one_log_line_with_the_id():
    """The machine hears that it failed, and not what secrets stood in the error."""
    failing = endpoint(Told(RuntimeError("token abc refused")))
    with structlog.testing.capture_logs() as logs:
        answer = await failing.answer(asked(VALIDATE))
    assert answer.message_name == "CFX.NotSupportedResponse"
    assert "abc" not in str(answer.body)
    (line,) = logs
    assert (line["log_level"], line["request_id"], line["request"]) == ("error", "REQUEST-7", VALIDATE)
    assert (failing.answered, failing.unsupported) == (1, 1)


async def test_a_responder_that_never_ends_is_ended():
    """The machine has its answer when its own patience is over."""
    slow = endpoint(request_timeout=0.01)

    async def never(_request: CFXEnvelope) -> cfx.CFXMessage:
        await asyncio.Event().wait()
        raise AssertionError

    slow.on_request(cfx.WhoIsThereRequest, never)
    with structlog.testing.capture_logs() as logs:
        answer = await slow.answer(asked("CFX.WhoIsThereRequest"))
    assert answer.message_name == "CFX.NotSupportedResponse"
    assert "TimeoutError" in logs[0]["reason"]


async def test_programs_answer_requests_of_their_own():
    """Any message of the standard can be given a responder, the built-in ones another."""
    ours = endpoint()

    async def recipe(request: CFXEnvelope) -> cfx.CFXMessage:
        assert isinstance(request.message, cfx.AreYouThereRequest)
        return cfx.AreYouThereResponse(cfx_handle="told by a program")

    ours.on_request(cfx.AreYouThereRequest, recipe)
    answer = await ours.answer(asked("CFX.AreYouThereRequest"))
    assert answer.body["CFXHandle"] == "told by a program"


# --- configuration


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("amqp://mes", Place("mes", 5672, tls=False)),
        ("amqps://mes/", Place("mes", 5671, tls=True)),
        ("amqp://[::1]:5690", Place("::1", 5690, tls=False)),
        ("amqps://line%201:a%2Fb@mes:1", Place("mes", 1, tls=True, user="line 1", password="a/b")),
    ],
)
def test_the_address_of_an_endpoint_is_a_uri(uri, place):
    """Ports have their defaults; users and passwords may hold any character."""
    assert place_of(uri) == place
    assert "a/b" not in repr(place) + str(place)


@pytest.mark.parametrize(
    "uri", ["", "mes:5690", "http://mes", "amqp://", "amqp://u:s3cret@mes:x", "amqp://mes/q"]
)
def test_another_address_is_refused_without_quoting_it(uri):
    """It may hold a password."""
    with pytest.raises(ValueError, match="should look like") as refused:
        place_of(uri)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"listen": "amqps://0.0.0.0:5691"}, "needs a certificate"),
        ({"listen": "0.0.0.0:5690"}, "should look like"),
        ({"username": "line"}, "username and password go together"),
        ({"password": "s3cret"}, "username and password go together"),
        ({"heartbeat": 0.5}, "should be 0, or 1 to 300"),
        ({"heartbeat": 301}, "less than or equal to 300"),
        ({"key_file": "/nowhere"}, "key_file is given without cert_file"),
        ({"cert_file": __file__}, "no certificate with its private key"),
        ({"ca_file": "/nowhere"}, "holds no certificates"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(settings, said):
    """Each says what is wrong with it."""
    with pytest.raises(ValidationError) as refused:
        EndpointConfig(**settings)
    assert said in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_there_is_no_broker_where_only_a_listener_is_configured():
    """With a section of its own there is one; without either there is the default one."""
    listening = {"listen": "amqp://0.0.0.0:5690"}
    assert CFXConfig.model_validate({"endpoint": listening}).broker is None
    assert CFXConfig.model_validate({"endpoint": listening, "amqp": {}}).broker is not None
    assert CFXConfig().broker is not None
