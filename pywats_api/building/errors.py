"""What a builder refuses, said in the words of the report: which step or part, and why."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

_MAX_REASONS = 3


class ReportError(ValueError):
    """The server would refuse the report, or park it where nobody looks.

    Attributes:
        place: the step by its path of names, or the part of the report, such as ``step "Power/3V3"``.
        reason: what is wrong with it.
    """

    def __init__(self, place: str, reason: str) -> None:
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


def step_place(path: str) -> str:
    """How a step is named in an error."""
    return f'step "{path}"'


@contextmanager
def naming(place: str) -> Iterator[None]:
    """Say of what is refused inside where in the report it stands.

    Raises:
        ReportError: a member of the part does not fit.
    """
    try:
        yield
    except ReportError:
        raise
    except ValidationError as error:
        reasons = []
        for fault in error.errors(include_url=False, include_input=False):
            member = ".".join(str(part) for part in fault["loc"])
            said = fault["msg"].removeprefix("Value error, ")
            reasons.append(f"{member}: {said}" if member else said)
        # The input stays out of it: it may be megabytes of an attachment.
        raise ReportError(place, "; ".join(reasons[:_MAX_REASONS])) from None
    except ValueError as error:
        raise ReportError(place, str(error)) from None
