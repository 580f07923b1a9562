"""What joins dead letters that died of one cause."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

#: Reasons are read so far; what comes after says nothing more about the cause.
_READ: Final = 500

#: What differs between two errors of one cause: quoted parts, ids, numbers. No part of it can match in two
#: ways, so it takes one pass whatever the text.
_VARIABLE: Final = re.compile(
    r'"[^"]*"'
    r"|(?<!\w)'[^']*'"
    r"|`[^`]*`"
    r"|//[^\s,;]+"
    r"|\b(?=\w*\d)[\w.:+-]*\w"
)


def pattern(reason: str) -> str:
    """Give a reason with "…" in the place of what differs from one dead letter to the next."""
    return _VARIABLE.sub("…", reason[:_READ])


def fingerprint(handler: str, error: str, reason: str) -> str:
    """Give what joins dead letters: handler, class of the error, and the pattern of its text."""
    cause = "\n".join((handler, error, pattern(reason)))
    return sha256(cause.encode(errors="surrogatepass")).hexdigest()[:16]
