"""Why a connection, session or link of AMQP 1.0 ended."""

from __future__ import annotations

from typing import Literal

Scope = Literal["connection", "session", "link", "transfer"]


class Amqp10Error(Exception):
    """Something went wrong between us and the other side."""


class RemoteError(Amqp10Error):
    """The other side ended something, or refused a message, and said why.

    Attributes:
        scope: what it ended or refused.
        condition: its name for the reason, ``amqp:not-found`` for instance; empty when it gave none.
        description: what it said in words, if anything.
    """

    def __init__(self, scope: Scope, condition: str, description: str = "") -> None:
        said = f"{condition}: {description}" if description else condition or "no reason given"
        super().__init__(f"{scope} ended by the other side: {said}")
        self.scope = scope
        self.condition = condition
        self.description = description


class ProtocolError(Amqp10Error):
    """One of the two sides broke the protocol: a frame too large, no sign of life, a frame out of place.

    Attributes:
        condition: the standard's name for it, ``amqp:connection:framing-error`` for instance.
        description: what happened.
    """

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(f"{condition}: {description}")
        self.condition = condition
        self.description = description


class LoginRefused(Amqp10Error):  # noqa: N818  # says what happened
    """The other side refused our identity, or offers no way to log in that we have.

    Attributes:
        mechanism: SASL mechanism that was tried; None when none that it offers fits.
        offered: the mechanisms that it offers.
    """

    def __init__(self, mechanism: str | None, offered: tuple[str, ...]) -> None:
        what = f"refused by {mechanism}" if mechanism else "none of its mechanisms fits"
        super().__init__(f"login {what} (offered: {', '.join(offered) or 'none'})")
        self.mechanism = mechanism
        self.offered = offered


class NotAmqp10(Amqp10Error):  # noqa: N818  # says what happened
    """The other side answered with something else than AMQP 1.0.

    Attributes:
        answer: the first bytes that it sent, at most eight.
    """

    def __init__(self, answer: bytes) -> None:
        super().__init__(f"no AMQP 1.0, but {answer!r}")
        self.answer = answer

    @property
    def speaks_091(self) -> bool:
        """True when it speaks AMQP 0-9-1 only."""
        return self.answer.startswith(b"AMQP\x00\x00\x09")


class ConnectionLost(Amqp10Error):  # noqa: N818  # says what happened
    """The connection ended without a word."""
