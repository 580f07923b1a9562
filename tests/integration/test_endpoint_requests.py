"""We ask other endpoints, and send to them: on the wire as the SDK does it, and in one line when it fails."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest
from listening import HANDLE as BRIDGE
from listening import listening
from sdk_listener import HANDLE, SdkListener, sdk_listener
from sdk_machine import capture

from pywats_cfx import CFXEnvelope
from pywats_cfx import messages as cfx
from pywats_cfx.endpoint.config import EndpointConfig
from pywats_cfx.endpoint.endpoint import Endpoint
from pywats_cfx.endpoint.errors import NotReachable, RequestError, RequestRefused, RequestTimeout

SECONDS = 20.0
QUESTION = cfx.AreYouThereRequest(cfx_handle=HANDLE)


def endpoint(**settings: Any) -> Endpoint:
    return Endpoint(EndpointConfig(cfx_handle="Acme.MES.1", **settings))


def uri(peer: SdkListener) -> str:
    return f"amqp://127.0.0.1:{peer.port}"


async def test_a_request_looks_as_the_sdk_makes_it():
    """Links, their order, properties and envelope are those of the recording."""
    with sdk_listener() as peer:
        answer = await endpoint().request(uri(peer), HANDLE, QUESTION)
        assert isinstance(answer.message, cfx.AreYouThereResponse)
        assert answer.message.cfx_handle == HANDLE
        assert await asyncio.to_thread(peer.left.wait, SECONDS)
    recorded = capture("request-areyouthere")["messages"][0]
    (request,) = peer.requests
    body = json.loads(bytes(request.body))
    reply_to = request.reply_to
    assert reply_to.startswith("Acme.MES.1-")
    assert peer.links == [("request-receiver", HANDLE, reply_to), (reply_to, None, HANDLE)]
    assert request.id == recorded["properties"]["message-id"] == "command-request"
    assert request.correlation_id == body["RequestID"]
    assert body["RequestID"].startswith("REQUEST-")
    assert request.address == body["Target"] == HANDLE
    assert request.subject == "Acme.MES.1.CFX.AreYouThereRequest"
    assert str(request.content_type) == recorded["properties"]["content-type"]
    assert request.durable
    assert request.properties == recorded["application-properties"] == {"offset": 1}
    assert type(request.properties["offset"]).__name__ == "int32"
    assert body["MessageBody"] == {"$type": "CFX.AreYouThereRequest, CFX", "CFXHandle": HANDLE}


@pytest.mark.parametrize("does", ["bare", "another first", "no id"])
async def test_the_answer_is_known_by_the_id_in_its_envelope(does):
    """Without properties, behind the answer to somebody else, and without an id on our own reply address."""
    with sdk_listener(does) as peer:
        answer = await endpoint().request(uri(peer), HANDLE, QUESTION)
        assert answer.message_name == "CFX.AreYouThereResponse"
        assert answer.request_id != "REQUEST-of-somebody-else"


@pytest.mark.parametrize(
    ("does", "kind", "said"),
    [
        ("reject", RequestRefused, "amqp:not-found: nobody takes answers"),
        ("release", RequestRefused, "released"),
        ("garbage", RequestRefused, "the answer can't be read"),
        ("nothing", RequestTimeout, "no answer to CFX.AreYouThereRequest within 0.3 s"),
    ],
)
async def test_no_answer_is_one_line_that_says_why(does, kind, said):
    """Refused, unreadable or late: which endpoint, where, and what happened."""
    with sdk_listener(does) as peer:
        with pytest.raises(kind) as failed:
            await endpoint().request(uri(peer), HANDLE, QUESTION, timeout=0.3 if does == "nothing" else None)
        assert said in str(failed.value)
        assert str(failed.value).startswith(f'"{HANDLE}" at {uri(peer)}/: ')
        assert "\n" not in str(failed.value)
        assert await asyncio.to_thread(peer.left.wait, SECONDS)  # politely


@pytest.mark.parametrize("does", ["answer only", "twice", "packed"])
async def test_an_answer_is_enough_however_the_other_side_gives_it(does):
    """With the request never settled, twice, or packed although the standard does not pack answers."""
    with sdk_listener(does) as peer:
        answer = await endpoint().request(uri(peer), HANDLE, QUESTION, timeout=SECONDS)
        assert answer.message_name == "CFX.AreYouThereResponse"
        assert await asyncio.to_thread(peer.left.wait, SECONDS)


async def test_an_endpoint_that_leaves_before_its_answer_is_told():
    """The asker does not wait until its time is over."""
    with sdk_listener("leave") as peer, pytest.raises(RequestError):
        await endpoint().request(uri(peer), HANDLE, QUESTION)


async def test_an_unknown_handle_is_refused():
    """The link is refused by the address that nobody has there."""
    with sdk_listener() as peer, pytest.raises(RequestRefused, match="no processor at Acme"):
        await endpoint().request(uri(peer), "Acme.Other", QUESTION)


async def test_nobody_there_and_somebody_else_there_are_not_reachable():
    """A closed port, and a port that speaks something else; a password in the address is not repeated."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NotReachable) as failed:
        await endpoint().request(f"amqp://line:s3cret@127.0.0.1:{port}", HANDLE, QUESTION)
    assert "s3cret" not in str(failed.value) + repr(failed.value)

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        with pytest.raises(NotReachable, match=r"no AMQP 1\.0"):
            await endpoint().request(f"amqp://127.0.0.1:{port}", HANDLE, QUESTION)


async def test_a_request_that_is_cancelled_leaves_politely():
    """The other side sees a goodbye, not a broken connection."""
    with sdk_listener("nothing") as peer:
        asking = asyncio.ensure_future(endpoint().request(uri(peer), HANDLE, QUESTION))
        async with asyncio.timeout(SECONDS):
            while not peer.requests:  # noqa: ASYNC110  # it lives in another thread
                await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await asyncio.to_thread(peer.left.wait, SECONDS)


async def test_many_requests_at_once_do_not_meet():
    """Each has its own connection and reply address, so that no two links are taken for one."""
    with sdk_listener() as peer:
        asker = endpoint()
        answers = await asyncio.gather(*(asker.request(uri(peer), HANDLE, QUESTION) for _ in range(10)))
        assert len({answer.request_id for answer in answers}) == 10
        assert len(set(peer.containers)) == 10


async def test_messages_are_sent_straight_to_another_endpoint():
    """Accepted by its listener, and journalled there; another address is refused."""
    beats = [CFXEnvelope.of(cfx.Heartbeat(cfx_handle="A"), source="A") for _ in range(3)]
    async with listening() as bridge:
        await endpoint().send(bridge.uri, "CFXListener", *beats)
        assert sum((await bridge.bus.journal.stats()).received.values()) == 3
        with pytest.raises(RequestRefused, match="nobody"):
            await endpoint().send(bridge.uri, "nobody", *beats)


async def test_our_two_sides_understand_each_other():
    """With a password too; a wrong one is refused."""
    async with listening(username="line", password="w0rd") as bridge:
        place = bridge.uri.removeprefix("amqp://")
        asking = cfx.WhoIsThereRequest(supported_topic_query_type=cfx.SupportedTopicQueryType.Ignore)
        answer = await endpoint().request(f"amqp://line:w0rd@{place}", BRIDGE, asking)
        assert answer.message_name == "CFX.WhoIsThereResponse"
        with pytest.raises(RequestRefused, match="login refused"):
            await endpoint().request(f"amqp://line:wr0ng@{place}", BRIDGE, asking)
