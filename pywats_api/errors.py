"""What can go wrong between this client and WATS, sorted by what the caller should do about it."""

import builtins
from enum import StrEnum
from typing import Any, ClassVar


class ErrorMode(StrEnum):
    """What a missing thing does: raise (`STRICT`) or come back as None (`LENIENT`)."""

    STRICT = "strict"
    LENIENT = "lenient"


class PyWATSError(Exception):
    """Anything this client raises on purpose.

    Attributes:
        message: what happened, for people.
        operation: the client's method, such as ``report.submit``.
        method: HTTP verb of the request.
        path: path of the request, without the server's address.
        status_code: the server's answer, None where it gave none.
        server_text: what the server said, shortened.
        hint: what to do about it.
        retry_after: seconds the server asked to wait, None where it did not.
        transient: the same call may succeed later though nobody changed it.
        unavailable: the cause is the server or the access to it, so every other call fails as well for now.
    """

    code: ClassVar[str] = "WATS_ERROR"
    hint: ClassVar[str] = "Look at the server's text."
    transient: ClassVar[bool] = False
    unavailable: ClassVar[bool] = False

    def __init__(
        self,
        reason: str,
        *,
        operation: str = "",
        method: str = "",
        path: str = "",
        status_code: int | None = None,
        server_text: str = "",
        retry_after: float | None = None,
    ) -> None:
        self.operation = operation
        self.method = method
        self.path = path
        self.status_code = status_code
        self.server_text = server_text
        self.retry_after = retry_after
        request = f"{method} {path}".strip()
        where = f"{operation} ({request})" if operation and request else operation or request
        self.message = f"{where}: {reason}" if where else reason
        super().__init__(self.message)

    def __str__(self) -> str:
        wait = "" if self.retry_after is None else f" Retry after {self.retry_after:g} s."
        return f"{self.message.rstrip('.')}. {self.hint}{wait}"

    @property
    def details(self) -> dict[str, Any]:
        """The facts of the error as one dictionary, fit for a log."""
        facts = {
            "code": self.code,
            "operation": self.operation,
            "method": self.method,
            "path": self.path,
            "status_code": self.status_code,
            "server_text": self.server_text,
            "retry_after": self.retry_after,
        }
        return {name: value for name, value in facts.items() if value not in {None, ""}}


class WatsApiError(PyWATSError):
    """The server answered, and the answer is not success."""

    code = "API_ERROR"


class ValidationError(WatsApiError):
    """400: the server refuses what was sent. Sending it again unchanged is useless."""

    code = "VALIDATION_ERROR"
    hint = "Correct what the server names, then send again."


class AuthenticationError(WatsApiError):
    """401: the token is missing, wrong, expired or deleted."""

    code = "UNAUTHORIZED"
    hint = (
        "Put a valid token of the WATS Control Panel into the configuration; user and password do not work."
    )
    unavailable = True


class AuthorizationError(WatsApiError):
    """403: the token is valid, but may not do this."""

    code = "FORBIDDEN"
    hint = "Give the token's role, level or product group the permission, or use another token."


class NotFoundError(WatsApiError):
    """404: no such thing, or no such route on this server."""

    code = "NOT_FOUND"
    hint = "Check the identifier; if it is right, the server's version or modules may lack this route."


class EmptyResponseError(NotFoundError):
    """200 without content where one thing was asked for: some routes say "not found" that way."""

    code = "EMPTY_RESPONSE"
    hint = "Check the identifier; what was sent just now may still be queued on the server."


class ConflictError(WatsApiError):
    """409: the thing exists already, or was changed meanwhile."""

    code = "CONFLICT"
    hint = "Look at the stored state; if it is the wanted one, nothing is left to do."


class PayloadTooLargeError(WatsApiError):
    """413: the body is larger than the server takes."""

    code = "PAYLOAD_TOO_LARGE"
    hint = "Drop or shrink attachments."


class ThrottledError(WatsApiError):
    """429: too many requests."""

    code = "THROTTLED"
    hint = "Send more slowly, or lower requests_per_minute."
    transient = True
    unavailable = True


class ServerError(WatsApiError):
    """5xx: the server failed. Some bad input shows this way as well, so do not repeat without end."""

    code = "SERVER_ERROR"
    hint = "Try again later; if it stays, show the server's text to its administrator."
    transient = True


class ServiceUnavailableError(ServerError):
    """502, 503, 504: the server, or a proxy before it, is not able to answer now."""

    code = "SERVICE_UNAVAILABLE"
    hint = "Wait until the server is back."
    unavailable = True


class InvalidResponseError(WatsApiError):
    """Success, but not in JSON: a login or maintenance page, or something else than WATS answered."""

    code = "INVALID_RESPONSE"
    hint = "Check base_url, and whether a proxy or a maintenance page answers in place of WATS."
    transient = True
    unavailable = True


class ConnectionError(PyWATSError, builtins.ConnectionError):  # noqa: A001  # the catalogue's name
    """No connection, or it broke before the answer was complete."""

    code = "CONNECTION_ERROR"
    hint = "Check base_url, network, proxy and certificates."
    transient = True
    unavailable = True


class TimeoutError(PyWATSError, builtins.TimeoutError):  # noqa: A001  # the catalogue's name
    """The answer did not come in time. The server may have done the work nevertheless."""

    code = "TIMEOUT"
    hint = "Try again later, ask for less, or raise timeout."
    transient = True


_BY_STATUS: dict[int, type[WatsApiError]] = {
    400: ValidationError,
    401: AuthenticationError,
    403: AuthorizationError,
    404: NotFoundError,
    409: ConflictError,
    413: PayloadTooLargeError,
    422: ValidationError,
    429: ThrottledError,
    502: ServiceUnavailableError,
    503: ServiceUnavailableError,
    504: ServiceUnavailableError,
}
_FIRST_SERVER_ERROR = 500


def error_class(status_code: int) -> type[WatsApiError]:
    """The class that stands for a status of failure."""
    return _BY_STATUS.get(status_code, ServerError if status_code >= _FIRST_SERVER_ERROR else WatsApiError)
