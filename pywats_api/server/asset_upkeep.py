"""Changes of an asset's condition: state, counts, calibration and maintenance."""

import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pywats_api.server.asset_fields import MAX_TEXT, flag_of
from pywats_api.server.asset_status import status_of
from pywats_api.server.asset_store import (
    CALIBRATED,
    COUNT_RESET,
    MAINTAINED,
    STATE_CHANGED,
    UPDATED,
    AssetStore,
    check_state,
    raise_counts,
)
from pywats_api.server.documents import Refused
from pywats_api.server.headers import whole_number
from pywats_api.server.rules import parse_moment

Options = Mapping[str, str]
Change = Callable[[AssetStore, sqlite3.Connection, dict[str, Any], Options], None]


def set_state(
    store: AssetStore, connection: sqlite3.Connection, asset: dict[str, Any], options: Options
) -> None:
    """Put the asset into a state; the one it is in already leaves no line in the log."""
    state = check_state(_required_number(options, "state"))
    if state != asset["state"]:
        asset["state"] = state
        store.write(connection, asset)
        store.log(connection, asset, STATE_CHANGED, changed="state", value=str(state))


def count(store: AssetStore, connection: sqlite3.Connection, asset: dict[str, Any], options: Options) -> None:
    """Raise both counts by a number, or to a total."""
    if bool(options.get("incrementBy")) == bool(options.get("totalCount")):
        raise Refused("incrementBy or totalCount: one of the two is required.")
    if options.get("incrementBy"):
        amount = _required_number(options, "incrementBy")
        if amount == 0:
            raise Refused("incrementBy: 1 or more.")
    else:
        amount = _required_number(options, "totalCount") - asset["totalCount"]
        if amount < 0:
            raise Refused(f"totalCount: the total count is {asset['totalCount']} already and only rises.")
    with_children = flag_of(options, "incrementChildren", default=False)
    counted = [asset, *(store.below(connection, asset["assetId"]) if with_children else ())]
    for one in counted if amount else ():
        raise_counts(one, amount)
        one["lastSeenDate"] = store.now().isoformat()
        store.write(connection, one)


def reset_running_count(
    store: AssetStore, connection: sqlite3.Connection, asset: dict[str, Any], options: Options
) -> None:
    """Set the running count to 0."""
    before = asset["runningCount"]
    asset["runningCount"] = 0
    store.write(connection, asset)
    store.log(
        connection, asset, COUNT_RESET, _comment(options), changed="runningCount", value=f"{before} -> 0"
    )


def set_count(member: str) -> Change:
    """The change that sets one of the two counts."""

    def change(
        store: AssetStore, connection: sqlite3.Connection, asset: dict[str, Any], options: Options
    ) -> None:
        value = _required_number(options, member)
        if value != asset[member]:
            asset[member] = value
            store.write(connection, asset)
            store.log(connection, asset, UPDATED, changed=member, value=str(value))

    return change


def serviced(what: str, *, external: bool) -> Change:
    """The change that a calibration or maintenance makes; an external one says itself what is due."""

    def change(
        store: AssetStore, connection: sqlite3.Connection, asset: dict[str, Any], options: Options
    ) -> None:
        if external:
            last = _moment(options, "fromDate")
            due = _moment(options, "toDate")
            if due <= last:
                raise Refused(f"toDate: {due.isoformat()} is not after fromDate, {last.isoformat()}.")
            asset[f"external{what}Date"] = due.isoformat()
        else:
            last = _moment(options, "dateTime") if options.get("dateTime") else store.now()
            asset.pop(f"external{what}Date", None)
        asset[f"last{what}Date"] = last.isoformat()
        store.write(connection, asset)
        log_type = CALIBRATED if what == "Calibration" else MAINTAINED
        store.log(
            connection,
            asset,
            log_type,
            _comment(options),
            changed=f"last{what}Date",
            value=last.isoformat(),
        )

    return change


def evaluate(
    store: AssetStore,
    connection: sqlite3.Connection,
    asset: Mapping[str, Any] | None,
    key: str,
    *,
    translate: bool,
) -> dict[str, Any]:
    """How the asset stands against its limits; one that nobody registered says so."""
    if asset is None:
        message = f"Asset {key} is not registered." if translate else "NotRegistered"
        return {"status": "NotRegistered", "message": message}
    asset_type = store.type_of(connection, asset["typeId"]) or {}
    return status_of(asset, asset_type, store.now(), translate=translate)


def _required_number(options: Options, name: str) -> int:
    if not options.get(name):
        raise Refused(f"{name}: required in the query.")
    return whole_number(options, name, 0)


def _moment(options: Options, name: str) -> datetime:
    text = options.get(name)
    if not text:
        raise Refused(f"{name}: required in the query.")
    try:
        return parse_moment(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(f"{name}: {text[:50]!r} is no date and time.") from None


def _comment(options: Options) -> str:
    comment = options.get("comment") or ""
    if len(comment) > MAX_TEXT:
        raise Refused(f"comment: {len(comment)} characters, {MAX_TEXT} are allowed.")
    return comment
