"""Why another endpoint did not answer."""

from __future__ import annotations


class RequestError(Exception):
    """A request to another endpoint came to nothing; the text is one line for people.

    Attributes:
        where: the endpoint that was asked, and where; without a password.
        reason: why there is no answer.
    """

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class NotReachable(RequestError):  # noqa: N818  # says what the endpoint is
    """No connection, or it ended before the answer; whether the other side took the request is not known."""


class RequestRefused(RequestError):  # noqa: N818  # says what happened
    """The other side took neither us nor the request, or answered with something that is no answer."""


class RequestTimeout(RequestError):  # noqa: N818  # says what happened
    """The other side was reached and did not answer in time."""
