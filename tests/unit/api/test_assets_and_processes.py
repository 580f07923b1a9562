"""Assets, their log and types; the account's operations."""

import pytest

from pywats_api import AssetState, NotFoundError, ValidationError
from pywats_api.server.asset_store import DEFAULT_TYPES

STATION = DEFAULT_TYPES["Station"]


async def test_asset_is_created_and_found_by_either_key(api):
    """An asset is found by its serial number and by its id."""
    created = await api.asset.create_asset("ICT 01#a", STATION, asset_name="ICT", location="L1")
    assert created.state == AssetState.IN_OPERATION
    assert (await api.asset.get_asset_by_serial("ICT 01#a")).asset_id == created.asset_id
    assert (await api.asset.get_asset(created.asset_id)).serial_number == "ICT 01#a"


async def test_serial_with_slash_is_found_by_filter(api):
    """A serial number that cannot travel in a path is still found."""
    await api.asset.create_asset("A/B's", STATION)
    assert (await api.asset.get_asset_by_serial("A/B's")).serial_number == "A/B's"
    with pytest.raises(NotFoundError):
        await api.asset.get_asset_by_serial("A/C")


async def test_update_keeps_what_it_does_not_change(api):
    """A changed asset keeps the members that were fetched, known to the client or not, and its counts."""
    await api.asset.create_asset("DMM-1", STATION, description="old")
    asset = await api.asset.get_asset_by_serial("DMM-1")
    asset.location = "Lab"
    asset.total_count = 99
    updated = await api.asset.update_asset(asset)
    assert (updated.location, updated.description, updated.total_count) == ("Lab", "old", 0)
    assert updated.first_seen_date == asset.first_seen_date


@pytest.mark.parametrize(
    ("serial", "type_id", "options"),
    [
        ("A", "00000000-0000-0000-0000-000000000000", {}),
        ("A" * 101, STATION, {}),
        ("A", STATION, {"parent_serial_number": "nobody"}),
        ("A", STATION, {"state": 9}),
    ],
)
async def test_impossible_asset_is_refused(api, serial, type_id, options):
    """An asset with too long a serial number, of an unknown type, state or parent is refused."""
    with pytest.raises(ValidationError):
        await api.asset.create_asset(serial, type_id, **options)


async def test_log_tells_what_happened(api):
    """The log holds registration and messages, newest first, and can be filtered."""
    await api.asset.create_asset("FIX-1", STATION)
    await api.asset.post_message("first", serial_number="FIX-1")
    asset = await api.asset.get_asset_by_serial("FIX-1")
    await api.asset.add_log_message(asset.asset_id, "second")
    lines = await api.asset.get_asset_log("serialNumber eq 'FIX-1'", top=2)
    assert [(line.log_type, line.comment) for line in lines] == [(0, "second"), (0, "first")]
    assert [line.log_type for line in await api.asset.get_asset_log("type ne 0")] == [1]
    assert await api.asset.get_asset_log("date lt 2020-01-01") == []


async def test_message_for_nobody_is_not_found(api):
    """A message for an unknown asset gets 404, so that the caller can register it."""
    with pytest.raises(NotFoundError):
        await api.asset.post_message("x", serial_number="nobody")


async def test_asset_is_named_by_one_key(api):
    """Naming no asset, or one in two ways, is a mistake of the caller."""
    for keys in ({}, {"asset_id": "a", "serial_number": "b"}):
        with pytest.raises(ValueError, match="one of the two"):
            await api.asset.post_message("x", **keys)


async def test_asset_types(api):
    """Types are listed by name and new ones get an id."""
    created = await api.asset.create_asset_type("Thermal chamber", calibration_interval=180)
    types = await api.asset.get_asset_types()
    assert created.type_id in {entry.type_id for entry in types}
    assert [entry.type_name for entry in types] == sorted(entry.type_name for entry in types)
    (found,) = await api.asset.get_asset_types("typeName eq 'Thermal chamber'")
    assert found.calibration_interval == 180
