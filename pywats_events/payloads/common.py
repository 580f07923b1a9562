"""What several domain payloads are made of."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class DomainModel(BaseModel):
    """Base of all payload models. Members that it does not know are kept."""

    model_config = ConfigDict(extra="allow", populate_by_name=True, ser_json_inf_nan="null")

    def to_payload(self) -> dict[str, Any]:
        """Give the plain JSON data that an event carries; empty members are left out."""
        return self.model_dump(mode="json", exclude_none=True)


class Outcome(StrEnum):
    """Verdict on a unit, test or measurement. UNKNOWN is one that nobody can read: never a pass."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    ABORTED = "aborted"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> Outcome:
        return _SPELLINGS.get(str(value).strip().lower(), cls.UNKNOWN)


_SPELLINGS = {
    **{outcome.value: outcome for outcome in Outcome},
    "pass": Outcome.PASSED,
    "fail": Outcome.FAILED,
    "terminated": Outcome.ABORTED,
}


class Person(DomainModel):
    """Somebody who operated, tested, inspected or acknowledged.

    Attributes:
        id: badge or staff number.
        login: log-in name.
        first_name: given name.
        last_name: family name.
        kind: ``Human``, ``Robot`` and so on, as the source says.
    """

    id: str | None = None
    login: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    kind: str | None = None


class WorkOrder(DomainModel):
    """The work order that units are made for, and the batch of it."""

    id: str | None = None
    batch: str | None = None


class Stage(DomainModel):
    """A place of its own within a station."""

    sequence: int | None = None
    name: str | None = None
    kind: str | None = None
