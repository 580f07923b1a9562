"""Tags: what users write beside the members that WATS knows, as pairs of key and value."""

from collections.abc import Iterable, Mapping
from typing import Any

from pywats_api.records import Record


class Setting(Record):
    """One tag of a product, revision, unit or ticket. `tag["key"]` reads it as well as `tag.key`."""

    key: str
    value: str | None = None

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """The member of this name, `default` where there is none."""
        return getattr(self, name, default)


Tags = Iterable[Setting | Mapping[str, Any]]


def as_settings(tags: Tags) -> list[Setting]:
    """Tags given as records or as plain dictionaries.

    Raises:
        ValueError: one of them has no key.
    """
    return [tag if isinstance(tag, Setting) else Setting.model_validate(dict(tag)) for tag in tags]


def merged(old: Tags, new: Tags) -> list[Setting]:
    """The old tags with the new ones added; a key that is there already gets the new value, in its place."""
    by_key = {tag.key: tag for tag in as_settings(old)}
    by_key.update({tag.key: tag for tag in as_settings(new)})
    return list(by_key.values())
