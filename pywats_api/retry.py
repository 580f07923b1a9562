"""When a failed call is tried again, and after how long."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
import tenacity

from pywats_api.errors import PyWATSError

_log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryConfig:
    """How a call that may be repeated is repeated.

    The wait before attempt n+1 is drawn evenly from 0 to `base_delay` * 2**(n-1), never above `max_delay`
    (without `jitter` it is the upper end). A ``Retry-After`` of the server wins over that; one that asks for
    more than `max_retry_after` ends the attempts, and the error carries it to the caller.

    Attributes:
        max_attempts: tries in all; 1 means never again.
        base_delay: seconds.
        max_delay: seconds.
        jitter: draw the wait, so that many clients do not come back at the same moment.
        max_retry_after: seconds.
    """

    max_attempts: int = 3
    base_delay: float = 1.0
    max_delay: float = 30.0
    jitter: bool = True
    max_retry_after: float = 60.0

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ValueError(
                f"max_attempts counts the first try too, so it is 1 or more, not {self.max_attempts}"
            )


async def call_with_retries(
    call: Callable[[], Awaitable[_Result]],
    config: RetryConfig,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> _Result:
    """Await `call()` until it succeeds, fails for good, or the attempts are used up."""
    attempts = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(config.max_attempts),
        wait=_wait_strategy(config),
        retry=tenacity.retry_if_exception(lambda error: _worth_retrying(error, config)),
        before_sleep=_log_retry,
        sleep=sleep,
        reraise=True,
    )
    return await attempts(call)


def _worth_retrying(error: BaseException, config: RetryConfig) -> bool:
    return (
        isinstance(error, PyWATSError)
        and error.transient
        and (error.retry_after or 0.0) <= config.max_retry_after
    )


def _wait_strategy(config: RetryConfig) -> Callable[[tenacity.RetryCallState], float]:
    backoff = (
        tenacity.wait_random_exponential(multiplier=config.base_delay, max=config.max_delay)
        if config.jitter
        else tenacity.wait_exponential(multiplier=config.base_delay, max=config.max_delay)
    )

    def wait(state: tenacity.RetryCallState) -> float:
        error = _error_of(state)
        return backoff(state) if error is None or error.retry_after is None else error.retry_after

    return wait


def _error_of(state: tenacity.RetryCallState) -> PyWATSError | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error if isinstance(error, PyWATSError) else None


def _log_retry(state: tenacity.RetryCallState) -> None:
    error = _error_of(state)
    _log.info(
        "call to WATS is tried again",
        attempt=state.attempt_number,
        wait_seconds=round(state.next_action.sleep, 3) if state.next_action else None,
        **(error.details if error else {}),
    )
