"""What a test can turn to make the local server slow, faulty or unreachable."""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from math import ceil
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr


class Rejection(BaseModel):
    """Answer the next `count` requests under `path` with `status`, without doing anything."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    count: int = Field(default=1, ge=0)
    status: int = Field(default=400, ge=400, le=599)
    text: str = "Rejected on request of the test."
    path: str = "/api/Report/WSJF"


class Knobs(BaseModel):
    """The state of all knobs. They act on ``/api`` only, so that ``/local`` can always turn them back.

    Attributes:
        latency: seconds every request waits before it is looked at.
        error_rate: share of requests, 0 to 1, that fail at random.
        error_status: what they are answered; 0 drops the connection without an answer.
        errors_after_work: fail them after the work is done, as when only the answer gets lost.
        outage: ``unavailable`` answers everything with 503, ``drop`` cuts every connection.
        outage_retry_after: seconds told in ``Retry-After`` with the 503.
        throttle: requests allowed in any 60 seconds, the rest gets 429; None for no limit.
        retry_after_form: how the 429 says when to come back.
        seed: start of the random numbers; setting it starts them again.
        reject: refuse the next few requests in a given way.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    latency: float = Field(default=0.0, ge=0)
    error_rate: float = Field(default=0.0, ge=0, le=1)
    error_status: int = 500
    errors_after_work: bool = False
    outage: Literal["unavailable", "drop"] | None = None
    outage_retry_after: float | None = None
    throttle: int | None = Field(default=None, ge=1)
    retry_after_form: Literal["seconds", "date", "none"] = "seconds"
    seed: int = 0
    reject: Rejection | None = None

    _random: random.Random = PrivateAttr(default_factory=lambda: random.Random(0))  # noqa: S311  # no secret
    _served: deque[float] = PrivateAttr(default_factory=deque)
    _closing: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)
    _clock: Callable[[], float] = PrivateAttr(default=time.monotonic)

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "seed":
            self._random.seed(self.seed)

    def reject_next(
        self, count: int = 1, *, status: int = 400, text: str = "Rejected.", path: str = "/api/Report/WSJF"
    ) -> None:
        """Refuse the next `count` requests to `path`."""
        self.reject = Rejection(count=count, status=status, text=text, path=path)

    def reset(self) -> None:
        """Turn everything back."""
        for name, field in Knobs.model_fields.items():
            setattr(self, name, field.get_default(call_default_factory=True))
        self._served.clear()

    def take_rejection(self, path: str) -> Rejection | None:
        """The rejection that strikes a request to `path`, counted down; else None."""
        reject = self.reject
        if reject is None or reject.count == 0 or not path.startswith(reject.path):
            return None
        reject.count -= 1
        return reject

    def strikes(self) -> bool:
        """Draw whether the next request is one of those that fail."""
        return self.error_rate > 0 and self._random.random() < self.error_rate

    def retry_after(self) -> dict[str, str] | None:
        """None if the request fits under the throttle; else the headers that say when to come back."""
        if self.throttle is None:
            return None
        now = self._clock()
        while self._served and self._served[0] <= now - 60:
            self._served.popleft()
        if len(self._served) < self.throttle:
            self._served.append(now)
            return None
        seconds = ceil(self._served[0] + 60 - now)
        if self.retry_after_form == "none":
            return {}
        if self.retry_after_form == "seconds":
            return {"Retry-After": str(seconds)}
        return {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)}

    async def wait(self) -> None:
        """Pass the latency; a server that stops cuts it short."""
        if self.latency:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self.latency)

    def open(self) -> None:
        """Requests are taken from now on."""
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Let everything that waits go on at once."""
        self._closing.set()
