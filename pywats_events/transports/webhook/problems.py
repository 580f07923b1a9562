"""Answers that say what is wrong, as problem documents (RFC 9457)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import JSONResponse

MEDIA_TYPE: Final = "application/problem+json"

#: Longest reason that is given back; what is wrong may quote the body.
_LONGEST: Final = 500
#: Most parts of a batch whose reasons are told.
_MOST_ERRORS: Final = 20


class Problem(Exception):  # noqa: N818  # the word of the RFC
    """A call that is answered with a problem document.

    Args:
        status: HTTP status.
        detail: what is wrong and what to do, for the caller.
        reason: what our log says in place of it.
        retry_after: seconds after which the caller may try again.
        errors: what is wrong with the parts of a batch, one each.
        headers: headers of the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        reason: str = "",
        retry_after: float | None = None,
        errors: Sequence[str] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = _short(detail)
        self.reason = reason or self.detail or HTTPStatus(status).phrase
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
        self._errors = errors

    def response(self) -> JSONResponse:
        """Give the answer."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
        }
        if self.detail:
            document["detail"] = self.detail
        if self._errors:
            document["errors"] = [{"detail": _short(error)} for error in self._errors[:_MOST_ERRORS]]
        return JSONResponse(document, self.status, self.headers, MEDIA_TYPE)


def unauthorized(reason: str) -> Problem:
    """Make the one answer to all who did not show who they are; the reason is for our log."""
    return Problem(401, reason=reason, headers={"WWW-Authenticate": 'Bearer realm="webhooks"'})


def _short(text: str) -> str:
    plain = text.encode(errors="replace").decode()  # half characters can't be written
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 3]}..."
