"""When a failed delivery is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final, Self

from pywats_events.errors import PermanentError, TransientError

#: Longest wait in seconds that a destination can ask for; after a day it is asked again.
LONGEST_WAIT: Final = 86_400.0


@dataclass(slots=True)
class RetryPolicy:
    """How often and after which delays a failing delivery is tried again.

    Args:
        max_retries: tries after the first one; then the delivery is dead.
        initial_delay: seconds before the first retry.
        max_delay: longest delay in seconds. A wait that the destination asked for may be longer.
        exponential_base: factor from one delay to the next.
        jitter: take a random part, between half and all, of each delay, so that many do not retry at once.
    """

    max_retries: int = 3
    initial_delay: float = 1.0
    max_delay: float = 60.0
    exponential_base: float = 2.0
    jitter: bool = True
    _retried: tuple[type[BaseException], ...] = field(default=(), repr=False)
    _not_retried: tuple[type[BaseException], ...] = field(default=(PermanentError,), repr=False)

    def __post_init__(self) -> None:
        if self.max_retries < 0 or self.initial_delay < 0 or self.max_delay < 0 or self.exponential_base < 1:
            raise ValueError(
                "RetryPolicy: retries and delays must not be negative, exponential_base at least 1"
            )

    def retry_on(self, *errors: type[BaseException]) -> Self:
        """Retry these errors (and ``TransientError``) and, once called, no others."""
        self._retried = (*self._retried, *errors)
        return self

    def no_retry_on(self, *errors: type[BaseException]) -> Self:
        """Never retry these errors; this wins over ``retry_on``."""
        self._not_retried = (*self._not_retried, *errors)
        return self

    def allows(self, error: BaseException, *, attempt: int) -> bool:
        """Tell whether there is another try after the given one failed.

        Args:
            error: what the try raised.
            attempt: number of the try that failed, from 1.
        """
        if attempt > self.max_retries or isinstance(error, self._not_retried):
            return False
        return not self._retried or isinstance(error, (TransientError, *self._retried))

    def delay(self, attempt: int, *, retry_after: float | None = None) -> float:
        """Give the seconds to wait after the given try failed.

        Args:
            attempt: number of the try that failed, from 1.
            retry_after: seconds that the destination asked for; wins, up to a day.
        """
        if retry_after is not None:
            return min(LONGEST_WAIT, max(0.0, retry_after))
        try:
            full = min(self.max_delay, self.initial_delay * float(self.exponential_base) ** (attempt - 1))
        except OverflowError:
            full = self.max_delay
        return full * random.uniform(0.5, 1.0) if self.jitter else full  # noqa: S311  # spreads load, hides nothing
