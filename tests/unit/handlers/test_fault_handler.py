"""Faults become lines in the asset's log, once each."""

from datetime import timedelta

import pytest
from shopfloor import ICT, NOON, event, rules, taught

from handlers import FaultHandler
from handlers import fact_keys as keys
from pywats_events.errors import DestinationUnavailable, PermanentError
from pywats_events.event import EventType
from pywats_events.handler import Done, Dropped

FAULT = {
    "asset_id": ICT,
    "fault_code": "W12",
    "severity": "Warning",
    "cause": "LoadError",
    "occurrence_id": "8fc78f91",
    "description": "Board\n jam",
}
ASSET = "ICT01"


def fault(event_id="8f08a2c22-202d-42c1-bfd6-49792ae81819", **changes):
    return event(EventType.ASSET_FAULT, {**FAULT, **changes}, event_id=event_id)


def cleared(**said):
    payload = {"asset_id": ICT, "occurrence_id": "8fc78f91", **said}
    return event(
        EventType.ASSET_FAULT_CLEARED, payload, event_id="clear-000001", time=NOON + timedelta(seconds=130)
    )


async def handler(api, *earlier, register=True, **changed):
    if register:
        (kind, *_) = await api.asset.get_asset_types()
        await api.asset.create_asset(ASSET, kind.type_id)
    journal = await taught(*earlier)
    return FaultHandler(api, rules(**changed), journal), journal


async def messages(api, serial=ASSET):
    lines = await api.asset.get_asset_log(f"serialNumber eq '{serial}'", top=100)
    return [line.comment for line in reversed(lines) if line.log_type == 0]


async def test_a_fault_is_a_line(api):
    """Code, severity, cause, description and occurrence stand in one line of the station's asset."""
    made, _ = await handler(api)
    done = await made.handle(fault())
    (line,) = await messages(api)
    assert line == "Fault W12 Warning LoadError Board jam [8fc78f91] 2026-03-04T12:00:00+00:00 #49792ae81819"
    assert done == Done({"asset": ASSET, "message": line})


async def test_the_end_of_a_fault_tells_its_length(api):
    """The line that a fault is over names it, how long it lasted and who ended it."""
    made, _ = await handler(api, fault())
    await made.handle(cleared(operator={"id": "B-7"}))
    (line,) = await messages(api)
    assert line.startswith("Fault W12 cleared after 0:02:10 by B-7 [8fc78f91] ")


async def test_the_end_of_an_unknown_fault(api):
    """A fault that nobody told of can still be over."""
    made, _ = await handler(api)
    await made.handle(cleared())
    (line,) = await messages(api)
    assert line.startswith("Fault cleared [8fc78f91] ")


@pytest.mark.parametrize("severity", ["Information", "information"])
async def test_ignored_severities(api, severity):
    """Information makes no line by default, nor does its end."""
    made, _ = await handler(api, fault(severity=severity))
    assert isinstance(await made.handle(fault(severity=severity)), Dropped)
    assert isinstance(await made.handle(cleared()), Dropped)
    assert await messages(api) == []


async def test_severities_are_configurable(api):
    """A site decides which severities it wants to see."""
    made, _ = await handler(api, faults={"severities": {"Warning": "nothing"}})
    assert "faults.severities" in (await made.handle(fault())).rule
    assert isinstance(await made.handle(fault(severity="Information")), Done)


async def test_a_code_outweighs_its_severity(api):
    """One code may be worth a line although its severity is not, and the other way round."""
    made, _ = await handler(api, faults={"codes": {"W1*": "nothing", "I-*": "log"}})
    assert isinstance(await made.handle(fault()), Dropped)
    assert isinstance(await made.handle(fault(severity="Information", fault_code="I-7")), Done)


async def test_a_machine_that_stutters(api):
    """Of more faults in an hour than are wanted the rest is dropped; a repeat of one takes no room."""
    made, _ = await handler(api, faults={"per_hour": 2})
    first, *_, third = [fault(f"e-00000000000{number}") for number in range(3)]
    for one in (first, fault("e-000000000001"), first):
        assert isinstance(await made.handle(one), Done)
    assert "more than 2 faults" in (await made.handle(third)).rule
    assert len(await messages(api)) == 2


