"""By what a message is known when it comes again.

MQTT has no identity of a message, so it gets one: a digest of topic and content, and the stretch of time
(``duplicate_window`` long) in which it was first seen. A second message with the same digest within the
window gets the identity of the first; a later one gets another, for it is a retest with equal values. A
repetition that the broker marks (DUP) may come much later, after an outage for instance: it gets the identity
of the last message that had its packet identifier, if the digest is the same, for the broker repeats a
message under the identifier that it had. What a crash takes from memory is read from the journal, which keeps
identity and packet identifier with each message.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

from pywats_events.journal.records import MessageHead

#: Properties of a message that a later run of the program reads again.
IDENTITY: Final = "identity"
PACKET_ID: Final = "packet_id"
CLIENT_ID: Final = "client_id"

#: In place of the stretch of time, for a state that was there before anything else was heard of its topic.
_RETAINED: Final = "retained"
_DIGEST_BYTES: Final = 16
#: Most messages that are remembered for the window: a bound of memory, some 20 MB.
_MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Seen:
    digest: str
    identity: str
    at: float


class Recognition:
    """Gives messages their identities.

    Args:
        window: seconds in which a message with the same topic and content is the same message.
        reach: how many messages back a repetition may reach: more than the broker sends unacknowledged.
    """

    def __init__(self, *, window: float, reach: int) -> None:
        self._window = window
        self._reach = reach
        self._by_packet: OrderedDict[int, _Seen] = OrderedDict()
        self._by_digest: OrderedDict[str, _Seen] = OrderedDict()
        self._last: OrderedDict[str, _Seen] = OrderedDict()  # by topic

    def identify(
        self,
        topic: str,
        body: bytes,
        *,
        at: datetime,
        packet_id: int = 0,
        dup: bool = False,
        retained: bool = False,
        given: str | None = None,
    ) -> str:
        """Give a message its identity, and remember it.

        Args:
            topic: where it was published.
            body: what was published.
            at: when it came.
            packet_id: by which it is acknowledged; 0 where it is not.
            dup: the broker says that it may have sent it before.
            retained: the broker kept it. It is a state, so it is the same however often it is sent, until
                the topic has said something else.
            given: what its sender says it is known by.
        """
        if given is not None:
            return f"{_digest(topic, given.encode(errors='surrogatepass'))}.given"
        digest = _digest(topic, body)
        now = at.timestamp()
        if retained:
            return self._retained(topic, digest, now)
        seen = self._repeated(digest, packet_id if dup else 0) or self._recent(digest, now)
        if seen is None:
            seen = _Seen(digest, f"{digest}.{self._stretch(now)}", now)
        self._remember(seen, packet_id)
        self._note_last(topic, seen)
        return seen.identity

    def _retained(self, topic: str, digest: str, now: float) -> str:
        """Give a kept state's identity: that of the topic's last message where it says the same.

        A state that comes back after another one is new, though its content was seen before.
        """
        last = self._last.get(topic)
        if last is None:
            last = _Seen(digest, f"{digest}.{_RETAINED}", now)
        elif last.digest != digest:
            last = _Seen(digest, f"{digest}.{self._stretch(now)}", now)
        self._note_last(topic, last)
        return last.identity

    def _note_last(self, topic: str, seen: _Seen) -> None:
        self._last[topic] = seen
        self._last.move_to_end(topic)
        if len(self._last) > _MOST:
            self._last.popitem(last=False)

    def begin_session(self) -> None:
        """Forget packet identifiers: the broker has lost our session and counts anew."""
        self._by_packet.clear()

    def recall(self, heads: Iterable[MessageHead]) -> None:
        """Remember messages that an earlier run of the program took in, the oldest first."""
        for record in heads:
            identity: Any = record.properties.get(IDENTITY)
            packet_id: Any = record.properties.get(PACKET_ID)
            digest, _, stretch = identity.partition(".") if isinstance(identity, str) else ("", "", "")
            if not stretch.isdecimal() and stretch != _RETAINED:
                continue
            seen = _Seen(digest, f"{digest}.{stretch}", record.received_at.timestamp())
            self._note_last(record.address, seen)
            if stretch.isdecimal():
                self._remember(seen, packet_id if isinstance(packet_id, int) else 0)

    def _repeated(self, digest: str, packet_id: int) -> _Seen | None:
        seen = self._by_packet.get(packet_id)
        return seen if seen is not None and seen.digest == digest else None

    def _recent(self, digest: str, now: float) -> _Seen | None:
        seen = self._by_digest.get(digest)
        return seen if seen is not None and self._window and abs(now - seen.at) <= self._window else None

    def _stretch(self, now: float) -> int:
        return int(now // self._window) if self._window else int(now * 1_000_000)

    def _remember(self, seen: _Seen, packet_id: int) -> None:
        if packet_id:
            self._by_packet.pop(packet_id, None)
            self._by_packet[packet_id] = seen
            if len(self._by_packet) > self._reach:
                self._by_packet.popitem(last=False)
        known = self._by_digest.get(seen.digest)
        if known is None or known.at < seen.at:
            self._by_digest.pop(seen.digest, None)
            self._by_digest[seen.digest] = seen
        while self._by_digest:
            oldest = next(iter(self._by_digest.values()))
            if len(self._by_digest) <= _MOST and seen.at - oldest.at <= self._window:
                break
            self._by_digest.popitem(last=False)


def _digest(topic: str, body: bytes) -> str:
    name = topic.encode(errors="surrogatepass")
    digest = blake2b(b"%d " % len(name), digest_size=_DIGEST_BYTES)
    digest.update(name)
    digest.update(body)
    return digest.hexdigest()
