"""Magazines of boards, as board handling (IPC-HERMES-9852) knows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pywats_cfx.mapping.origin import Origin
from pywats_cfx.mapping.values import text, work_order
from pywats_events.event import Event, EventType
from pywats_events.payloads import Board, MagazineMovedEvent

if TYPE_CHECKING:
    from pywats_cfx.messages import MagazineArrived, MagazineDeparted
    from pywats_cfx.messages import structures as cfx


def arrived(message: MagazineArrived, origin: Origin) -> Iterator[Event]:
    """One MAGAZINE_ARRIVED; none where no magazine is named."""
    if message.magazine_data is not None:
        yield origin.event(EventType.MAGAZINE_ARRIVED, _moved(message.magazine_data, origin))


def departed(message: MagazineDeparted, origin: Origin) -> Iterator[Event]:
    """One MAGAZINE_DEPARTED; none where no magazine is named."""
    if message.magazine_data is not None:
        yield origin.event(EventType.MAGAZINE_DEPARTED, _moved(message.magazine_data, origin))


def _moved(magazine: cfx.Magazine, origin: Origin) -> MagazineMovedEvent:
    return MagazineMovedEvent(
        asset_id=origin.source,
        magazine_id=text(magazine.magazine_id),
        boards=[_board(each) for each in magazine.hermes_units],
    )


_FAILED: Final = {0: "unknown", 1: "good", 2: "failed"}
_FLIPPED: Final = {0: "unknown", 1: "top side up", 2: "bottom side up"}


def _board(given: cfx.HermesUnit) -> Board:
    failed, flipped = given.failed_board, given.flipped_board
    return Board(
        slot=given.slot_id,
        hermes_id=text(given.board_id),
        product=text(given.product_type_id),
        top_barcode=text(given.top_barcode),
        bottom_barcode=text(given.bottom_barcode),
        failed=None if failed is None else _FAILED.get(failed, str(failed)),
        flipped=None if flipped is None else _FLIPPED.get(flipped, str(flipped)),
        work_order=work_order(given.work_order_identifier),
    )
