"""The page about handlers says what they say."""

import importlib.util
from pathlib import Path

from handlers import Rules
from pywats_bridge.composition import handlers_of
from pywats_bridge.dry_wats import DryWATS
from pywats_events.journal.memory import MemoryJournal

SCRIPT = Path(__file__).parents[3] / "scripts" / "handlers_page.py"


def _script():
    spec = importlib.util.spec_from_file_location("handlers_page", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_handlers_say():
    """Who changes a mapping changes the page with it: python scripts/handlers_page.py."""
    script = _script()
    assert script.PAGE.read_text("utf-8") == script.page()


def test_every_handler_of_the_bridge_is_on_it():
    """With its mapping as a table."""
    kinds = {type(each) for each in handlers_of(DryWATS(), Rules(), MemoryJournal())}
    assert kinds == set(_script().KINDS)
    assert all("|---|" in (kind.__doc__ or "") for kind in kinds)
