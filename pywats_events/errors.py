"""What a failure means to the dispatcher. A handler says it by the exception that it raises."""

from __future__ import annotations


class TransientError(Exception):
    """It may work next time: try again after the retry policy's delay.

    Args:
        reason: what went wrong, for people.
        retry_after: seconds that the other side asked us to wait; wins over the policy's delay.
    """

    def __init__(self, reason: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class PermanentError(Exception):
    """It will never work as it is: the delivery becomes a dead letter at once."""


class DestinationUnavailable(Exception):  # noqa: N818  # the name is public face
    """The destination can't take anything now: deliveries are parked and spend no attempts.

    Args:
        destination: its name, "WATS" for instance.
        reason: what was seen, for people.
        retry_after: seconds after which a probe makes sense, when the destination said so.
        needs_attention: True when waiting will not mend it (credentials refused): reported loudly.
        only_for_handler: True when only what this handler asks is refused (a permission is missing): the
            handler is left out until a probe of its own succeeds, and the others go on.
    """

    def __init__(
        self,
        destination: str,
        reason: str = "",
        *,
        retry_after: float | None = None,
        needs_attention: bool = False,
        only_for_handler: bool = False,
    ) -> None:
        super().__init__(
            f"{destination} is unavailable: {reason}" if reason else f"{destination} is unavailable"
        )
        self.destination = destination
        self.retry_after = retry_after
        self.needs_attention = needs_attention
        self.only_for_handler = only_for_handler


class NotReady(Exception):  # noqa: N818  # says a state, as DestinationUnavailable does
    """Something is not known yet that a later message may tell: the delivery is parked, spending no attempts.

    It runs again when one of the facts is learnt, and dies with this reason when they never are.

    Args:
        reason: what is missing and where it was looked for.
        facts: keys of the facts (see ``journal.Fact``) any of which may help.
        give_up_after: seconds after the event was received until it becomes a dead letter.
    """

    def __init__(self, reason: str, *, facts: tuple[str, ...] = (), give_up_after: float = 120.0) -> None:
        super().__init__(reason)
        self.facts = facts
        self.give_up_after = give_up_after
