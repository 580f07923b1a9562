"""Assets below each other, their tags, their log, how they are found and how they go."""

from datetime import datetime, timedelta

import pytest

from pywats_api import Asset, AssetState, AssetTag, ErrorMode, NotFoundError, ValidationError
from pywats_api.asset_filters import ASSET_NAMES, LOG_NAMES, wire_filter
from pywats_api.asset_moments import Moment
from pywats_api.server.asset_store import DEFAULT_TYPES

from .conftest import make_client

STATION, FIXTURE = DEFAULT_TYPES["Station"], DEFAULT_TYPES["Fixture"]


@pytest.fixture
async def line(api):
    """A line with two stations, one with a fixture: L over S1 over F, and S2."""
    await api.asset.create_asset("L", STATION)
    await api.asset.add_child_asset("L", "S1", STATION, "First")
    await api.asset.add_child_asset("L", "S2", STATION, location="end")
    await api.asset.add_child_asset("S1", "F", FIXTURE)
    return api


async def below(api, serial, level=None):
    children = await api.asset.get_child_assets(parent_serial=serial, level=level)
    return [child.serial_number for child in children]


async def test_children_are_found_level_by_level(line):
    """All assets below are found, or those directly below; by the parent's id as by its serial number."""
    assert await below(line, "L") == ["S1", "S2", "F"]
    assert await below(line, "L", 1) == ["S1", "S2"]
    assert await below(line, "F") == []
    parent = await line.asset.get_asset_by_serial("S1")
    (fixture,) = await line.asset.get_child_assets(parent.asset_id)
    assert (fixture.parent_asset_id, fixture.parent_serial_number) == (parent.asset_id, "S1")
    with pytest.raises(NotFoundError):
        await below(line, "nobody")


async def test_asset_moves_by_either_key_of_its_parent(line):
    """Changing one of the two parent keys of a fetched asset moves it; an empty text takes it out."""
    fixture = await line.asset.get_asset_by_serial("F")
    fixture.parent_serial_number = "S2"
    assert (await line.asset.update_asset(fixture)).parent_serial_number == "S2"
    fixture = await line.asset.get_asset_by_serial("F")
    fixture.parent_asset_id = (await line.asset.get_asset_by_serial("L")).asset_id
    assert (await line.asset.update_asset(fixture)).parent_serial_number == "L"
    fixture = await line.asset.get_asset_by_serial("F")
    fixture.parent_asset_id = fixture.parent_serial_number = ""
    await line.asset.update_asset(fixture)
    assert await below(line, "L") == ["S1", "S2"]


async def test_asset_cannot_lie_below_itself(line):
    """A line cannot be moved below its own fixture."""
    with pytest.raises(ValidationError, match="would lie below itself"):
        await line.asset.add_child_asset("F", "L", STATION)


async def test_deleted_asset_leaves_its_children_to_its_parent(line):
    """Deleting a station moves its fixture up to the line and takes its log with it."""
    assert await line.asset.delete_asset(serial_number="S1")
    assert await below(line, "L", 1) == ["F", "S2"]
    assert await line.asset.get_asset_log("serialNumber eq 'S1'") == []
    with pytest.raises(NotFoundError):
        await line.asset.get_asset_by_serial("S1")


async def test_new_serial_number_goes_everywhere(line):
    """A renamed station keeps its children and its log under the new name; a taken name is refused."""
    station = await line.asset.get_asset_by_serial("S1")
    station.serial_number = "S9"
    await line.asset.update_asset(station)
    assert await below(line, "S9") == ["F"]
    (fixture,) = await line.asset.get_assets("parent_serial_number eq 'S9'")
    assert fixture.serial_number == "F"
    assert {entry.log_type for entry in await line.asset.get_asset_log("asset_name eq 'S9'")} == {1, 2}
    station.serial_number = "S2"
    with pytest.raises(ValidationError, match="another asset has the serial number"):
        await line.asset.update_asset(station)


