"""Questions that a machine asks and waits for the answer of, in the domain's words.

A question is not an event: it is not journalled, it is answered now or never. Whoever can answer implements
``UnitValidator``; the CFX endpoint turns ``ValidateUnitsRequest`` into a question and the answer into
``ValidateUnitsResponse``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Protocol


class Check(StrEnum):
    """What is to be checked of a unit."""

    ROUTE = "route"
    STATUS = "status"
    STATUS_WITH_SUB_UNITS = "status_with_sub_units"
    TRACE = "trace"


class Fitness(StrEnum):
    """Whether a unit may be worked on."""

    FIT = "fit"
    UNFIT = "unfit"
    #: nobody has looked, for instance because the place in the panel is empty or the unit is marked as bad
    NOT_CHECKED = "not_checked"


class ReasonCode(IntEnum):
    """Numbers of the reasons that our validators give; own validators may have others."""

    #: fit, or let pass by configuration
    FIT = 0
    #: an operation that comes before was never run
    NOT_RUN = 1
    #: the last run of an operation that comes before did not pass
    NOT_PASSED = 2
    #: the unit is in a phase that blocks it, such as Scrapped
    PHASE = 3
    #: a unit built into it failed, or is in such a phase
    SUB_UNIT = 4
    #: WATS has never seen the unit
    UNKNOWN_UNIT = 5
    #: the product has no verification rule
    NO_RULE = 6
    #: the machine names neither unit nor panel
    UNNAMED = 7
    #: not checked: the machine knows the unit as bad
    MARKED_BAD = 8
    #: not checked: nothing to check it by
    NOT_CHECKABLE = 9
    #: no answer within the time limit
    NO_ANSWER = 20
    #: WATS is down, throttles or can't be reached
    UNREACHABLE = 21
    #: WATS refuses the bridge's token, or what it may do
    NO_ACCESS = 22
    #: WATS answered with an error
    WATS_ERROR = 23
    #: the validator itself failed; the log tells more
    VALIDATOR_FAILED = 24


@dataclass(frozen=True, slots=True)
class AskedUnit:
    """One unit that a machine asks about.

    Attributes:
        unit_id: serial number; that of the carrier or panel where ``position`` tells units apart.
        position: place in the panel or carrier; None when it is not said.
        position_name: its name (``CIRCUIT1``).
        marked_bad: the machine itself knows it as failed, scrapped or to be skipped.
    """

    unit_id: str | None
    position: int | None = None
    position_name: str | None = None
    marked_bad: bool = False


@dataclass(frozen=True, slots=True)
class UnitsQuestion:
    """May this machine work on these units?

    Attributes:
        asker: handle of the machine.
        primary_id: identifier of the panel, carrier or single unit.
        units: the units in it; may be empty, then ``primary_id`` is the unit, or a panel of units that
            earlier messages told of.
        checks: what is to be checked; empty stands for all.
        asked_at: when the machine asked, with time zone; None when it did not say.
    """

    asker: str
    primary_id: str | None
    units: tuple[AskedUnit, ...] = ()
    checks: frozenset[Check] = frozenset()
    asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UnitAnswer:
    """What was found of one unit.

    Attributes:
        unit: the unit, as it was asked about.
        fitness: whether it may be worked on.
        reason: why, in one line for the machine's operator.
        code: number of the reason, 0 for fit; `ReasonCode` lists ours.
    """

    unit: AskedUnit
    fitness: Fitness
    reason: str = ""
    code: int = 0


@dataclass(frozen=True, slots=True)
class UnitsAnswer:
    """The answer to a question.

    Attributes:
        fitness: of the panel or carrier as a whole.
        reason: why, in one line.
        code: number of the reason, 0 for fit.
        units: one answer for each entry of the question's ``units``, in their order; none where it lists
            none, and the answer as a whole is about ``primary_id``.
    """

    fitness: Fitness
    reason: str = ""
    code: int = 0
    units: tuple[UnitAnswer, ...] = ()


class UnitValidator(Protocol):
    """Answers whether units may be worked on. Users may bring their own."""

    async def validate(self, question: UnitsQuestion) -> UnitsAnswer:
        """Answer a question. Returns within the time that the machine waits, and raises nothing."""
