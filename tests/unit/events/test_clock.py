"""The clock that deliveries are timed by."""

from __future__ import annotations

from datetime import UTC, datetime

from pywats_events.clock import ForwardClock


class Hands:
    """Both clocks of a machine."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_000_000.0, 50.0

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.steady += seconds


def test_it_follows_the_wall_clock():
    """Time that passes, and a clock that is set forward, are seen as they are."""
    hands = Hands()
    clock = ForwardClock(lambda: hands.wall, lambda: hands.steady)
    hands.pass_by(10)
    assert clock.seconds() == 1_000_010.0
    hands.wall += 3600
    assert clock.seconds() == 1_003_610.0
    assert clock.now() == datetime.fromtimestamp(1_003_610.0, UTC)


def test_it_goes_on_where_the_wall_clock_is_set_back():
    """What waits ten seconds waits ten seconds, also when the clock is set back by an hour meanwhile."""
    hands = Hands()
    clock = ForwardClock(lambda: hands.wall, lambda: hands.steady)
    due = clock.seconds() + 10
    hands.wall -= 3600
    assert clock.seconds() == 1_000_000.0
    hands.pass_by(4)
    assert clock.seconds() == 1_000_004.0
    hands.pass_by(6)
    assert clock.seconds() == due


def test_it_follows_again_when_the_wall_clock_has_caught_up():
    """A clock that was set back a little is ahead for a while, and is then right again."""
    hands = Hands()
    clock = ForwardClock(lambda: hands.wall, lambda: hands.steady)
    hands.wall -= 2
    clock.seconds()
    hands.wall += 5
    assert clock.seconds() == hands.wall
