"""Where the documents of the WATS client import errors from."""

from pywats_api import (
    AuthenticationError,
    AuthorizationError,
    ConflictError,
    ConnectionError,  # noqa: A004  # the catalogue's name
    EmptyResponseError,
    ErrorMode,
    InvalidResponseError,
    NotFoundError,
    PayloadTooLargeError,
    PyWATSError,
    ServerError,
    ServiceUnavailableError,
    ThrottledError,
    TimeoutError,  # noqa: A004  # the catalogue's name
    ValidationError,
    WatsApiError,
)

__all__ = [
    "AuthenticationError",
    "AuthorizationError",
    "ConflictError",
    "ConnectionError",
    "EmptyResponseError",
    "ErrorMode",
    "InvalidResponseError",
    "NotFoundError",
    "PayloadTooLargeError",
    "PyWATSError",
    "ServerError",
    "ServiceUnavailableError",
    "ThrottledError",
    "TimeoutError",
    "ValidationError",
    "WatsApiError",
]