async def test_creating_again_changes_only_what_is_given(line):
    """An asset created again keeps its state, place and texts where nothing else is said."""
    await line.asset.set_asset_state(serial_number="S2", state=AssetState.IN_STORAGE)
    again = await line.asset.create_asset("S2", STATION, description="spare")
    assert (again.state, again.location, again.parent_serial_number) == (AssetState.IN_STORAGE, "end", "L")
    assert again.description == "spare"


async def test_asset_made_by_hand_is_laid_over_the_stored_one(line):
    """Storing an asset that was not fetched keeps state and texts of the stored one."""
    await line.asset.set_asset_state(serial_number="S2", state=AssetState.SCRAPPED)
    stored = await line.asset.update_asset(Asset(serial_number="S2", type_id=STATION, revision="B"))
    assert (stored.state, stored.location, stored.revision) == (AssetState.SCRAPPED, "end", "B")


async def test_log_tells_each_change(line):
    """Each member that changed has its line with the new value; storing the same again leaves none."""
    station = await line.asset.get_asset_by_serial("S2")
    station.location, station.revision = "hall 2", "B"
    await line.asset.update_asset(station)
    await line.asset.update_asset(station)
    lines = await line.asset.get_asset_log("serialNumber eq 'S2' and type eq 2", orderby="property asc")
    assert [(entry.property_name, entry.value) for entry in lines] == [
        ("location", "hall 2"),
        ("revision", "B"),
    ]
    assert [entry.message for entry in lines] == ["location: hall 2", "revision: B"]


async def test_log_message_names_who_says_it(line):
    """The server notes the owner of the token, so another name goes into the line."""
    station = await line.asset.get_asset_by_serial("S1")
    assert await line.asset.add_log_message(station.asset_id, "Cleaned", user="ann")
    assert await line.asset.add_log_message(station.asset_id, "Moved")
    lines = await line.asset.get_asset_log("serialNumber eq 'S1' and type eq 0")
    assert [entry.message for entry in lines] == ["Moved", "Cleaned (by ann)"]


# --- finding ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("serial", ["Types", "LOG", "status", "a/b", "a\\b", "..", "Ä ö#?&+%2F", "50 %"])
async def test_any_serial_number_is_found(api, serial):
    """A serial number that looks like a route, a path or an escape is still only a serial number."""
    created = await api.asset.create_asset(serial, STATION)
    assert (await api.asset.get_asset_by_serial(serial)).asset_id == created.asset_id
    assert (await api.asset.get_asset(serial)).asset_id == created.asset_id
    assert await api.asset.increment_count(serial_number=serial)
    assert (await api.asset.get_asset(created.asset_id)).total_count == 1


async def test_missing_asset_is_none_in_lenient_mode(server, fake_time):
    """In lenient mode looking for what is not there gives None or an empty list."""
    async with make_client(server, fake_time, error_mode=ErrorMode.LENIENT) as api:
        assert await api.asset.get_asset_by_serial("nobody") is None
        assert await api.asset.get_asset("no/body") is None
        assert await api.asset.get_assets_by_type("No such type") == []
        assert await api.asset.get_asset_tags("nobody") == []
        assert await api.asset.get_child_assets(parent_serial="nobody") == []


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("state eq 'IN_STORAGE'", "S2"),
        ("state eq 'in storage'", "S2"),
        ("state ne 5", "F L S1"),
        ("contains(asset_name,'irs')", "S1"),
        ("tolower(serialNumber) eq tolower('s1')", "S1"),
        ("startswith(toupper(location), 'END')", "S2"),
        ("parent_serial_number eq 'L' and not (state eq 'IN_STORAGE')", "S1"),
        ("location eq 'asset_name'", ""),
        ("type_id eq " + FIXTURE, "F"),
    ],
)
async def test_filters_may_be_written_in_the_clients_words(line, said, found):
    """Fields by the client's names, states by name and texts in any case find what they say."""
    await line.asset.set_asset_state(serial_number="S2", state=AssetState.IN_STORAGE)
    assets = await line.asset.get_assets(said, orderby="serial_number")
    assert " ".join(asset.serial_number for asset in assets) == found


