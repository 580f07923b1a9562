"""Pieces of pages: tables, lists of facts, links."""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlencode

from pywats_api.server.pages import shown


def link(path: str, text: object, **query: object) -> str:
    """A link; its query and text may hold anything."""
    target = f"{path}?{urlencode(query)}" if query else path
    return f'<a href="{shown(target)}">{shown(text)}</a>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> str:
    """A table of cells that are HTML already; `empty` in place of one without rows."""
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    if not lines:
        return f"<p>{shown(empty)}</p>"
    head = "".join(f"<th>{shown(name)}</th>" for name in heads)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def facts(entries: Mapping[str, str]) -> str:
    """Names and values that are HTML already; those without a value are left out."""
    listing = "".join(f"<dt>{shown(name)}</dt><dd>{value}</dd>" for name, value in entries.items() if value)
    return f"<dl>{listing}</dl>"


def tags_of(tags: Iterable[Mapping[str, object]] | None) -> str:
    """Tags in a line."""
    return shown(", ".join(f"{tag['key']}: {tag.get('value') or ''}" for tag in tags or ()))


def further(path: str, count: int, per_page: int, skip: int) -> str:
    """A link to the next page where this one is full."""
    return f"<p>{link(path, 'more', skip=skip + per_page)}</p>" if count == per_page else ""
