"""Outcomes of calls that go on where one of many fails: the value, or what went wrong."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pywats_api.errors import PyWATSError

_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Success(Generic[_V]):
    """It was done."""

    value: _V
    is_success = True
    is_failure = False


@dataclass(frozen=True, slots=True)
class Failure:
    """It was not done; `error` could have been raised as it is."""

    error: PyWATSError
    is_success = False
    is_failure = True

    @property
    def error_code(self) -> str:
        """Kind of error, a word of the error catalogue."""
        return self.error.code

    @property
    def message(self) -> str:
        """What happened, for people."""
        return self.error.message

    @property
    def details(self) -> dict[str, Any]:
        """The facts of the error, fit for a log."""
        return self.error.details

    @property
    def suggestions(self) -> list[str]:
        """What to do about it."""
        return [self.error.hint]


Result = Success[_V] | Failure