def test_filter_leaves_quoted_texts_alone():
    """What stands in quotes is data; only fields and compared states are put in the server's words."""
    said = "asset_name eq 'asset_name' and state eq 'OK' or location eq 'state eq ''OK'''"
    assert wire_filter(said, ASSET_NAMES) == (
        "assetName eq 'asset_name' and state eq 1 or location eq 'state eq ''OK'''"
    )
    assert wire_filter("timestamp gt 2024-06-01", LOG_NAMES) == "date gt 2024-06-01"
    assert wire_filter(None, LOG_NAMES) is None


@pytest.mark.parametrize(
    "options",
    [
        {"filter_str": "nothing eq 1"},
        {"filter_str": "tolower(state) eq 'x'"},
        {"filter_str": "tolower(serialNumber eq 'x'"},
        {"orderby": "tags"},
        {"orderby": "serialNumber sideways"},
        {"top": 10_001},
    ],
)
async def test_impossible_query_is_refused(api, options):
    """A query that the server cannot read is refused with its reason."""
    with pytest.raises(ValidationError, match=r"\$(filter|orderby|top)"):
        await api.asset.get_assets(**options)


async def test_pages_of_assets(line):
    """Assets come in pages of any size, in the order asked for."""
    first = await line.asset.get_assets(orderby="serialNumber desc", top=3)
    rest = await line.asset.get_assets(orderby="serialNumber desc", top=3, skip=3)
    assert [asset.serial_number for asset in (*first, *rest)] == ["S2", "S1", "L", "F"]
    assert [asset.serial_number for asset in await line.asset.get_assets_by_type("Fixture")] == ["F"]


# --- tags -------------------------------------------------------------------------------------------------


async def test_tags_are_set_added_and_replaced(line):
    """Tags are added one by one or replaced as a whole, whatever characters their keys hold."""
    station = await line.asset.get_asset_by_serial("S1")
    await line.asset.set_asset_tags(station.asset_id, {"Maker": "Keith & <Sons>", "Serial no. 1": "x\"y'"})
    tags = await line.asset.add_asset_tag(station.asset_id, "Maker", "Other")
    assert {tag.key: tag.value for tag in tags} == {"Maker": "Other", "Serial no. 1": "x\"y'"}
    tags = await line.asset.set_asset_tags(station.asset_id, [AssetTag(key="Line", value="1")])
    assert [(tag.key, tag.value) for tag in tags] == [("Line", "1")]
    assert [tag.key for tag in await line.asset.get_asset_tags(station.asset_id)] == ["Line"]


async def test_tags_come_with_a_query_too(line):
    """Rows of a query carry tags as XML, which reads as tags."""
    station = await line.asset.get_asset_by_serial("S1")
    wanted = {"Maker": "Keith & <Sons>", "Serial no. 1": "x\"y'", "_x0041_": "Ä"}
    await line.asset.set_asset_tags(station.asset_id, wanted)
    (row,) = await line.asset.get_assets("serialNumber eq 'S1'")
    assert {tag.key: tag.value for tag in row.tags} == wanted
    row.location = "moved"
    await line.asset.update_asset(row)
    assert {tag.key: tag.value for tag in await line.asset.get_asset_tags(station.asset_id)} == wanted


# --- time -------------------------------------------------------------------------------------------------


def test_due_dates_compare_with_any_time():
    """A due date compares with times with and without offset, which are local."""
    naive = datetime(2026, 3, 1, 12)  # noqa: DTZ001  # the case itself
    due = Moment.of(naive.astimezone() + timedelta(days=2))
    for now in (naive, naive.astimezone()):
        assert (due - now, now - due) == (timedelta(days=2), timedelta(days=-2))
        assert due > now
        assert now < due
        assert due >= now
        assert now <= due
        assert not due < now
        assert max(now, due) is due
    assert Moment.of(naive).utcoffset() == timedelta(0)
    assert type(due - timedelta(days=1)) is Moment
    with pytest.raises(TypeError):
        assert due < 5
