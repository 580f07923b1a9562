"""The login: SASL as AMQP 1.0 frames it, both sides, without any input or output.

Three mechanisms are spoken: ANONYMOUS, PLAIN and EXTERNAL (the TLS certificate says who we are). The engine's
own implementation is left aside because it differs by how it was compiled, and has no PLAIN for listeners.
"""

from __future__ import annotations

import hmac
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from pywats_cfx.amqp.encoding import Described, MalformedError, Reader
from pywats_cfx.amqp10.errors import LoginRefused, NotAmqp10, ProtocolError

#: What each side sends first.
HEADER: Final = b"AMQP\x03\x01\x00\x00"
#: What each side sends first where there is no login, or when it is over.
PLAIN_HEADER: Final = b"AMQP\x00\x01\x00\x00"

_MECHANISMS: Final = 0x40
_INIT: Final = 0x41
_OUTCOME: Final = 0x44
_CODES: Final = {
    "amqp:sasl-mechanisms:list": 0x40,
    "amqp:sasl-init:list": 0x41,
    "amqp:sasl-outcome:list": 0x44,
}

_OK: Final = 0
_AUTH_FAILED: Final = 1

_FRAME_HEAD: Final = 8
#: A login needs no larger frames; the standard allows senders 512 bytes and no more.
_LARGEST_FRAME: Final = 4096


class Login(ABC):
    """One side of a login. Bytes in, bytes out; ``done`` when the AMQP connection itself may begin.

    Attributes:
        done: the login succeeded.
    """

    def __init__(self) -> None:
        self.done = False
        self._buffer = b""
        self._greeted = False

    @abstractmethod
    def begin(self) -> bytes:
        """Give the bytes to send first."""

    @abstractmethod
    def _answer(self, code: int, fields: list[object]) -> bytes:
        """Deal with a frame of the other side, and give the bytes to send."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the other side in, and give the bytes to send.

        Raises:
            NotAmqp10: the other side does not begin a login of AMQP 1.0.
            LoginRefused: it is refused.
            ProtocolError: it broke the protocol.
        """
        self._buffer += data
        answer = b""
        if not self._greeted:
            answer += self._greet()
        while self._greeted and not self.done and (frame := self._next_frame()) is not None:
            answer += self._answer(*frame)
        return answer

    def rest(self) -> bytes:
        """Give the bytes that followed the login."""
        rest, self._buffer = self._buffer, b""
        return rest

    def _greet(self) -> bytes:
        start = self._buffer[: len(HEADER)]
        if start != HEADER[: len(start)]:
            raise NotAmqp10(start)
        if len(start) == len(HEADER):
            self._buffer = self._buffer[len(HEADER) :]
            self._greeted = True
            return self._greeting()
        return b""

    def _greeting(self) -> bytes:
        return b""

    def _next_frame(self) -> tuple[int, list[object]] | None:
        if len(self._buffer) < _FRAME_HEAD:
            return None
        size = int.from_bytes(self._buffer[:4], "big")
        offset, kind = self._buffer[4] * 4, self._buffer[5]
        if kind != 1 or not _FRAME_HEAD <= offset <= size <= _LARGEST_FRAME:
            raise ProtocolError("amqp:connection:framing-error", "a frame of the login is malformed")
        if len(self._buffer) < size:
            return None
        content, self._buffer = self._buffer[offset:size], self._buffer[size:]
        try:
            value = Reader(content).read()
        except MalformedError as error:
            raise ProtocolError("amqp:decode-error", f"a frame of the login is malformed: {error}") from error
        if not isinstance(value, Described) or not isinstance(value.value, list):
            raise ProtocolError("amqp:decode-error", "a frame of the login holds no list")
        code = _CODES.get(value.descriptor, -1) if isinstance(value.descriptor, str) else value.descriptor
        return code, value.value


