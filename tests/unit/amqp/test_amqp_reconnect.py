"""How long to wait, how carefully to read on, and what to say when the broker is lost."""

from __future__ import annotations

import asyncio
import ssl
import struct

import pytest
from aiormq import exceptions as amqp

from pywats_cfx.amqp.backoff import Backoff
from pywats_cfx.amqp.caution import Caution
from pywats_cfx.amqp.troubles import BrokerGone
from pywats_cfx.amqp091.troubles import explain, is_unreadable, of_connection
from pywats_cfx.config import AMQPConfig


def test_backoff_doubles_up_to_its_limit():
    """Delays grow, stop growing, and begin anew after a reset."""
    backoff = Backoff(initial=1, maximum=5, chance=lambda: 1.0)
    assert [backoff.next() for _ in range(5)] == [1, 2, 4, 5, 5]
    backoff.reset()
    assert backoff.next() == 1


def test_backoff_is_spread_by_chance():
    """Half of each delay is left to chance, never more."""
    assert Backoff(initial=4, maximum=5, chance=lambda: 0.0).next() == 2


def test_caution_blames_the_head_of_the_queue_only():
    """Three connections in a row without a single message are a block; one message between them is none."""
    caution = Caution()
    caution.unreadable(received=150)
    assert caution.gentle
    for received in (0, 0, 1, 0, 0):
        caution.unreadable(received=received)
        assert not caution.blocked
    caution.unreadable(received=0)
    assert caution.blocked
    caution.alive()
    assert caution.gentle
    assert not caution.blocked
    caution.proved()
    assert not caution.gentle


def test_caution_holds_less_while_nothing_is_taken():
    """Messages that wait too long are held one at a time, and no head of a queue is blamed for it."""
    caution = Caution()
    for _ in range(5):
        caution.stuck()
    assert caution.gentle
    assert not caution.blocked


@pytest.mark.parametrize(
    ("error", "unreadable"),
    [
        (amqp.InvalidFrameError("utf-8"), True),
        (amqp.ConnectionInternalError("INTERNAL_ERROR"), True),
        (of_connection(OverflowError("year 50000 is out of range"), AMQPConfig()), True),
        (of_connection(struct.error("unpack"), AMQPConfig()), True),
        (of_connection(ConnectionResetError(), AMQPConfig()), False),
        (of_connection(asyncio.CancelledError(), AMQPConfig()), False),
        (of_connection(None, AMQPConfig()), False),
        (amqp.ConnectionClosed(320, "CONNECTION_FORCED"), False),
        (amqp.AMQPConnectionError("Server connection unexpectedly closed"), False),
        (BrokerGone(), False),
    ],
)
def test_what_counts_as_an_unreadable_message(error: Exception, unreadable: bool):  # a table
    """Frames that can't be written or read count; networks and brokers that go away do not."""
    assert is_unreadable(error) is unreadable
    assert ("one message at a time" in explain(error, AMQPConfig())) is unreadable


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (amqp.ChannelPreconditionFailed("PRECONDITION_FAILED - timed out"), "consumer_timeout"),
        (amqp.ChannelPreconditionFailed("PRECONDITION_FAILED - other"), "other"),
        (amqp.ChannelAccessRefused("ACCESS_REFUSED - access to queue"), "read permission"),
        (amqp.ChannelLockedResource("RESOURCE_LOCKED"), "another connection holds"),
        (amqp.AuthenticationError("EXTERNAL", ["PLAIN"]), "SASL PLAIN"),
        (ssl.SSLCertVerificationError(1, "self-signed"), "ca_file"),
        (FileNotFoundError(2, "No such file", "ca.pem"), "ca.pem"),
        (TimeoutError(), "check host, port and firewall"),
        (amqp.AMQPConnectionError("reset"), "lost: reset"),
    ],
)
def test_trouble_in_words(error: Exception, words: str):
    """Each trouble is told in one line that names the broker and what to do."""
    told = explain(error, AMQPConfig(password="hidden-word"))
    assert words in told
    assert "localhost:5672" in told
    assert "\n" not in told
    assert "hidden-word" not in told
