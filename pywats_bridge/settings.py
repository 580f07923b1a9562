"""Reading the configuration: bridge.toml, the environment, and files that hold secrets."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, SettingsError

from handlers import Rules
from pywats_bridge.mistakes import SECRET_FILES, ConfigurationError, key_at, lines_of, meant
from pywats_bridge.sections import (
    JOURNAL_FILE,
    BridgeSettings,
    DeliverySettings,
    JournalSettings,
    MQTTSettings,
    ValidationSettings,
    WatsSettings,
)

__all__ = [
    "SOURCES",
    "BridgeSettings",
    "ConfigurationError",
    "DeliverySettings",
    "JournalSettings",
    "MQTTSettings",
    "ValidationSettings",
    "WatsSettings",
    "journal_settings_of",
    "load",
    "rules_of",
    "settings_of",
]

_OTHER_FILES: Final = frozenset({"ca_file", "cert_file", "key_file"})
#: What the reader of TOML says of the backslashes of a Windows path in double quotes.
_BACKSLASH: Final = re.compile("Unescaped|hex value|escaped character")
#: Stands for a secret whose file can't be read: that mistake is told, and no other one of it.
_UNREAD: Final = "A" * 32
_SAME_SECRET: Final = {**SECRET_FILES, **{secret: file for file, secret in SECRET_FILES.items()}}
#: The sections of which one at least must be there: where messages come from.
SOURCES: Final = frozenset({"cfx", "mqtt", "webhook"})
_NO_SOURCE: Final = (
    "add [cfx.amqp] with host, username and password of the broker, or [cfx.endpoint] with listen, for "
    "machines that connect to us; or [mqtt] with host and [[mqtt.subscriptions]]; or [webhook] with "
    "[[webhook.hooks]]"
)


def load(path: Path) -> BridgeSettings:
    """Read the configuration.

    Raises:
        ConfigurationError: it can't be read or used; each mistake has its line.
    """
    return settings_of(_toml(path), base=path.parent)


def rules_of(path: Path) -> Rules:
    """Read only the rules, of file and environment, for what needs no server and no secret.

    Raises:
        ConfigurationError: they can't be read or used.
    """
    mistakes: list[str] = []
    given = _merged(_sorted_by_section(_toml(path), mistakes), _environment(mistakes))
    if mistakes:
        raise ConfigurationError(mistakes)
    try:
        return Rules.model_validate(given.get("rules", {}))
    except ValidationError as error:
        raise ConfigurationError(list(lines_of(error, prefix=("rules",)))) from None


def journal_settings_of(path: Path) -> JournalSettings:
    """Read only where the journal is, of file and environment, for what needs no WATS and no broker.

    Raises:
        ConfigurationError: it can't be read or used.
    """
    mistakes: list[str] = []
    given = _merged(_toml(path), _environment(mistakes))
    values = _with_files(given.get("journal", {}), path.parent, ("journal",), mistakes)
    if mistakes:
        raise ConfigurationError(mistakes)
    try:
        return JournalSettings.model_validate(_beside(values, path.parent))
    except ValidationError as error:
        raise ConfigurationError(list(lines_of(error, prefix=("journal",)))) from None


def settings_of(document: Mapping[str, Any], *, base: Path) -> BridgeSettings:
    """Make settings of a configuration document and the environment; the environment wins.

    Args:
        document: what stands in the file.
        base: folder that relative paths start from.

    Raises:
        ConfigurationError: it can't be used.
    """
    mistakes: list[str] = []
    given = _merged(_sorted_by_section(document, mistakes), _environment(mistakes))
    values = {
        name: value if name == "rules" else _with_files(value, base, (name,), mistakes)
        for name, value in given.items()
    }
    values["journal"] = _beside(values.get("journal", {}), base)
    if not any(_brings_messages(name, values.get(name)) for name in SOURCES):
        mistakes.append(f"cfx: is missing; {_NO_SOURCE}")
    try:
        settings = BridgeSettings(**values)
    except ValidationError as error:
        raise ConfigurationError([*mistakes, *lines_of(error)]) from None
    if mistakes:
        raise ConfigurationError(mistakes)
    return settings


def _brings_messages(name: str, section: Any) -> bool:
    if name == "mqtt" and isinstance(section, Mapping):
        return "subscriptions" in section
    return section is not None


def _beside(journal: Any, base: Path) -> Any:
    """Let the journal's path start from the configuration's folder, whether it is given or not."""
    if isinstance(journal, Mapping) and isinstance(journal.get("path", ""), str):
        return {**journal, "path": base / journal.get("path", JOURNAL_FILE)}
    return journal


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError([f"{path}: there is no such file; give another one with --config"]) from None
    except OSError as error:
        raise ConfigurationError([f"{path}: can't be read: {error.strerror or error}"]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        said = f"{path}: can't be read: line {line} is not in UTF-8; save the file as UTF-8"
        raise ConfigurationError([said]) from None
    except tomllib.TOMLDecodeError as error:
        hint = "; write a path with /, or in single quotes" if _BACKSLASH.search(str(error)) else ""
        raise ConfigurationError([f"{path}: not TOML: {error}{hint}"]) from None


def _sorted_by_section(document: Mapping[str, Any], mistakes: list[str]) -> dict[str, Any]:
    """Put the rules, which stand at the top of the file, into a section of their own."""
    if "rules" in document:
        mistakes.append("rules: no such key; stations, recipes and the other rules stand at the top")
    rules = {key: value for key, value in document.items() if key in Rules.model_fields}
    values = {key: value for key, value in document.items() if key not in rules}
    return {**values, "rules": rules} if rules else values


class _Environment(EnvSettingsSource):
    """Environment variables; those of rules are called as they would stand in the file."""

    def __init__(self) -> None:
        super().__init__(BridgeSettings)
        self.unreadable = ""
        self._names = {self._place(name): name for name in self.env_vars}
        self.env_vars = {place: self.env_vars[name] for place, name in self._names.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        """Read JSON, and remember which variable holds none."""
        try:
            return super().decode_complex_value(field_name, field, value)  # type: ignore[arg-type]
        except ValueError:
            place = next((place for place, given in self.env_vars.items() if given is value), field_name)
            self.unreadable = self._names.get(place, place).upper()
            raise

    def mistyped(self) -> Iterator[str]:
        """Give a line for each variable that means a section and hits none; others may be other programs'.

        A Kubernetes service of our name, for instance, sets ``PYWATS_BRIDGE_PORT``.
        """
        sections = {*BridgeSettings.model_fields, *Rules.model_fields}
        prefix = self.env_prefix.lower()
        for name in self._names.values():
            section, has_way, _ = name.removeprefix(prefix).partition("__")
            if not name.startswith(prefix) or section in sections:
                continue
            if has_way:
                yield f"{name.upper()}: no such key{meant((section,))}"
            elif section.startswith(tuple(f"{known}_" for known in sections)):
                yield f"{name.upper()}: no such key; two underscores stand after a section, as in WATS__TOKEN"

    def _place(self, name: str) -> str:
        prefix = self.env_prefix.lower()
        key = name.removeprefix(prefix)
        is_rule = key != name and key.partition("__")[0] in Rules.model_fields
        return f"{prefix}rules__{key}" if is_rule else name


def _environment(mistakes: list[str]) -> dict[str, Any]:
    source = _Environment()
    mistakes += source.mistyped()
    try:
        return source()
    except SettingsError:  # "from" it nothing: it quotes the value
        mistakes.append(f"{source.unreadable}: is not JSON, which lists and tables in the environment are")
        return {}


def _merged(document: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, Any]:
    """Let the environment win, key by key; a secret wins over its file, and a file over its secret."""
    values = {key: value for key, value in document.items() if _SAME_SECRET.get(key) not in environment}
    for key, value in environment.items():
        below = values.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            values[key] = _merged(below, value)
        else:
            values[key] = value
    return values


def _with_files(value: Any, base: Path, where: tuple[int | str, ...], mistakes: list[str]) -> Any:
    """Read the files that hold secrets; let the paths of other files start from the right folder."""
    if isinstance(value, list):
        return [_with_files(inner, base, (*where, number), mistakes) for number, inner in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    values: dict[str, Any] = {}
    for key, inner in value.items():
        if key in SECRET_FILES:
            name = SECRET_FILES[key]
            if name in value:
                mistakes.append(f"{key_at((*where, key))}: {name} is given too: give one of them")
            content = _content(inner, base, (*where, key), mistakes)
            if content is not None:
                values[name] = content
            elif name != "url":
                values[name] = _UNREAD
        elif key in _OTHER_FILES:
            if _content(inner, base, (*where, key), mistakes) is not None:
                values[key] = base / inner
        else:
            values[key] = _with_files(inner, base, (*where, key), mistakes)
    return values


def _content(path: Any, base: Path, where: tuple[int | str, ...], mistakes: list[str]) -> str | None:
    if not isinstance(path, str):
        mistakes.append(f"{key_at(where)}: should be the path of a file, in quotes")
        return None
    try:
        return (base / path).read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text"
        mistakes.append(f"{key_at(where)}: {path} can't be read: {reason}")
        return None
