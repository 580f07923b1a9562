"""What bridges ask of the journal in PostgreSQL all the time, many callers in one statement."""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pywats_events.event import Event
from pywats_events.journal.fingerprint import fingerprint
from pywats_events.journal.postgres_values import CODES, digest, text, untext
from pywats_events.journal.postgres_writer import Question, Row
from pywats_events.journal.records import (
    Appended,
    Bury,
    Completed,
    Delivery,
    DeliveryState,
    Fact,
    Park,
    RawRecord,
    Receipt,
    Release,
    RetryAt,
    Verdict,
)
from pywats_events.journal.stored_values import attempt, document, event_of, moment, stamp, to_json
from pywats_events.message import Unreadable

#: Bytes are compressed once and mostly never read again.
_COMPRESSION: Final = 1
#: A message to the server can't be longer than 1 GB.
MOST_BYTES: Final = 500_000_000


def unit_digest(event: Event) -> bytes | None:
    """Give what finds an event by its unit; None when its key does that."""
    unit = event.payload.get("unit_id")
    return digest(unit) if isinstance(unit, str) and unit and unit != event.key else None


def _call(function: str, *types: str) -> str:
    # %b: as text, arrays take several times as long
    arguments = ", ".join(f"{'%b' if kind.endswith('[]') else '%s'}::{kind}" for kind in types)
    return f"SELECT * FROM {function}({arguments})"  # noqa: S608  # words of ours


# --- append -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AppendRequest:
    """Receipts to be written down, with what takes time done already.

    Attributes:
        receipts: what is to be written down.
        now: when, in microseconds.
        bodies: the receipts' bytes, compressed.
        documents: the documents of their events, in order.
    """

    receipts: Sequence[Receipt]
    now: int
    bodies: Sequence[bytes | None]
    documents: Sequence[bytes]

    @classmethod
    def of(cls, receipts: Sequence[Receipt], now: int) -> AppendRequest:
        """Make it.

        Raises:
            ValueError: it is more than one statement can take, or an event is no JSON.
        """
        bodies = [zlib.compress(one.raw.body, _COMPRESSION) if one.raw else None for one in receipts]
        documents = [document(routed.event) for one in receipts for routed in one.events]
        request = cls(receipts, now, bodies, documents)
        if request.size > MOST_BYTES:
            raise ValueError(
                f"{len(receipts)} messages take {request.size:,} bytes in the journal; PostgreSQL takes at "
                f"most {MOST_BYTES:,} at one time"
            )
        return request

    @property
    def size(self) -> int:
        """About how many bytes it sends."""
        return sum(len(body or b"") for body in self.bodies) + sum(map(len, self.documents))


def _columns(number: int) -> list[list[Any]]:
    return [[] for _ in range(number)]


