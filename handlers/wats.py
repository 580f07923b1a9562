"""What a failure of WATS means to the dispatcher: the one place that knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic import ValidationError

from pywats_api.errors import (
    AuthenticationError,
    AuthorizationError,
    PyWATSError,
    WatsApiError,
)
from pywats_events.errors import DestinationUnavailable, PermanentError, TransientError

DESTINATION: Final = "WATS"

_PASSING_STATUSES: Final = frozenset({408, 425})
_LINES: Final = 3


@contextmanager
def wats_failures() -> Iterator[None]:
    """Translate the failures of WATS calls that are made inside.

    | failure | becomes |
    |---|---|
    | 400, 404, 409, 413, 422 and other refusals of what was sent | PermanentError with the server's text |
    | 401 | DestinationUnavailable that needs somebody's attention |
    | 403 | the same for this handler only: a permission, or a module of the account, is missing |
    | no connection, time-out, 502, 503, 504, not an answer of WATS | DestinationUnavailable |
    | 429 | DestinationUnavailable with the server's Retry-After |
    | 500 | TransientError |
    """
    try:
        yield
    except PyWATSError as error:
        raise _meaning(error) from error


def _meaning(error: PyWATSError) -> Exception:
    reason = told(error)
    if isinstance(error, AuthenticationError | AuthorizationError):
        return DestinationUnavailable(
            DESTINATION,
            reason,
            retry_after=error.retry_after,
            needs_attention=True,
            only_for_handler=isinstance(error, AuthorizationError),
        )
    if error.unavailable or isinstance(error, TimeoutError):
        return DestinationUnavailable(DESTINATION, reason, retry_after=error.retry_after)
    if error.transient or (isinstance(error, WatsApiError) and error.status_code in _PASSING_STATUSES):
        return TransientError(reason, retry_after=error.retry_after)
    return PermanentError(reason)


def told(error: PyWATSError) -> str:
    """Say what failed in the words of bridge.toml, which are not always those of the client's arguments."""
    return str(error).replace(error.hint, error.hint.replace("base_url", "wats.url"))


@contextmanager
def unfit_data(what: str) -> Iterator[None]:
    """Make data that doesn't fit its model a PermanentError that names the member."""
    try:
        yield
    except ValidationError as error:
        raise PermanentError(f"{what}: {describe(error)}") from error


def describe(error: ValidationError) -> str:
    """Say in a few words which members are wrong, and why."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    said = [f"{'.'.join(map(str, fault['loc'])) or 'whole'}: {fault['msg']}" for fault in faults[:_LINES]]
    more = len(faults) - _LINES
    return "; ".join(said) + (f"; and {more} more" if more > 0 else "")
