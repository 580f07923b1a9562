"""Files kept with assets, and the pages of assets."""

import httpx
import pytest

from pywats_api import ErrorMode, NotFoundError, ValidationError
from pywats_api.server.asset_store import DEFAULT_TYPES
from pywats_api.wsjf import AssetUse

from .conftest import TOKEN, make_client, make_report

STATION = DEFAULT_TYPES["Station"]


@pytest.fixture
async def asset_id(api):
    return (await api.asset.create_asset("A", STATION, asset_name="<b>Tester</b>")).asset_id


async def test_files_come_back_as_they_went(api, asset_id):
    """A file of any content is stored under its name, listed, replaced, read and deleted."""
    content = bytes(range(256)) * 4000
    assert await api.asset.upload_blob(asset_id, "Zertifikat ä #1.pdf", content)
    assert await api.asset.upload_file(asset_id, "b.json", b"1")
    assert await api.asset.upload_blob(asset_id, "b.json", b"{}")
    listed = await api.asset.list_blobs(asset_id)
    assert [(file["filename"], file["size"]) for file in listed] == [
        ("Zertifikat ä #1.pdf", len(content)),
        ("b.json", 2),
    ]
    assert all(file["uploaded"] for file in await api.asset.list_files(asset_id))
    assert await api.asset.download_blob(asset_id, "Zertifikat ä #1.pdf") == content
    assert await api.asset.download_file(asset_id, "b.json") == b"{}"
    assert await api.asset.delete_blobs(asset_id, ["b.json", "never.there"])
    assert [file["filename"] for file in await api.asset.list_blobs(asset_id)] == ["Zertifikat ä #1.pdf"]


async def test_empty_file_is_a_file(api, asset_id):
    """A file of no bytes is kept as such."""
    await api.asset.upload_blob(asset_id, "empty", b"")
    assert await api.asset.download_blob(asset_id, "empty") == b""


async def test_missing_files_raise_or_are_nothing(server, api, asset_id, fake_time):
    """A file that is not there raises in strict mode, and is None in lenient mode; so with an asset."""
    with pytest.raises(NotFoundError):
        await api.asset.download_blob(asset_id, "no")
    with pytest.raises(NotFoundError):
        await api.asset.upload_blob("nobody", "a", b"1")
    async with make_client(server, fake_time, error_mode=ErrorMode.LENIENT) as lenient:
        assert await lenient.asset.download_blob(asset_id, "no") is None
        assert await lenient.asset.list_blobs("nobody") == []
        assert await lenient.asset.upload_blob("nobody", "a", b"1") is False


async def test_folders_are_no_part_of_a_name(server, api, asset_id):
    """A name with a folder in it is refused by the client, and by the server."""
    for name in ("../x", "a\\b", " ", ""):
        with pytest.raises(ValueError):
            await api.asset.upload_blob(asset_id, name, b"1")
    with pytest.raises(ValueError, match="list of names"):
        await api.asset.delete_blobs(asset_id, "a.txt")
    async with httpx.AsyncClient(base_url=server.url, headers=_headers(server)) as raw:
        query = {"assetId": asset_id, "filename": "../x"}
        answer = await raw.post("/api/internal/Blob/Asset", params=query, content=b"1")
        assert (answer.status_code, "without a folder" in answer.text) == (400, True)


async def test_files_are_for_the_servers_own_pages(server, asset_id):
    """Without the server's address as Referer the internal routes are shut."""
    async with httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Basic {TOKEN}"}) as raw:
        assert (await raw.get(f"/api/internal/Blob/Asset/List/{asset_id}")).status_code == 403


async def test_files_go_with_their_asset(api, asset_id):
    """A deleted asset takes its files along; one of the same id later does not find them."""
    await api.asset.upload_blob(asset_id, "a", b"1")
    await api.asset.delete_asset(asset_id)
    with pytest.raises(NotFoundError):
        await api.asset.list_blobs(asset_id)