class _Sheet:
    """The columns of the arrays that ``append`` takes."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.receipts = _columns(8)
        self.events = _columns(14)
        self.deliveries = _columns(2)
        self.facts = _columns(5)

    @staticmethod
    def add(columns: list[list[Any]], *values: Any) -> int:
        for column, value in zip(columns, values, strict=True):
            column.append(value)
        return len(columns[0])


def _append_parameters(requests: Sequence[AppendRequest]) -> Sequence[Any]:
    sheet = _Sheet()
    for request in requests:
        documents = iter(request.documents)
        for receipt, body in zip(request.receipts, request.bodies, strict=True):
            _write(sheet, receipt, body, documents, request.now)
    return (
        *sheet.receipts,
        *sheet.events,
        *sheet.deliveries,
        *sheet.facts,
        max(request.now for request in requests),
    )


def _write(sheet: _Sheet, receipt: Receipt, body: bytes | None, documents: Iterator[bytes], now: int) -> None:
    number = len(sheet.receipts[0]) + 1
    seen = stamp(receipt.raw.received_at) if receipt.raw else now
    repeats = 0
    for routed, stored in zip(receipt.events, documents, strict=False):
        event = routed.event
        if event.id in sheet.known:
            repeats += 1
            continue
        sheet.known.add(event.id)
        at = sheet.add(
            sheet.events,
            *(number, digest(event.id), text(event.id), stored),
            *(digest(event.key), unit_digest(event), text(event.key), event.event_type.value),
            *(text(event.source), text(event.metadata.message_name), None, None, None, None),
        )
        for handler in routed.handlers:
            sheet.add(sheet.deliveries, at, text(handler))
    for part in receipt.unreadable:
        if part.id in sheet.known:
            repeats += 1
            continue
        sheet.known.add(part.id)
        sheet.add(sheet.deliveries, sheet.add(sheet.events, number, *_part(part, seen)), "")
    for fact in receipt.facts:
        sheet.add(sheet.facts, number, *_fact(fact))
    sheet.add(sheet.receipts, *_receipt(receipt.raw, body, seen, repeats))


def _receipt(raw: RawRecord | None, body: bytes | None, seen: int, repeats: int) -> tuple[Any, ...]:
    if raw is None:
        return ("", seen, repeats, None, "", None, None, "{}")
    return (
        *(text(raw.transport), seen, repeats, body, text(raw.address)),
        *(text(raw.content_type), text(raw.content_encoding), to_json(raw.properties)),
    )


def _part(part: Unreadable, seen: int) -> tuple[Any, ...]:
    return (
        *(digest(part.id), text(part.id), None, None, None, None, None, text(part.source)),
        *(
            text(part.message_name),
            text(part.error),
            text(part.reason),
            attempt(seen, part.error, part.reason),
        ),
        fingerprint("", part.error, part.reason),
    )


def _fact(fact: Fact) -> tuple[Any, ...]:
    value = json.dumps(fact.value, separators=(",", ":"))
    return digest(fact.key), text(fact.key), value, stamp(fact.time)


def _append_answers(requests: Sequence[AppendRequest], rows: Sequence[Row]) -> list[list[Appended]]:
    fates = iter(rows)
    known: dict[str, bool] = {}  # id -> whether it is open
    return [[_appended(receipt, known, fates) for receipt in request.receipts] for request in requests]


def _appended(receipt: Receipt, known: dict[str, bool], fates: Any) -> Appended:
    new: list[str] = []
    duplicates: list[str] = []
    named = [routed.event.id for routed in receipt.events]
    for at, event_id in enumerate((*named, *(part.id for part in receipt.unreadable))):
        is_new = False
        if event_id not in known:
            is_new, known[event_id] = next(fates)
        if not is_new:
            duplicates.append(event_id)
        elif at < len(named):
            new.append(event_id)
    return Appended(tuple(new), tuple(duplicates), tuple(one for one in named if known[one]))


APPEND: Final = Question(
    _call(
        "append",
        *("text[]", "bigint[]", "int[]", "bytea[]", "text[]", "text[]", "text[]", "text[]"),
        *(
            "int[]",
            "bytea[]",
            "text[]",
            "bytea[]",
            "bytea[]",
            "bytea[]",
            "text[]",
            "text[]",
            "text[]",
            "text[]",
        ),
        *("text[]", "text[]", "text[]", "text[]"),
        *("int[]", "text[]"),
        *("int[]", "bytea[]", "text[]", "text[]", "bigint[]"),
        "bigint",
    ),
    _append_parameters,
    _append_answers,
    weight=lambda request: request.size,
    rank=2,
)


# --- facts --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LearnRequest:
    """Facts to be written down."""

    facts: Sequence[Fact]
    now: int


def _learn_parameters(requests: Sequence[LearnRequest]) -> Sequence[Any]:
    columns = [
        list(column) for column in zip(*(_fact(fact) for one in requests for fact in one.facts), strict=True)
    ]
    return *(columns or ([], [], [], [])), max(one.now for one in requests)


def _no_answers(requests: Sequence[Any], _: Sequence[Row]) -> list[None]:
    return [None] * len(requests)


LEARN: Final = Question(
    _call("learn", "bytea[]", "text[]", "text[]", "bigint[]", "bigint"),
    _learn_parameters,
    _no_answers,
    rank=1,
)


def _recall_answers(
    requests: Sequence[Collection[str]], rows: Sequence[Row]
) -> list[Mapping[str, Mapping[str, Any]]]:
    known = {untext(key): value for key, value in rows}
    return [{key: json.loads(known[key]) for key in keys if key in known} for keys in requests]


RECALL: Final = Question(
    "SELECT f.key, f.value FROM unnest(%b::bytea[]) AS wanted (hash) "
    "CROSS JOIN LATERAL (SELECT key, value FROM facts WHERE hash = wanted.hash LIMIT 1) f",
    lambda requests: ([digest(key) for key in {key for keys in requests for key in keys}],),
    _recall_answers,
)


@dataclass(frozen=True, slots=True)
class UnparkRequest:
    """What is announced."""

    on: str
    now: int


UNPARK: Final[Question[UnparkRequest, int]] = Question(
    _call("unpark", "bytea[]", "bigint"),
    lambda requests: ([digest(requests[0].on)], requests[0].now),
    lambda _, rows: [int(rows[0][0])],
    kin=id,  # each has its own number
    rank=1,
)


# --- claim --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What a worker wants; times in microseconds."""

    limit: int
    now: int
    until: int
    handlers: frozenset[str]
    newest_only: frozenset[str]
    since: int


@dataclass(slots=True)
class Claimed:
    """What a claim gave.

    Attributes:
        deliveries: those that are claimed.
        unreadable: rows of claimed ones whose event can't be read any more.
        closed: ids of the events that later ones have closed.
        next_due: when something is due next.
    """

    deliveries: list[Delivery]
    unreadable: list[Row]
    closed: list[str]
    next_due: int | None


def _claim_parameters(requests: Sequence[ClaimRequest]) -> Sequence[Any]:
    first = requests[0]
    return (
        [text(name) for name in first.handlers],
        [text(name) for name in first.newest_only],
        first.since,
        sum(max(0, one.limit) for one in requests),
        max(one.now for one in requests),
        max(one.until for one in requests),
    )


