"""The login of AMQP 1.0: SASL as it is framed, both sides, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pywats_cfx.amqp10.errors import Amqp10Error, LoginRefused, NotAmqp10, ProtocolError
from pywats_cfx.amqp10.sasl import HEADER, ClientLogin, Login, ServerLogin, same_secret

#: What RabbitMQ 3.10 sends after its header: ANONYMOUS, PLAIN and AMQPLAIN in an array of symbols.
_RABBITMQ_OFFER = bytes.fromhex(
    "00000030 02010000 00 53 40 c0 1e 01 e0 1b 03 a3 09".replace(" ", "")
    + b"ANONYMOUS".hex()
    + "05"
    + b"PLAIN".hex()
    + "08"
    + b"AMQPLAIN".hex()
)
_RABBITMQ_OFFER = len(_RABBITMQ_OFFER).to_bytes(4, "big") + _RABBITMQ_OFFER[4:]
_OUTCOME_OK = bytes.fromhex("00000010 02010000 00 53 44 c0 03 01 50 00".replace(" ", ""))
_OUTCOME_AUTH = bytes.fromhex("00000010 02010000 00 53 44 c0 03 01 50 01".replace(" ", ""))


def _talk(client: Login, server: Login) -> None:
    to_server, to_client = client.begin(), server.begin()
    while to_server or to_client:
        to_client += server.feed(to_server)
        to_server, to_client = client.feed(to_client), b""


@pytest.mark.parametrize(
    ("settings", "mechanism"),
    [({}, b"ANONYMOUS"), ({"user": "line", "password": "grün ß"}, b"PLAIN")],
)
def test_a_broker_lets_us_in(settings, mechanism):
    """The bytes that RabbitMQ sends lead through the login, with the mechanism that fits what we have."""
    login = ClientLogin(**settings)
    assert login.begin() == HEADER
    sent = login.feed(HEADER + _RABBITMQ_OFFER)
    assert mechanism in sent
    assert not login.done
    assert login.feed(_OUTCOME_OK + b"AMQP\x00\x01\x00\x00") == b""
    assert login.done
    assert login.rest() == b"AMQP\x00\x01\x00\x00"


def test_a_wrong_password_is_told_with_the_mechanism():
    """A refusal names the mechanism that was tried and those that were offered, not the password."""
    login = ClientLogin(user="line", password="hush-hush")
    login.feed(HEADER + _RABBITMQ_OFFER)
    with pytest.raises(LoginRefused) as caught:
        login.feed(_OUTCOME_AUTH)
    assert caught.value.mechanism == "PLAIN"
    assert caught.value.offered == ("ANONYMOUS", "PLAIN", "AMQPLAIN")
    assert "hush" not in str(caught.value) + repr(caught.value) + repr(vars(caught.value))


def test_a_mechanism_that_is_not_offered_is_not_tried():
    """A certificate is no use where only passwords are taken, and nothing secret is sent."""
    login = ClientLogin(external=True)
    with pytest.raises(LoginRefused, match="none of its mechanisms fits") as caught:
        login.feed(HEADER + _RABBITMQ_OFFER)
    assert caught.value.mechanism is None


@pytest.mark.parametrize(
    ("answer", "is_091"),
    [(b"AMQP\x00\x00\x09\x01", True), (b"HTTP/1.1 400 Bad", False), (b"\x15\x03\x01\x00\x02\x02\n", False)],
)
def test_something_else_than_amqp10_is_known_by_its_first_bytes(answer, is_091):
    """A broker of AMQP 0-9-1, a web server and a TLS port are told apart from AMQP 1.0."""
    with pytest.raises(NotAmqp10) as caught:
        ClientLogin(user="line").feed(answer)
    assert caught.value.speaks_091 is is_091


@pytest.mark.parametrize("user", ["line", "Straße/7", "日本", "a" * 300])
def test_both_sides_understand_each_other(user):
    """Names and passwords of any script reach the other side whole."""
    asked = []
    client = ClientLogin(user=user, password=user[::-1], hostname="broker.local")
    server = ServerLogin(lambda name, password: asked.append((name, password)) or True)
    _talk(client, server)
    assert client.done
    assert server.done
    assert asked == [(user, user[::-1])]
    assert server.user == user


def test_nobody_comes_in_without_the_password_where_one_is_set():
    """With a user set, ANONYMOUS, EXTERNAL without a certificate and a wrong password are refused."""

    def check(user: str, password: str) -> bool:
        return same_secret(password, "right") and user == "line"

    for settings in (
        {},
        {"external": True},
        {"user": "line", "password": "wrong"},
        {"user": "", "password": ""},
    ):
        client, server = ClientLogin(**settings), ServerLogin(check)
        with pytest.raises(LoginRefused):
            _talk(client, server)
        assert not server.done
        assert not client.done


def test_the_refusal_reaches_the_other_side():
    """The frame that a refused peer gets makes its own login fail: no connection ends in silence."""
    client, server = ClientLogin(user="line", password="wrong"), ServerLogin(lambda *_: False)
    init = client.feed(server.feed(client.begin()))
    with pytest.raises(LoginRefused):
        server.feed(init)
    with pytest.raises(LoginRefused) as caught:
        client.feed(server.refusal)
    assert caught.value.mechanism == "PLAIN"


def test_a_certificate_opens_the_door_where_it_was_checked():
    """EXTERNAL is offered to those who showed a certificate, beside passwords."""
    client, server = ClientLogin(external=True), ServerLogin(lambda *_: False, certified=True)
    _talk(client, server)
    assert server.done


@pytest.mark.parametrize(
    "response", [b"", b"\0", b"no separators", b"a\0b\0c\0d", b"\0line\0\xff\xfe", b"\0\0"], ids=repr
)
def test_a_malformed_answer_of_plain_is_no_login(response):
    """Whatever stands in the answer, it lets nobody in and breaks nothing."""
    client, server = ClientLogin(user="x"), ServerLogin(lambda user, _password: bool(user))
    client._response = response
    with pytest.raises(LoginRefused):
        _talk(client, server)


@given(data=st.binary(max_size=200), server=st.booleans(), greeted=st.booleans())
def test_whatever_comes_only_our_own_errors_leave(data, server, greeted):
    """Bytes of any kind end in one of our errors or in waiting for more."""
    login = ServerLogin() if server else ClientLogin(user="x")
    try:
        login.feed((HEADER if greeted else b"") + data)
    except Amqp10Error:
        return
    assert len(login.rest()) <= len(data) + len(HEADER)


def test_a_frame_of_any_size_is_not_waited_for():
    """A login frame that announces gigabytes is refused at once."""
    with pytest.raises(ProtocolError):
        ServerLogin().feed(HEADER + b"\xff\xff\xff\xff\x02\x01\x00\x00")
    login = ClientLogin(user="x")
    for byte in HEADER + _RABBITMQ_OFFER:
        login.feed(bytes((byte,)))
    assert login.feed(b"") == b""