class ClientLogin(Login):
    """Logs in to another side.

    Args:
        user: None for ANONYMOUS or EXTERNAL.
        password: for PLAIN.
        external: say who we are by the TLS certificate.
        or_external: log in by EXTERNAL with the user's name where PLAIN is not offered.
        hostname: the host as we know it, for servers of many.
    """

    def __init__(
        self,
        *,
        user: str | None = None,
        password: str = "",
        external: bool = False,
        or_external: bool = False,
        hostname: str | None = None,
    ) -> None:
        super().__init__()
        self._otherwise = (user or "").encode() if or_external and user is not None else None
        self._hostname = hostname
        self._tried: str | None = None
        self._offered: tuple[str, ...] = ()
        if external:
            self._mechanism, self._response = "EXTERNAL", (user or "").encode()
        elif user is not None:
            self._mechanism, self._response = "PLAIN", b"\0" + user.encode() + b"\0" + password.encode()
        else:
            self._mechanism, self._response = "ANONYMOUS", b"anonymous"

    def begin(self) -> bytes:
        """Give our greeting."""
        return HEADER

    def _answer(self, code: int, fields: list[object]) -> bytes:
        if code == _MECHANISMS and self._tried is None:
            offered = fields[0] if fields else []
            self._offered = tuple(str(each) for each in (offered if isinstance(offered, list) else [offered]))
            if self._mechanism not in self._offered and self._otherwise is not None:
                self._mechanism, self._response = "EXTERNAL", self._otherwise
            if self._mechanism not in self._offered:
                raise LoginRefused(None, self._offered)
            self._tried = self._mechanism
            hostname = b"\x40" if self._hostname is None else _text(self._hostname)
            return _frame(_INIT, _symbol(self._mechanism), _binary(self._response), hostname)
        if code == _OUTCOME and self._tried is not None:
            if not fields or fields[0] != _OK:
                raise LoginRefused(self._tried, self._offered)
            self.done = True
            return b""
        # CHALLENGE, or frames in a wrong order: none of the three mechanisms has any
        raise ProtocolError("amqp:not-allowed", f"frame 0x{code:02x} is out of place in a login")


class ServerLogin(Login):
    """Lets others log in.

    Args:
        check: tells whether user and password are right. None: everybody may come in, as ANONYMOUS, with
            any name, or without any login at all. Given: PLAIN only, and EXTERNAL where a certificate was
            shown.
        certified: the other side showed a certificate that TLS has checked.

    Attributes:
        user: who logged in; None when anonymous.
        refusal: the last frame to send before the connection is closed, after ``LoginRefused``.
    """

    def __init__(self, check: Callable[[str, str], bool] | None = None, *, certified: bool = False) -> None:
        super().__init__()
        self._check = check
        self.user: str | None = None
        self.refusal = HEADER  # how the standard says that a login must come first
        self._offered: tuple[str, ...] = ("ANONYMOUS", "PLAIN") if check is None else ("PLAIN",)
        if certified:
            self._offered += ("EXTERNAL",)

    def begin(self) -> bytes:
        """Wait for the other side's greeting."""
        return b""

    def _greet(self) -> bytes:
        start = self._buffer[: len(PLAIN_HEADER)]
        if start != PLAIN_HEADER[: len(start)] or start == HEADER[: len(start)]:
            return super()._greet()
        if start == PLAIN_HEADER:
            if self._check is not None:
                raise LoginRefused(None, self._offered)
            self.done = True  # its greeting stays in the buffer: AMQP itself begins with it
        return b""

    def _greeting(self) -> bytes:
        self.refusal = _frame(_OUTCOME, bytes((0x50, _AUTH_FAILED)))
        return HEADER + _frame(_MECHANISMS, _symbols(self._offered))

    def _answer(self, code: int, fields: list[object]) -> bytes:
        if code != _INIT or not fields:
            raise ProtocolError("amqp:not-allowed", f"frame 0x{code:02x} is out of place in a login")
        mechanism = str(fields[0])
        response = fields[1] if len(fields) > 1 and isinstance(fields[1], bytes) else b""
        if mechanism not in self._offered or not self._admits(mechanism, response):
            raise LoginRefused(mechanism, self._offered)
        self.done = True
        return _frame(_OUTCOME, bytes((0x50, _OK)))

    def _admits(self, mechanism: str, response: bytes) -> bool:
        if mechanism == "ANONYMOUS":
            return True
        if mechanism == "EXTERNAL":
            self.user = response.decode("utf-8", "replace") or None
            return True
        parts = response.split(b"\0")
        try:
            _, user, password = (part.decode() for part in parts)
        except ValueError:  # UnicodeDecodeError is one
            return False
        self.user = user
        return self._check is None or self._check(user, password)


def same_secret(given: str, right: str) -> bool:
    """Compare secrets in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode(), right.encode())


def _frame(code: int, *fields: bytes) -> bytes:
    content = b"".join(fields)
    body = b"\x00\x53" + bytes((code,)) + b"\xd0"
    body += (len(content) + 4).to_bytes(4, "big") + len(fields).to_bytes(4, "big") + content
    return (len(body) + _FRAME_HEAD).to_bytes(4, "big") + b"\x02\x01\x00\x00" + body


def _symbol(text: str) -> bytes:
    return b"\xb3" + _sized(text)


def _text(text: str) -> bytes:
    return b"\xb1" + _sized(text)


def _sized(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(4, "big") + encoded


def _binary(data: bytes) -> bytes:
    return b"\xb0" + len(data).to_bytes(4, "big") + data


def _symbols(texts: tuple[str, ...]) -> bytes:
    items = b"".join(_sized(text) for text in texts)
    return b"\xf0" + (len(items) + 5).to_bytes(4, "big") + len(texts).to_bytes(4, "big") + b"\xb3" + items