def _claim_answers(requests: Sequence[ClaimRequest], rows: Sequence[Row]) -> list[Claimed]:
    taken = iter([row for row in rows if row[0] is not None])
    closed = [untext(row[6]) for row in rows if row[6] is not None]
    next_due = rows[-1][7]
    answers: list[Claimed] = []
    for request in requests:
        answer = Claimed([], [], closed, next_due)
        closed = []
        for _, row in zip(range(request.limit), taken, strict=False):
            seq, stored, handler, tries, first_seen, claim, *_rest = row
            event = event_of(stored)
            if event is None:
                answer.unreadable.append(row)
            else:
                answer.deliveries.append(
                    Delivery(str(seq), event, untext(handler), tries, moment(first_seen), claim)
                )
        answers.append(answer)
    return answers


CLAIM: Final = Question(
    _call("claim", "text[]", "text[]", "bigint", "int", "bigint", "bigint"),
    _claim_parameters,
    _claim_answers,
    kin=lambda one: (one.handlers, one.newest_only, one.since, (one.until - one.now) // 1_000_000),
    rank=5,
)


@dataclass(frozen=True, slots=True)
class ExtendRequest:
    """Claims to be kept for longer."""

    deliveries: Sequence[Delivery]
    until: int


def _extend_parameters(requests: Sequence[ExtendRequest]) -> Sequence[Any]:
    held = [one for request in requests for one in request.deliveries]
    until = max(request.until for request in requests)
    return [int(one.id) for one in held], [one.claim for one in held], until


EXTEND: Final = Question(
    _call("extend", "bigint[]", "bigint[]", "bigint"), _extend_parameters, _no_answers, rank=4
)


# --- settle -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict as the server takes it."""

    seq: int
    claim: int
    handler: str
    event_id: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class SettleRequest:
    """Verdicts to be written down.

    Attributes:
        skew: microseconds by which the server's clock is before ours.
    """

    rulings: Sequence[Ruling]
    now: int
    skew: int


def ruling(verdict: Verdict) -> Ruling:
    """Make it of a verdict."""
    one = verdict.delivery
    return Ruling(int(one.id), one.claim, one.handler, one.event.id, verdict)


def _settle_parameters(requests: Sequence[SettleRequest]) -> Sequence[Any]:
    verdicts, parked = _columns(10), _columns(4)
    for number, (request, one) in enumerate(_rulings(requests), start=1):
        for column, value in zip(verdicts, _verdict(one, request.now, request.skew), strict=True):
            column.append(value)
        if isinstance(one.verdict, Park):
            for place, name in enumerate(dict.fromkeys(one.verdict.on)):
                for column, value in zip(parked, (number, digest(name), text(name), place), strict=True):
                    column.append(value)
    return *verdicts, *parked, max(request.now for request in requests)


def _rulings(requests: Sequence[SettleRequest]) -> Iterable[tuple[SettleRequest, Ruling]]:
    """Give each ruling once: of two on one claim the first counts."""
    seen: dict[tuple[int, int], tuple[SettleRequest, Ruling]] = {}
    for request in requests:
        for one in request.rulings:
            seen.setdefault((one.seq, one.claim), (request, one))
    return seen.values()


def _verdict(one: Ruling, now: int, skew: int) -> tuple[Any, ...]:
    verdict = one.verdict
    state, due = _state(verdict, skew)
    rule = said = error = reason = failed = cause = None
    if isinstance(verdict, Completed):
        rule, said = verdict.rule, to_json(verdict.detail) if verdict.detail else None
    elif not isinstance(verdict, Release):
        error, reason = verdict.error, verdict.reason
        if not isinstance(verdict, Park):
            failed = attempt(now, error, reason)
        if isinstance(verdict, Bury):
            cause = fingerprint(one.handler, error, reason)
    return one.seq, one.claim, CODES[state], due, text(error), text(reason), text(rule), said, failed, cause


def _state(verdict: Verdict, skew: int) -> tuple[DeliveryState, int | None]:
    """Give the state after a verdict, and when something happens by itself then."""
    match verdict:
        case Completed(rule=rule):
            return DeliveryState.DROPPED if rule else DeliveryState.DONE, None
        case Park(until=until):
            return DeliveryState.PARKED, None if until is None else stamp(until) + skew
        case RetryAt(at=at):
            return DeliveryState.WAITING, stamp(at) + skew
        case Bury():
            return DeliveryState.DEAD, None
        case Release():
            return DeliveryState.PENDING, None


def _settle_answers(requests: Sequence[SettleRequest], rows: Sequence[Row]) -> list[list[str]]:
    order = list(_rulings(requests))
    closed: defaultdict[int, list[str]] = defaultdict(list)
    for (number,) in rows:
        request, one = order[number - 1]
        closed[id(request)].append(one.event_id)
    return [closed[id(request)] for request in requests]


SETTLE: Final = Question(
    _call(
        "settle",
        *(
            "bigint[]",
            "bigint[]",
            "int[]",
            "bigint[]",
            "text[]",
            "text[]",
            "text[]",
            "text[]",
            "text[]",
            "text[]",
        ),
        *("int[]", "bytea[]", "text[]", "int[]"),
        "bigint",
    ),
    _settle_parameters,
    _settle_answers,
    rank=3,
)
