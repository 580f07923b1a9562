"""What people ask of a bridge that runs, through the journal that it runs on.

A journal in SQLite has one process that writes. Whoever wants something written while a bridge has it leaves
a request as a note, and the bridge does it and leaves its answer as another: no port, no socket, nobody to
log in but who may write the file, and the same on every system.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import structlog

from pywats_events.bus.dead_letters import DeadLetters
from pywats_events.journal import DeliveryState, Journal, JournalError, Query
from pywats_events.journal.sqlite import SQLiteJournal

log = structlog.get_logger(__name__)

#: Beginnings of the names of the notes.
REQUESTS: Final = "request:"
ANSWERS: Final = "answer:"
#: Seconds between two looks of the bridge, and of whoever waits for its answer.
LOOK_EVERY: Final = 1.0
ASK_EVERY: Final = 0.1
#: Seconds after which an answer that nobody has fetched is forgotten.
KEEP_ANSWERS: Final = 3600.0
#: Dead letters that are discarded in one commit, so that deliveries need not wait for long.
SLICE: Final = 500


class NotAnswered(JournalError):  # noqa: N818  # says what has happened
    """The bridge did not answer; the request was taken back, if it was not begun."""


# --- what can be asked for -------------------------------------------------------------------------------


async def discard(letters: DeadLetters, query: Query, *, reason: str) -> int:
    """Discard the oldest ``limit`` dead letters of a query, slice by slice; give their number."""
    number = 0
    while number < query.limit:
        limit = min(SLICE, query.limit - number)
        found = await letters.find(replace(query, limit=limit))
        if not found:
            break
        ids = tuple(entry.id for entry in found)
        number += await letters.discard(Query(ids=ids, limit=len(ids)), reason=reason)
    return number


async def prune(journal: Journal, *, done_before: datetime) -> int:
    """Remove what is done; see ``Journal.prune``."""
    return await journal.prune(done_before=done_before)


def _plain(query: Query) -> dict[str, Any]:
    """Give a query as plain JSON data."""
    return {
        "ids": list(query.ids),
        "since": query.since and query.since.isoformat(),
        "before": query.before and query.before.isoformat(),
        **{name: getattr(query, name) for name in _TEXTS},
        "limit": query.limit,
    }


def _query(plain: Mapping[str, Any]) -> Query:
    values: dict[str, Any] = {name: plain[name] for name in _TEXTS}
    for name in ("since", "before"):
        values[name] = plain[name] and datetime.fromisoformat(plain[name])
    return Query(
        ids=tuple(plain["ids"]),
        states=(DeliveryState.DEAD,),
        limit=plain["limit"],
        **values,
    )


_TEXTS: Final = ("handler", "error", "unit", "source", "message_name", "text", "fingerprint")


# --- the side of whoever asks ----------------------------------------------------------------------------


async def ask_to_discard(journal: Journal, query: Query, *, reason: str, patience: float) -> int:
    """Have the running bridge discard; raises as ``_ask``."""
    return int(await _ask(journal, {"discard": _plain(query), "reason": reason}, patience))


async def ask_to_prune(journal: Journal, *, done_before: datetime, patience: float) -> int:
    """Have the running bridge prune; raises as ``_ask``."""
    return int(await _ask(journal, {"prune": done_before.isoformat()}, patience))


async def _ask(journal: Journal, request: Mapping[str, Any], patience: float) -> Any:
    """Leave a request, wait for the answer.

    Raises:
        NotAnswered: nobody has answered in so many seconds.
        JournalError: it can't be done, or the journal can't be read.
    """
    name = uuid4().hex
    await journal.put_note(REQUESTS + name, request)
    try:
        async with asyncio.timeout(patience):
            while (answer := (await journal.notes(ANSWERS + name)).get(ANSWERS + name)) is None:  # noqa: ASYNC110
                await asyncio.sleep(ASK_EVERY)  # another process answers, and can wake nobody
    except TimeoutError:
        raise NotAnswered(
            f"the process that has the journal did not answer within {patience:g} s; what it has not begun "
            "was taken back; see whether the bridge runs and what its log says"
        ) from None
    finally:
        await journal.put_note(REQUESTS + name, None)
    await journal.put_note(ANSWERS + name, None)
    if "error" in answer:
        raise JournalError(answer["error"])
    return answer["done"]


# --- the side of the bridge ------------------------------------------------------------------------------


@asynccontextmanager
async def answering(journal: Journal, letters: DeadLetters) -> AsyncIterator[None]:
    """Do what people ask for, while inside. In a journal that is no file they do it themselves."""
    if not isinstance(journal, SQLiteJournal):
        yield
        return
    task = asyncio.create_task(_answer_all(journal, letters), name="requests")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _answer_all(journal: Journal, letters: DeadLetters) -> None:
    while True:
        try:
            await _answer_once(journal, letters)
        except JournalError as error:
            log.error("requests can't be read; trying again", error=str(error))  # noqa: TRY400  # the text says it
        except Exception:  # the one who sees to it that there is an answer to the next one
            log.exception("request failed")
        await asyncio.sleep(LOOK_EVERY)


async def _answer_once(journal: Journal, letters: DeadLetters) -> None:
    for name, request in (await journal.notes(REQUESTS)).items():
        answer = await _answer(journal, letters, request)
        at = datetime.now(UTC).isoformat()
        # first the answer: when this ends between the two it is done again, and finds nothing to do
        await journal.put_note(ANSWERS + name.removeprefix(REQUESTS), {**answer, "at": at})
        await journal.put_note(name, None)
    await _forget_old_answers(journal)


async def _answer(journal: Journal, letters: DeadLetters, request: Any) -> dict[str, Any]:
    try:
        match request:
            case {"discard": dict() as which, "reason": str() as reason}:
                number = await discard(letters, _query(which), reason=reason)
                log.info("dead letters discarded, as was asked for", letters=number, reason=reason)
            case {"prune": str() as before}:
                number = await prune(journal, done_before=datetime.fromisoformat(before))
                log.info("journal pruned, as was asked for", entries=number, done_before=before)
            case _:
                return {"error": "the running bridge does not know this request; is it of another version?"}
    except (JournalError, KeyError, TypeError, ValueError) as error:
        log.warning("request could not be done", error=str(error))
        return {"error": f"the running bridge could not do it: {error}"}
    return {"done": number}


async def _forget_old_answers(journal: Journal) -> None:
    too_old = datetime.now(UTC) - timedelta(seconds=KEEP_ANSWERS)
    for name, answer in (await journal.notes(ANSWERS)).items():
        if datetime.fromisoformat(answer["at"]) < too_old:
            await journal.put_note(name, None)