# --- requests that no client of ours sends ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "query", "body", "reason"),
    [
        ("PUT State", {"serialNumber": "A"}, None, "state: required"),
        ("PUT State", {"serialNumber": "A", "state": "7"}, None, "not one of 0 to 6"),
        ("PUT State", {"state": "1"}, None, "id or serialNumber"),
        ("PUT State", {"state": "1", "id": "x", "serialNumber": "A"}, None, "one of the two"),
        ("PUT Count", {"serialNumber": "A"}, None, "incrementBy or totalCount"),
        (
            "PUT Count",
            {"serialNumber": "A", "incrementBy": "1", "totalCount": "5"},
            None,
            "one of the two",
        ),
        ("PUT Count", {"serialNumber": "A", "incrementBy": "0"}, None, "1 or more"),
        ("PUT Count", {"serialNumber": "A", "incrementBy": "-1"}, None, "no whole number"),
        (
            "PUT Count",
            {"serialNumber": "A", "incrementBy": "1", "incrementChildren": "yes"},
            None,
            "neither",
        ),
        ("PUT SetTotalCount", {"serialNumber": "A"}, None, "totalCount: required"),
        ("POST Calibration", {"serialNumber": "A", "dateTime": "yesterday"}, None, "no date and time"),
        ("POST Calibration", {"serialNumber": "A", "comment": "x" * 5001}, None, "5001 characters"),
        ("POST Calibration/External", {"serialNumber": "A"}, None, "fromDate: required"),
        ("POST Message", {"serialNumber": "A"}, {"content": " "}, "content: required"),
        ("POST Message", {"serialNumber": "A"}, {"content": 5}, "content: required"),
        ("GET SubAssets", {"serialNumber": "A", "level": "x"}, None, "no whole number"),
        ("GET Status", {"serialNumber": "A", "translate": "1"}, None, "neither true nor false"),
        ("GET Log", {"$expand": "asset"}, None, "not supported"),
        ("PUT Types", {}, {"typeName": ""}, "typeName: required"),
        ("PUT Types", {}, {"typeName": "T", "runningCountLimit": -5}, "no limit"),
        ("PUT Types", {}, {"typeName": "T", "calibrationInterval": "30"}, "no number"),
        ("PUT Types", {}, {"typeName": "T", "warningThreshold": True}, "no number"),
        ("PUT", {}, {"serialNumber": "A", "typeId": STATION, "tags": {}}, "an array"),
        (
            "PUT",
            {},
            {"serialNumber": "A", "typeId": STATION, "tags": [{"key": "k", "change": 9}]},
            "0 to 6",
        ),
        ("PUT", {}, {"serialNumber": "A", "typeId": STATION, "assetId": {}}, "assetId: a text"),
        ("PUT", {}, {"serialNumber": "A", "typeId": STATION, "state": True}, "state"),
        ("PUT", {}, {"serialNumber": "A", "typeId": STATION, "parentAssetId": "no"}, "no asset has"),
        ("PUT", {}, {"typeId": STATION}, "serialNumber: required"),
    ],
)
@pytest.mark.usefixtures("asset_id")
async def test_impossible_request_is_refused(server, route, query, body, reason):
    """What the server cannot do is refused with the name of what is wrong."""
    method, _, path = route.partition(" ")
    async with httpx.AsyncClient(base_url=server.url, headers=_headers(server)) as raw:
        answer = await raw.request(method, f"/api/Asset/{path}".rstrip("/"), params=query, json=body)
    assert answer.status_code == 400
    assert reason in answer.json()["Message"]


async def test_read_only_members_of_a_type_stay(api):
    """The fixed types can have limits of their own; a name is taken once."""
    types = {entry.type_name: entry for entry in await api.asset.get_asset_types()}
    station = types["Station"]
    station.running_count_limit = 5
    assert (await api.asset.update_asset_type(station)).is_readonly
    station.type_name = "Fixture"
    with pytest.raises(ValidationError, match="another asset type"):
        await api.asset.update_asset_type(station)


# --- pages ------------------------------------------------------------------------------------------------


async def test_pages_show_assets_and_lead_to_each_other(server, api, asset_id):
    """The list leads to an asset, the asset to its parent, its children and the reports that counted it."""
    child = await api.asset.add_child_asset("A", "B/1", STATION, description="Spare")
    await api.asset.upload_blob(asset_id, "manual.pdf", b"12345")
    await api.asset.record_calibration(asset_id)
    await api.asset.set_asset_tags(asset_id, {"Line": "<1>"})
    report = make_report(assets=[AssetUse(asset_sn="A", usage_count=3)])
    await api.report.submit(report)
    async with httpx.AsyncClient(base_url=server.url) as browser:
        assert '<a href="/assets">' in (await browser.get("/")).text
        listed = (await browser.get("/assets")).text
        page = (await browser.get(f"/assets/{asset_id}")).text
        below = (await browser.get(f"/assets/{child.asset_id}")).text
        missing = await browser.get("/assets/nobody")
    assert f'href="/assets/{asset_id}"' in listed
    for text in (
        "&lt;b&gt;Tester&lt;/b&gt;",
        "Calibration",
        "manual.pdf",
        "Tag Line",
        "&lt;1&gt;",
        f'href="/reports/{report.id}"',
        f'href="/assets/{child.asset_id}"',
        "<dd>3</dd>",
        "In operation",
    ):
        assert text in page
    assert f'href="/assets/{asset_id}"' in below
    assert "Spare" in below
    assert missing.status_code == 404


async def test_page_shows_alarms_in_colour(server, api):
    """An asset in alarm is seen as such, with the reason."""
    asset_type = await api.asset.create_asset_type("T", running_count_limit=2)
    asset = await api.asset.create_asset("A", asset_type.type_id, running_count=2)
    async with httpx.AsyncClient(base_url=server.url) as browser:
        page = (await browser.get(f"/assets/{asset.asset_id}")).text
    assert '<span class="F">Alarm</span> The running count is 2 of 2.' in page


def _headers(server):
    return {"Authorization": f"Basic {TOKEN}", "Referer": server.url}
