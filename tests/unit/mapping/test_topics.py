"""Patterns of topics."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pywats_events.mapping import TopicPattern


def test_named_parts_are_given_by_name():
    """Each name gives the level that stands in its place."""
    pattern = TopicPattern.parse("factory/{line}/{station}/result")
    assert pattern.filter == "factory/+/+/result"
    assert pattern.match("factory/L1/ICT01/result") == {"line": "L1", "station": "ICT01"}
    assert pattern.parts == {"line", "station"}


@pytest.mark.parametrize(
    "topic", ["factory/L1/result", "factory/L1/a/b/result", "Factory/L1/a/result", "", "factory/L1/a/result/"]
)
def test_other_topics_do_not_match(topic):
    """Levels are counted, and told apart by their capitals."""
    assert TopicPattern.parse("factory/{line}/{station}/result").match(topic) is None


def test_the_rest_may_be_none_one_or_many_levels():
    """``{rest...}`` is ``#``, which matches the parent level too."""
    pattern = TopicPattern.parse("plc/{rest...}")
    assert pattern.filter == "plc/#"
    assert pattern.match("plc/a/b") == {"rest": "a/b"}
    assert pattern.match("plc") == {"rest": ""}
    assert TopicPattern.parse("plc/#").match("plc/a/b") == {}


def test_a_level_may_be_empty():
    """As MQTT has it, ``a//b`` has three levels."""
    assert TopicPattern.parse("a/{x}/b").match("a//b") == {"x": ""}


@pytest.mark.parametrize("pattern", ["#", "{rest...}", "+/x", "{a}/x"])
def test_wildcards_do_not_match_what_the_broker_says_of_itself(pattern):
    """``$SYS`` is matched only by a pattern that spells it out (MQTT 5.0, 4.7.2)."""
    assert TopicPattern.parse(pattern).match("$SYS/x") is None
    assert TopicPattern.parse("$SYS/{x}").match("$SYS/x") == {"x": "x"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must have 1 to"),
        ("a\0b", "NUL"),
        ("x" * 70_000, "must have 1 to"),
        ("a/#/b", "must stand last"),
        ("a/{rest...}/b", "must stand last"),
        ("a/b#", "level of its own"),
        ("a/b+/c", "level of its own"),
        ("a/x{y}", "level of its own"),
        ("a/{1x}", "level of its own"),
        ("a/{}", "level of its own"),
        ("{a}/{b}/{a}", "given twice"),
        ("{a}/{a...}", "given twice"),
    ],
)
def test_mistakes_say_what_is_wrong(text, words):
    """The pattern and the reason, and never a page of it."""
    with pytest.raises(ValueError, match=words) as caught:
        TopicPattern.parse(text)
    assert len(str(caught.value)) < 300


_level = st.text(st.characters(exclude_characters="/+#{}\0", exclude_categories=["Cs"]), max_size=5)


@given(st.lists(_level, min_size=1, max_size=6), st.data())
def test_a_topic_matches_each_pattern_made_of_it(levels, data):
    """Whatever levels are made open, the pattern matches and the names give the levels back."""
    open_ones = data.draw(st.sets(st.integers(0, len(levels) - 1)))
    if levels[0].startswith("$"):
        open_ones.discard(0)
    text = "/".join(f"{{p{place}}}" if place in open_ones else level for place, level in enumerate(levels))
    if not text:
        return
    found = TopicPattern.parse(text).match("/".join(levels))
    assert found == {f"p{place}": levels[place] for place in open_ones}