async def test_somebody_has_seen_a_fault(api):
    """That a fault was acknowledged is a line with the same occurrence; or none, as configured."""
    seen = event(
        EventType.ASSET_FAULT_ACKNOWLEDGED,
        {"asset_id": ICT, "occurrence_id": "8fc78f91", "operator": {"id": "B-7"}},
        event_id="seen-000001",
        time=NOON + timedelta(seconds=40),
    )
    made, _ = await handler(api, fault())
    await made.handle(seen)
    (line,) = await messages(api)
    assert line.startswith("Fault W12 acknowledged after 0:00:40 by B-7 [8fc78f91] ")
    made, _ = await handler(api, fault(), register=False, faults={"acknowledged": False})
    assert "faults.acknowledged" in (await made.handle(seen)).rule


async def test_a_description_in_another_language(api):
    """Where the machine gives only translations, one of them is taken."""
    made, _ = await handler(api)
    await made.handle(fault(description=None, translations={"de": "Stau", "en": "Jam"}))
    assert "Jam" in (await messages(api))[0]


async def test_an_asset_that_nobody_registered(api):
    """By default an unknown asset is left unknown, and the rule says which."""
    made, _ = await handler(api, register=False)
    dropped = await made.handle(fault())
    assert dropped == Dropped('asset "ICT01" is not registered in WATS (assets.create is off)')


async def test_an_asset_is_registered_by_option(api):
    """Who wants it has stations registered when they first fail."""
    (kind, *_) = await api.asset.get_asset_types()
    made, _ = await handler(api, register=False, assets={"create": True, "station_type": kind.type_name})
    await made.handle(fault())
    assert len(await messages(api)) == 1
    assert (await api.asset.get_asset_by_serial(ASSET)).location == "L1"


async def test_an_unknown_asset_type(api):
    """A wrong type is told with the place where it stands."""
    assets = {"create": True, "station_type": "Nonsense"}
    made, _ = await handler(api, register=False, assets=assets)
    with pytest.raises(PermanentError, match=r'no asset type "Nonsense"; see assets.station_type'):
        await made.handle(fault())


async def test_a_lost_answer_makes_no_second_line(wats, api):
    """A message that was written though its answer got lost is found in the log, not sent again."""
    made, _ = await handler(api)
    wats.knobs.error_rate, wats.knobs.errors_after_work, wats.knobs.error_status = 1.0, True, 503
    with pytest.raises(DestinationUnavailable):
        await made.handle(fault())
    wats.knobs.reset()
    done = await made.handle(fault())
    assert done.detail["found"]
    assert len(await messages(api)) == 1


async def test_a_message_that_never_arrived_is_sent(wats, api):
    """A try that reached nobody is made good."""
    made, journal = await handler(api)
    wats.knobs.outage = "drop"
    with pytest.raises(DestinationUnavailable):
        await made.handle(fault())
    assert await journal.recall([keys.asset_entry(fault().id, "line")])
    wats.knobs.reset()
    await made.handle(fault())
    assert len(await messages(api)) == 1


async def test_two_faults_with_one_text_are_two_lines(api):
    """A fault that comes again is another event."""
    made, _ = await handler(api)
    await made.handle(fault("e-000000000001"))
    await made.handle(fault("e-000000000002"))
    assert len(await messages(api)) == 2


async def test_the_asset_is_the_stations(api):
    """The station's rule may name an asset of its own."""
    stations = [{"handle": "*", "asset": "AS-1"}]
    made, _ = await handler(api, stations=stations)
    assert "AS-1" in (await made.handle(fault())).rule


async def test_a_payload_that_does_not_fit(api):
    """A fault without its station is named as such."""
    made, _ = await handler(api)
    with pytest.raises(PermanentError, match="payload: asset_id"):
        await made.handle(event(EventType.ASSET_FAULT, {"fault_code": "1"}))
