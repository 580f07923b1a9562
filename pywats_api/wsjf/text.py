"""Text as a report may carry it: the server keeps reports as XML, which cannot hold every character."""

import re

# Tab, line feed and carriage return are the only control characters XML 1.0 keeps. A lone surrogate has no
# UTF-8 form, and a byte order mark inside text is refused like the two non-characters beside it.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]",
)


def find_forbidden(text: str) -> str | None:
    """Name the first character of `text` that no report can hold, as ``U+0007 at position 3``; else None."""
    found = _FORBIDDEN.search(text)
    if found is None:
        return None
    return f"U+{ord(found.group()):04X} at position {found.start()}"


def clean_text(text: str, max_length: int) -> str:
    """Make any text fit for a report.

    Characters that XML cannot hold are dropped, blanks at both ends are trimmed, and what is longer than
    `max_length` characters is cut. The answer may be empty: required members need a placeholder then.
    """
    return _FORBIDDEN.sub("", text).strip()[:max_length].rstrip()


def refuse_forbidden(text: str) -> str:
    """Field validator: pass `text` on, or refuse it with the reason and the remedy."""
    found = find_forbidden(text)
    if found is not None:
        raise ValueError(f"holds {found}, which the server cannot store; put the text through clean_text()")
    return text
