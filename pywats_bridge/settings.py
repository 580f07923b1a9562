"""The configuration: bridge.toml, the environment, and files that hold secrets."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from handlers import Rules
from pywats_cfx.config import CFXConfig

#: Secrets may stand in files of their own: this key in place of that one.
SECRET_FILES: Final = {"token_file": "token", "password_file": "password", "url_file": "url"}


class ConfigurationError(Exception):
    """The configuration can't be used.

    Attributes:
        mistakes: one line each, with the key and the reason.
    """

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class Section(BaseModel):
    """Ground of all sections: a key that nobody knows is a mistake and refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class WatsSettings(Section):
    """The WATS server that reports go to.

    Attributes:
        url: its address, ``https://acme.wats.com`` for instance.
        token: the token that its Control Panel issued. Better in the environment or in ``token_file``.
        requests_per_minute: most requests in a minute; the server refuses more than 500.
        connections: most requests at one time.
        timeout: seconds that one request may take.
        verify: check the server's certificate.
        ca_file: certificates that sign the server's, in place of the system's.
        proxy: address of an HTTP proxy.
    """

    url: str = Field(pattern=r"^https?://[^\s/]+")
    token: SecretStr
    requests_per_minute: int = Field(default=500, ge=1)
    connections: int = Field(default=16, ge=1, le=256)
    timeout: float = Field(default=30.0, gt=0)
    verify: bool = True
    ca_file: Path | None = None
    proxy: str | None = None


class JournalSettings(Section):
    """Where events are kept until they are delivered.

    Attributes:
        kind: ``memory``: messages are acknowledged to the broker when they are delivered.
        high_water: from so many undelivered events on, no more messages are taken from the broker.
    """

    kind: Literal["memory"] = "memory"
    high_water: int = Field(default=10_000, ge=1)


class DeliverySettings(Section):
    """How events are brought to WATS.

    Attributes:
        concurrency: most deliveries at one time.
        max_retries: tries after a first one that failed, before an event becomes a dead letter.
        initial_delay: seconds before the first retry.
        max_delay: longest delay in seconds.
        failure_threshold: failures in a row after which WATS is left alone for a while.
        reset_timeout: seconds until it is tried again then.
        stop_timeout: seconds that a stopping bridge gives to deliveries.
    """

    concurrency: int = Field(default=16, ge=1, le=256)
    max_retries: int = Field(default=5, ge=0)
    initial_delay: float = Field(default=1.0, ge=0)
    max_delay: float = Field(default=60.0, ge=0)
    failure_threshold: int = Field(default=5, ge=1)
    reset_timeout: float = Field(default=10.0, gt=0)
    stop_timeout: float = Field(default=10.0, ge=0)


class BridgeSettings(BaseSettings):
    """All that the bridge is configured by.

    Attributes:
        wats: the WATS server.
        cfx: the broker with CFX messages.
        journal: where events are kept.
        delivery: how they are delivered.
        rules: stations, recipes and the other rules; they stand in the file without this name before them.
        log_level: least severity that is logged.
    """

    model_config = SettingsConfigDict(
        env_prefix="PYWATS_BRIDGE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    wats: WatsSettings
    cfx: CFXConfig
    journal: JournalSettings = JournalSettings()
    delivery: DeliverySettings = DeliverySettings()
    rules: Rules = Rules()
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the signature is given
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file."""
        return env_settings, init_settings


def load(path: Path) -> BridgeSettings:
    """Read the configuration.

    Raises:
        ConfigurationError: it can't be read or used; each mistake has its line.
    """
    return settings_of(_toml(path), base=path.parent)


def rules_of(path: Path) -> Rules:
    """Read only the rules of a configuration, for what needs no server and no secret.

    Raises:
        ConfigurationError: they can't be read or used.
    """
    rules = _sorted_by_section(_toml(path)).get("rules", {})
    try:
        return Rules.model_validate(rules)
    except ValidationError as error:
        raise ConfigurationError(list(_lines(error, prefix=("rules",)))) from None


def settings_of(document: Mapping[str, Any], *, base: Path) -> BridgeSettings:
    """Make settings of a configuration document.

    Args:
        document: what stands in the file.
        base: folder that relative paths of secret files start from.

    Raises:
        ConfigurationError: it can't be used.
    """
    mistakes: list[str] = []
    values = _sorted_by_section(_with_secrets(document, base, (), mistakes))
    if mistakes:
        raise ConfigurationError(mistakes)
    try:
        return BridgeSettings(**values)
    except ValidationError as error:
        raise ConfigurationError(list(_lines(error))) from None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError([f"{path}: there is no such file; give another one with --config"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path}: can't be read: {error}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([f"{path}: not TOML: {error}"]) from None


def _sorted_by_section(document: Mapping[str, Any]) -> dict[str, Any]:
    """Put the rules, which stand at the top of the file, into a section of their own."""
    rules = {key: value for key, value in document.items() if key in Rules.model_fields}
    values = {key: value for key, value in document.items() if key not in rules}
    return {**values, "rules": rules} if rules else values


def _with_secrets(
    section: Mapping[str, Any], base: Path, where: tuple[str, ...], mistakes: list[str]
) -> dict[str, Any]:
    """Read the files that hold secrets."""
    values: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, Mapping):
            values[key] = _with_secrets(value, base, (*where, key), mistakes)
        elif key in SECRET_FILES and where and isinstance(value, str):
            try:
                values[SECRET_FILES[key]] = (base / value).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "not a text"
                mistakes.append(f"{'.'.join((*where, key))}: {value} can't be read: {reason}")
        else:
            values[key] = value
    return values


def _lines(error: ValidationError, *, prefix: tuple[str, ...] = ()) -> Iterator[str]:
    """Give one line for each mistake: where, what is wrong, and what was meant where that can be guessed."""
    for fault in error.errors(include_url=False, include_input=False, include_context=True):
        location = (*prefix, *fault["loc"])
        key = _key(location)
        match fault["type"]:
            case "missing":
                yield f"{key}: is missing{_how_to_give(key)}"
            case "extra_forbidden":
                yield f"{key}: no such key{_meant(location)}"
            case _:
                yield f"{key}: {fault['msg'].removeprefix('Value error, ')}"


def _key(location: tuple[int | str, ...]) -> str:
    shown = location[1:] if location[:1] == ("rules",) and len(location) > 1 else location
    text = ""
    for part in shown:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "configuration"


def _how_to_give(key: str) -> str:
    if key == "wats.token":
        return "; set it in the environment (PYWATS_BRIDGE_WATS__TOKEN) or name a file with wats.token_file"
    return ""


def _meant(location: tuple[int | str, ...]) -> str:
    """Guess which key was meant, from the model that the mistake stands in."""
    close = difflib.get_close_matches(str(location[-1]), _keys_at(location[:-1]), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    model: Any = BridgeSettings
    for part in location:
        if isinstance(part, int):
            continue
        field = (
            model.model_fields.get(part) if isinstance(model, type) and issubclass(model, BaseModel) else None
        )
        model = _model_in(field.annotation) if field is not None else None
        if model is None:
            return []
    keys = list(model.model_fields)
    return keys if location else [*keys, *Rules.model_fields]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
