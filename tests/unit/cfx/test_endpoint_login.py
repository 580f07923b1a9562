"""Logging in where endpoints meet without a broker."""

from __future__ import annotations

import pytest

from pywats_cfx.amqp10.errors import LoginRefused, NotAmqp10
from pywats_cfx.amqp10.sasl import HEADER, PLAIN_HEADER, ClientLogin, ServerLogin

#: The frame by which a listener offers EXTERNAL and nothing else.
_ONLY_EXTERNAL = bytes.fromhex("00000018 02010000 00 53 40 c0 0b 01 a3 08".replace(" ", "")) + b"EXTERNAL"


def test_a_user_logs_in_by_external_where_passwords_are_not_taken():
    """As the SDK does over TLS; the password stays with us."""
    login = ClientLogin(user="line", password="hush", or_external=True)
    sent = login.begin() + login.feed(HEADER + _ONLY_EXTERNAL)
    assert b"EXTERNAL" in sent
    assert b"hush" not in sent


def test_without_tls_there_is_no_other_way_than_the_password():
    """EXTERNAL says nothing where no certificate is checked."""
    with pytest.raises(LoginRefused):
        ClientLogin(user="line", password="hush").feed(HEADER + _ONLY_EXTERNAL)


def test_peers_may_come_without_any_login_where_no_user_is_set():
    """Byte by byte, too; what follows their greeting is AMQP itself."""
    login = ServerLogin()
    for byte in PLAIN_HEADER:
        assert login.feed(bytes((byte,))) == b""
    assert login.done
    assert login.rest() == PLAIN_HEADER


def test_where_a_user_is_set_who_skips_the_login_is_told_that_there_is_one():
    """By the greeting of the login, as the standard says."""
    login = ServerLogin(lambda *_: True)
    with pytest.raises(LoginRefused):
        login.feed(PLAIN_HEADER)
    assert login.refusal == HEADER


def test_the_other_amqp_is_neither():
    """A client of AMQP 0-9-1 hears what is spoken here."""
    login = ServerLogin()
    with pytest.raises(NotAmqp10):
        login.feed(b"AMQP\x00\x00\x09\x01")
    assert login.refusal == HEADER
