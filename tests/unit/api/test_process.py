"""The operations of an account: kept for a while, found by code and name, with what repairs of them ask."""

import asyncio

import pytest

from pywats_api import ErrorMode, NotFoundError, pyWATS
from pywats_api.server import DEFAULT_PROCESSES, LocalWATS, process

from .conftest import TOKEN, make_client


async def test_processes_by_code_and_name(api):
    """An operation is found by code or name, and only as the kind asked for."""
    assert (await api.process.get_process(60)).name == "Functional test"
    assert (await api.process.get_test_operation("ICT")).code == 30
    assert (await api.process.get_repair_operation(500)).is_repair_operation
    assert (await api.process.get_wip_operation("Assembly")).is_wip_operation
    assert (await api.process.get_process_by_code(500)).process_type == "REPAIR"
    with pytest.raises(NotFoundError):
        await api.process.get_test_operation(500)


async def test_capitals_count_only_where_they_tell_names_apart(tmp_path, fake_time):
    """A name in other capitals is found unless two names differ in nothing else."""
    own = [process(1, "ICT"), process(2, "ict"), process(3, "End of line")]
    async with (
        LocalWATS(tmp_path / "wats.sqlite", processes=own) as server,
        make_client(server, fake_time, error_mode=ErrorMode.LENIENT) as api,
    ):
        assert (await api.process.get_process("END OF LINE")).name == "End of line"
        assert (await api.process.get_process("ict")).code == 2
        assert await api.process.get_process("Ict") is None


async def test_processes_are_kept_for_a_while(server, api, fake_time):
    """The list is asked for once, and again after its time or on request."""
    server.knobs.throttle = 2
    for _ in range(5):
        await api.process.get_processes()
    fake_time.now = 299
    await api.process.get_processes()
    fake_time.now = 300
    await api.process.get_processes()
    with pytest.raises(Exception, match="429"):
        await api.process.refresh()


async def test_a_miss_asks_the_server_again(tmp_path, fake_time):
    """An operation added meanwhile is found at once; one that there is not costs a request in ten seconds."""
    path = tmp_path / "wats.sqlite"
    async with LocalWATS(path, processes=[process(1, "One")]) as first, make_client(first, fake_time) as api:
        await api.process.get_processes()
        await first.stop()
        port = int(first.url.rpartition(":")[2])
        own = [process(1, "One"), process(2, "Two")]
        async with LocalWATS(path, port=port, processes=own) as second:
            fake_time.now = 10
            assert (await api.process.get_process("Two")).code == 2
            second.knobs.throttle = 1
            fake_time.now = 20
            for _ in range(3):
                with pytest.raises(NotFoundError):
                    await api.process.get_process("Three")
            assert await api.process.is_valid_test_operation(2)
            assert not await api.process.is_valid_repair_operation(2)


async def test_account_can_have_its_own_processes(tmp_path, fake_time):
    """A server is set up with the operations a test needs; without a kind its default code serves."""
    own = [process(7, "Seven")]
    async with (
        LocalWATS(tmp_path / "wats.sqlite", processes=own) as server,
        make_client(server, fake_time) as api,
    ):
        assert [entry.code for entry in await api.process.get_processes()] == [7]
        assert await api.process.get_default_test_code() == 7
        assert await api.process.get_default_repair_code() == 500
        assert await api.process.get_wip_operations() == []


async def test_lists_by_kind(api):
    """Each kind has a list of its own, and all of them make the whole."""
    kinds = [
        await api.process.get_test_operations(),
        await api.process.get_repair_operations(),
        await api.process.get_wip_operations(),
    ]
    assert sum(map(len, kinds)) == len(await api.process.get_all_operations()) == len(DEFAULT_PROCESSES)
    assert [entry.code for entry in kinds[1]] == [500, 510]


async def test_fail_codes_of_a_repair_operation(api):
    """Categories with their codes, as the server's internal route tells them."""
    (category,) = [c for c in await api.process.get_repair_categories(500) if c.description == "Software"]
    assert sorted(code.description for code in category.fail_codes) == [
        "Other",
        "Programming failed",
        "Wrong version",
    ]
    assert {"Bridge", "Missing"} <= {code.description for code in await api.process.get_fail_codes(510)}
    assert {code.category for code in await api.process.get_fail_codes()} >= {"Board", "Component"}
    with pytest.raises(NotFoundError, match="repair operation 60"):
        await api.process.get_repair_categories(60)


async def test_the_internal_list_tells_ids(api):
    """With inactive operations and an id for each."""
    entries = await api.process.get_all_processes()
    assert len({entry.id for entry in entries}) == len(DEFAULT_PROCESSES)
    assert next(entry for entry in entries if entry.code == 30).is_test_operation


async def test_the_blocking_client_sets_how_long_the_list_is_kept(server):
    """The list's time and its last reading are seen without an event loop too."""

    def work():
        with pyWATS(server.url, TOKEN) as api:
            assert api.process.last_refresh is None
            api.process.refresh_interval = 0
            api.process.get_processes()
            return api.process.refresh_interval, api.process.last_refresh

    interval, moment = await asyncio.to_thread(work)
    assert interval == 0
    assert moment.tzinfo is None
