"""Reading the server's answers: their JSON, the reason inside an error, and how long to wait."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

_MAX_TEXT = 2000
# Servers have no fixed form for errors; these members were seen, the most telling first.
_REASON_MEMBERS = ("message", "Message", "error", "detail", "title")
_MORE_MEMBERS = ("ExceptionMessage", "ModelState", "errors")
_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def error_text(body: bytes) -> str:
    """The reason a server gives for its refusal, whatever form the body has; a few kB at most."""
    text = body[: _MAX_TEXT * 20].decode("utf-8", errors="replace").strip()
    try:
        document = json.loads(text)
    except ValueError:
        return _shorten(_TAG.sub(" ", text) if text.startswith("<") else text)
    return _shorten(_reason_in(document) or text)


def _reason_in(document: Any) -> str:
    if isinstance(document, str):
        return document
    if not isinstance(document, Mapping):
        return ""
    reason = next((_as_text(document[name]) for name in _REASON_MEMBERS if document.get(name)), "")
    more = [f"{name}: {_as_text(document[name])}" for name in _MORE_MEMBERS if document.get(name)]
    return "; ".join(filter(None, [reason, *more]))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"


def status_phrase(status_code: int) -> str:
    """The number and its name, such as ``404 Not Found``."""
    try:
        return f"{status_code} {HTTPStatus(status_code).phrase}"
    except ValueError:
        return str(status_code)


def retry_after_seconds(header: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds to wait after a ``Retry-After`` header in either form; None where it says nothing usable."""
    if header is None:
        return None
    header = header.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", header):
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000" means UTC of unknown origin
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
