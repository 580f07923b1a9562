"""The simulated line tells the truth about what it says."""

from __future__ import annotations

from collections import Counter

import pytest

from pywats_cfx import cfx_adapter, decode
from pywats_events.event import Event, EventType
from pywats_events.message import RawMessage, Unreadable
from samples.line import SmtLine, Truth
from samples.panels import AOI, FCT, ICT, SPI


def run(line):
    """Give what a receiver sees of a line: events once by id, and what is unreadable."""
    seen, repeats, unreadable = {}, 0, []
    for step in line:
        for made in cfx_adapter(RawMessage(step.body, content_encoding=step.content_encoding)):
            if isinstance(made, Unreadable):
                unreadable.append(made)
            elif made.id in seen:
                repeats += 1
            else:
                seen[made.id] = made
    return list(seen.values()), repeats, unreadable


@pytest.mark.parametrize("seed", [1, 2])
def test_the_truth_is_what_a_receiver_counts(seed):
    """Units passed, failed and skipped, station by station, faults, scrap and bad messages agree."""
    line = SmtLine(seed=seed, panels=12, failing=0.2, bad_every=9, duplicate_every=7)
    events, repeats, unreadable = run(line)
    truth = line.truth()
    told = {station: Counter() for station in (SPI, AOI, ICT, FCT)}
    for event in events:
        if event.event_type in (EventType.TEST_RESULT, EventType.INSPECTION_RESULT):
            told[event.source][event.payload["result"].capitalize()] += 1
    assert told == {**truth.inspected, **truth.tested}
    kinds = Counter(event.event_type for event in events)
    assert kinds[EventType.ASSET_FAULT] == kinds[EventType.ASSET_FAULT_CLEARED] == truth.faults > 0
    assert kinds[EventType.UNIT_DISQUALIFIED] == truth.disqualified
    assert kinds[EventType.UNIT_INITIALIZED] == truth.panels == 12
    assert len(unreadable) == truth.bad_messages > 4
    assert len({each.id for each in unreadable}) == truth.bad_messages
    assert repeats >= truth.duplicates > 0
    assert truth.units_tested - truth.test_reports == truth.tested[ICT]["Skipped"]
    assert all(truth.tested[station]["Failed"] for station in (ICT, FCT))


def test_serial_numbers_are_taught_before_they_are_needed():
    """Every panel position that is tested was given a number by the laser, and its last verdict is told."""
    line = SmtLine(panels=6)
    truth, numbers, verdicts = Truth(), {}, {}
    for step in line.steps(truth):
        for event in cfx_adapter(RawMessage(step.body)):
            assert isinstance(event, Event)
            payload = event.payload
            if event.event_type is EventType.UNIT_INITIALIZED:
                numbers |= {
                    (payload["panel_id"], each["position"]): each["unit_id"] for each in payload["units"]
                }
            elif event.event_type is EventType.TEST_RESULT:
                serial = numbers.get((payload["unit_id"], payload.get("position")), payload["unit_id"])
                verdicts[event.source, serial] = payload["result"].capitalize()
    assert verdicts == truth.last_result
    assert {serial for _, serial in verdicts} <= set(numbers.values())


def test_the_same_settings_give_the_same_bytes():
    """A line can be run again to compare; another seed is another day."""
    steps = list(SmtLine(panels=2, bad_every=5, duplicate_every=5))
    assert steps == list(SmtLine(panels=2, bad_every=5, duplicate_every=5))
    assert steps != list(SmtLine(seed=2, panels=2, bad_every=5, duplicate_every=5))


def test_stations_write_in_different_ways():
    """Packed and plain, single and batch, with and without type labels; time never runs backwards."""
    steps = [step for step in SmtLine(panels=3) if step.kind == "message"]
    assert {step.content_encoding for step in steps} == {None, "gzip"}
    assert {len(step.envelopes) for step in steps} == {1, 2}
    labelled = {"$type" in envelope.body for step in steps for envelope in step.envelopes}
    assert labelled == {True, False}
    assert all(step.delay >= 0 for step in steps)
    stamps = [step.envelopes[0].time_stamp for step in steps]
    assert stamps == sorted(stamps)
    assert all(tuple(decode(step.body)) == step.envelopes for step in steps)


def test_panels_have_two_to_four_boards_some_of_them_bad():
    """Bad-marked boards are skipped everywhere and tested nowhere."""
    truth = SmtLine(panels=20, skipping=0.2).truth()
    assert 40 <= truth.units <= 80
    skipped = truth.tested[ICT]["Skipped"]
    assert skipped == truth.inspected[SPI]["Skipped"] == truth.inspected[AOI]["Skipped"] > 0
    assert SmtLine(panels=3, circuits=2, skipping=0).truth().units == 6
