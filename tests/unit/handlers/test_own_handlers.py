"""Handlers of one's own: named in the configuration or by an installed package; a mistake is one line."""

from importlib.metadata import EntryPoint

import pytest
from pydantic import ValidationError
from shopfloor import event, rules, taught

from handlers import UnfitHandler, own_handlers
from pywats_events import BaseHandler
from pywats_events.event import EventType

HERE = f"{__name__}:"


class Plain(BaseHandler):
    """Asks for nothing."""

    event_types = (EventType.CUSTOM,)

    def handle(self, made):
        """Take it."""
        return made


class Knowing(Plain):
    """Asks for what the bridge has."""

    def __init__(self, api, memory, *, limit=3):
        self.api, self.memory, self.limit = api, memory, limit


class Greedy(Plain):
    """Asks for what nobody has."""

    def __init__(self, database):
        self.database = database


class Broken(Plain):
    """Can't be made."""

    def __init__(self):
        raise RuntimeError("no licence\nfound")


class Stranger:
    """Is no handler."""


class Wants(Plain):
    """Wants events that there are not."""

    event_types = ("no.such",)


async def made(*names, installed=(), api="the client"):
    journal = await taught()
    return own_handlers(
        api, rules(handlers=[f"{HERE}{name}" for name in names]), journal, installed=installed
    ), journal


async def test_they_get_what_they_ask_for():
    """By the names of their arguments; what has a default may be left to it."""
    (plain, knowing), journal = await made("Plain", "Knowing")
    assert isinstance(plain, Plain)
    assert (knowing.api, knowing.memory, knowing.limit) == ("the client", journal, 3)
    one = event(EventType.CUSTOM, {})
    assert plain.handle(one) is one


async def test_installed_packages_bring_theirs():
    """One that is configured as well is there once."""
    entry = EntryPoint(name="plain", value=f"{HERE}Plain", group="pywats_bridge.handlers")
    (handler,), _ = await made(installed=[entry])
    assert isinstance(handler, Plain)
    both, _ = await made("Plain", installed=[entry])
    assert len(both) == 1


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Greedy", "asks for database; it may ask for api, rules, memory"),
        ("Broken", "RuntimeError: no licence found"),
        ("Stranger", r"is no pywats_events\.BaseHandler"),
        ("Missing", "AttributeError: .* has no attribute 'Missing'"),
        ("Wants", "TypeError: .*no.such"),
        ("HERE", "is no class"),
    ],
)
async def test_what_can_not_be_had(name, why):
    """It is told in one line that names it."""
    with pytest.raises(UnfitHandler, match=rf"^{HERE}{name}: {why}") as told:
        await made(name)
    assert "\n" not in str(told.value)


def test_a_path_that_is_none():
    """It is refused with the configuration."""
    with pytest.raises(ValidationError, match="handlers"):
        rules(handlers=["just_a_module"])
