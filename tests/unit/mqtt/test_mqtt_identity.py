"""By what a message over MQTT is known when it comes again, and when it is another one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pywats_events.journal import MessageHead
from pywats_events.transports.mqtt.identity import Recognition

NOON = datetime(2026, 3, 17, 12, 0, tzinfo=UTC)
WEEK = 7 * 86_400


def identify(recognition: Recognition, seconds: float, body: bytes = b"{}", **how: Any) -> str:
    return recognition.identify("line/1", body, at=NOON + timedelta(seconds=seconds), **how)


def known(window: float = 10, reach: int = 100) -> Recognition:
    return Recognition(window=window, reach=reach)


def record(identity: str, seconds: float, packet_id: int | None) -> MessageHead:
    properties = {"identity": identity, "packet_id": packet_id}
    return MessageHead("line/1", properties, NOON + timedelta(seconds=seconds))


@pytest.mark.parametrize("offset", [0, 4.9, 9.999])
def test_equal_messages_within_the_window_are_one(offset: float):
    """A machine that publishes again is not doubled, wherever the stretches of time begin and end."""
    recognition = known()
    first = identify(recognition, offset)
    assert identify(recognition, offset + 0.001) == first
    assert identify(recognition, offset + 10) == first


def test_equal_message_beyond_the_window_is_another():
    """A retest with equal values is not lost, nor is a state that is told again and again."""
    recognition = known()
    identities = [identify(recognition, seconds) for seconds in range(0, 60, 5)]
    assert len(set(identities)) == 4
    assert identities[:3] == [identities[0]] * 3


def test_topic_and_content_tell_messages_apart():
    """The same content elsewhere, or other content here, is another message."""
    recognition = known()
    assert identify(recognition, 0) != identify(recognition, 0, b"{ }")
    assert identify(recognition, 0) != recognition.identify("line/2", b"{}", at=NOON)
    assert recognition.identify("a", b"b\0c", at=NOON) != recognition.identify("a\0b", b"c", at=NOON)


def test_without_a_window_only_repetitions_are_known():
    """With the window off two equal messages are two, however close they are."""
    recognition = known(window=0)
    first = identify(recognition, 0, packet_id=1)
    assert identify(recognition, 0.000_001, packet_id=2) != first
    assert identify(recognition, 5, packet_id=1, dup=True) == first


def test_repetition_is_known_however_late():
    """What the broker marks as sent before is the message that had the packet identifier."""
    recognition = known()
    first = identify(recognition, 0, packet_id=7)
    assert identify(recognition, WEEK, packet_id=7, dup=True) == first


def test_repetition_is_known_after_a_crash():
    """What an earlier run took in is read from the journal's records."""
    before = known()
    first = identify(before, 0, packet_id=7)
    recognition = known()
    recognition.recall([record(first, 0, 7)])
    assert identify(recognition, WEEK, packet_id=7, dup=True) == first
    recognition = known()
    recognition.recall([record(first, 0, None)])
    assert identify(recognition, 9) == first


def test_repetition_of_a_message_that_was_never_journalled_is_a_new_one():
    """The journal knows an older message of equal content; the one that comes again is not that one."""
    recognition = known()
    old = identify(recognition, 0, packet_id=7)
    assert identify(recognition, 3600, packet_id=8, dup=True) != old
    recognition = known()
    recognition.recall([record(old, 0, 7), record(identify(known(), 60, b"other"), 60, 7)])
    identify(recognition, 61, b"another", packet_id=7)
    assert identify(recognition, 3600, packet_id=7, dup=True) != old


def test_new_session_counts_anew():
    """Where the broker has lost the session a packet identifier says nothing about the past."""
    recognition = known()
    first = identify(recognition, 0, packet_id=7)
    recognition.begin_session()
    assert identify(recognition, 3600, packet_id=7, dup=True) != first


def test_two_bridges_give_one_identity():
    """Bridges that share a subscription know a message as the same within a stretch of time."""
    assert identify(known(), 1, packet_id=7) == identify(known(), 8, packet_id=3)


def test_retained_state_is_the_same_whenever_it_comes():
    """A retained message is a state, and is read once for its content."""
    assert identify(known(), 0, retained=True) == identify(known(), WEEK, retained=True)
    assert identify(known(), 0, retained=True) != identify(known(), 0)


def test_retained_state_that_comes_back_is_new():
    """After another state, told or kept, the first one is new; what was told live is not told again."""
    before = known()
    states = [
        identify(before, 0, b"runs", retained=True),
        identify(before, 60, b"stands", retained=True),
        identify(before, 120, b"runs", retained=True),
        identify(before, 180, b"stands"),
    ]
    assert len(set(states)) == 4
    assert identify(before, 240, b"stands", retained=True) == states[3]
    after_a_crash = known()
    after_a_crash.recall([record(identity, 60 * number, None) for number, identity in enumerate(states)])
    assert identify(after_a_crash, WEEK, b"stands", retained=True) == states[3]
    assert identify(after_a_crash, WEEK + 1, b"runs", retained=True) not in states


def test_given_identity_decides_alone():
    """What the sender says counts, on its topic."""
    recognition = known()
    first = identify(recognition, 0, given="m-1")
    assert identify(recognition, WEEK, b"mended", given="m-1") == first
    assert identify(recognition, 0, given="m-2") != first
    assert recognition.identify("line/2", b"{}", at=NOON, given="m-1") != first


def test_memory_is_bounded():
    """Only what a repetition can reach, and what the window holds, is remembered."""
    recognition = known(reach=10)
    for number in range(1000):
        identify(recognition, number, b"%d" % number, packet_id=number + 1)
    assert len(recognition._by_packet) == 10
    assert len(recognition._by_digest) <= 12


@pytest.mark.parametrize("properties", [{}, {"identity": 7}, {"identity": "abc"}, {"identity": "abc.given"}])
def test_records_of_others_teach_nothing(properties: dict[str, Any]):
    """Records without an identity of ours are passed over."""
    recognition = known()
    recognition.recall([MessageHead("line/1", properties, NOON)])
    assert not recognition._by_digest
