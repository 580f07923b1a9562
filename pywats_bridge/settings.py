"""The configuration: bridge.toml, the environment, and files that hold secrets."""

from __future__ import annotations

import difflib
import re
import ssl
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from handlers import Rules
from handlers.outgoing_rules import OutgoingRule
from handlers.validation_verdicts import BLOCKING_PHASES
from pywats_api.unit_phases import PHASE_NAMES, phase_of
from pywats_cfx.config import CFXConfig
from pywats_events.journal.housekeeping import Retention
from pywats_events.journal.sqlite_file import KEEP_FREE
from pywats_events.sparkplug import SparkplugSettings
from pywats_events.transports.mqtt.config import MQTTConfig, Subscription
from pywats_events.transports.webhook.config import WebhookConfig

#: Secrets may stand in files of their own: this key in place of that one.
SECRET_FILES: Final = {
    "token_file": "token",
    "password_file": "password",
    "secret_file": "secret",
    "url_file": "url",
}
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

#: The journal's file, beside the configuration.
JOURNAL_FILE: Final = "pywats-bridge.journal"


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

    url: str
    token: SecretStr
    requests_per_minute: int = Field(default=500, ge=1)
    connections: int = Field(default=16, ge=1, le=256)
    timeout: float = Field(default=30.0, gt=0)
    verify: bool = True
    ca_file: Path | None = None
    proxy: SecretStr | None = None

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        _check_address(url, like="https://acme.wats.com")
        if "@" in url:
            raise ValueError("must not carry user and password: WATS takes a token")
        return url

    @field_validator("proxy")
    @classmethod
    def _is_proxy(cls, proxy: SecretStr | None) -> SecretStr | None:
        if proxy is not None:
            _check_address(proxy.get_secret_value(), like="http://proxy.factory.local:3128")
        return proxy

    @field_validator("token")
    @classmethod
    def _is_token(cls, token: SecretStr) -> SecretStr:
        if re.fullmatch(r"[\x21-\x7e]+", token.get_secret_value()) is None:
            raise ValueError("must be the text that WATS issued: not empty, no blanks or line ends in it")
        return token

    @field_validator("ca_file")
    @classmethod
    def _holds_certificates(cls, ca_file: Path | None) -> Path | None:
        if ca_file is not None:
            try:
                ssl.create_default_context(cafile=ca_file)
            except OSError:
                raise ValueError(f"{ca_file} holds no certificates (PEM)") from None
        return ca_file


def _check_address(url: str, *, like: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or re.search(r"\s", url):
        raise ValueError(f"should look like {like}")  # never what was given: it may hold a password


class JournalSettings(Section):
    """Where events are kept until they are delivered.

    Attributes:
        kind: ``sqlite``: messages are acknowledged to the broker when they are in a file, which outlives the
            program. ``memory``: messages are acknowledged when they are delivered, and dead letters end with
            the program: for trying things out.
            ``postgres``: messages are acknowledged when they are in a PostgreSQL database, which any number
            of bridges share: each event is delivered once, by any of them, and a destination that is down is
            down for all. Needs ``pip install 'pywats-bridge[postgres]'``.
        path: the file, for ``sqlite``.
        url: the database, for ``postgres``: ``postgresql://user:password@host/database``. It must lead to
            the server itself, not to a pool of connections. The bridge makes its tables there.
        high_water: from so many undelivered events on, no more messages are taken from the broker.
        max_bytes: the file takes in no more messages from this size on; they stay with the broker until there
            is room. A warning comes before. Without it: as the disk allows.
        keep_free: bytes of the disk that the file leaves free; with less than that it takes no more in.
        keep_done_days: days for which delivered messages stay to be looked at, with their bytes. Dead letters
            stay until somebody replays or discards them.
        keep_facts_days: days for which what was learnt of units and transactions stays.
        keep_ids_days: days for which a message that comes again is recognised as a repeat.
    """

    kind: Literal["memory", "sqlite", "postgres"] = "sqlite"
    path: Path = Path(JOURNAL_FILE)
    url: SecretStr | None = Field(default=None, validate_default=True)
    high_water: int = Field(default=10_000, ge=1)
    max_bytes: int | None = Field(default=None, ge=1_000_000)
    keep_free: int = Field(default=KEEP_FREE, ge=0)
    keep_done_days: float = Field(default=30, ge=0, le=36_500)
    keep_facts_days: float = Field(default=90, ge=0, le=36_500)
    keep_ids_days: float = Field(default=365, ge=0, le=36_500)

    @property
    def retention(self) -> Retention:
        """How long what is done is kept."""
        return Retention(
            done=timedelta(days=self.keep_done_days),
            facts=timedelta(days=self.keep_facts_days),
            ids=timedelta(days=self.keep_ids_days),
        )

    @field_validator("url")
    @classmethod
    def _is_given_for_postgres(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is None and info.data.get("kind") == "postgres":
            raise ValueError(
                "is missing; set PYWATS_BRIDGE_JOURNAL__URL in the environment, or journal.url_file to the "
                "path of a file"
            )
        return url


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
        lease: seconds after which another bridge on the same journal goes on with what a dead one had under
            way. A live one renews it.
    """

    concurrency: int = Field(default=16, ge=1, le=256)
    max_retries: int = Field(default=5, ge=0)
    initial_delay: float = Field(default=1.0, ge=0)
    max_delay: float = Field(default=60.0, ge=0)
    failure_threshold: int = Field(default=5, ge=1)
    reset_timeout: float = Field(default=10.0, gt=0)
    stop_timeout: float = Field(default=10.0, ge=0)
    lease: float = Field(default=30.0, ge=1, le=3600)


class ValidationSettings(Section):
    """Answering machines that ask whether they may work on units (CFX ``ValidateUnitsRequest``).

    Answers carry a number beside the reason: 0 fit; 1 an earlier operation was never run, 2 it was not
    passed; 3 phase of the unit; 4 a sub-unit; 5 unit unknown to WATS; 6 no verification rule; 7 no unit
    named; 8 marked as bad by the machine; 9 nothing to check it by; 20 no answer in time; 21 WATS can't be
    reached; 22 WATS refuses the token; 23 WATS answered with an error; 24 the validator failed.

    Attributes:
        enabled: answer such questions.
        time_limit: seconds after which a machine gets its answer, whatever WATS does. Less than the machine
            itself waits.
        when_unanswered: what units are then, and when WATS is down or refuses: unfit or fit.
        no_rule: what units of a product are for which WATS has no verification rule.
        unknown_unit: what units are that WATS has never seen. The first station of a line wants ``pass``,
            unless units are created before they come.
        blocking_phases: phases, by name or number, in which no unit may be worked on.
        validator: a validator of your own in place of WATS, as ``module:Class``. It is made without
            arguments, or with the WATS client where its constructor needs one, and its module must be
            installed beside the bridge.
    """

    enabled: bool = False
    time_limit: float = Field(default=5.0, gt=0, le=300)
    when_unanswered: Literal["fail", "pass"] = "fail"
    no_rule: Literal["fail", "pass"] = "pass"
    unknown_unit: Literal["fail", "pass"] = "fail"
    blocking_phases: tuple[str | int, ...] = tuple(PHASE_NAMES[phase] for phase in BLOCKING_PHASES)
    validator: str | None = None

    @field_validator("blocking_phases")
    @classmethod
    def _are_phases(cls, phases: tuple[str | int, ...]) -> tuple[str | int, ...]:
        for phase in phases:
            phase_of(phase)
        return phases

    @field_validator("validator")
    @classmethod
    def _names_a_class(cls, validator: str | None) -> str | None:
        if validator is not None and not re.fullmatch(r"\w+(\.\w+)*:\w+", validator):
            raise ValueError("should look like package.module:Class")
        return validator


class MQTTSettings(MQTTConfig):
    """MQTT messages: the broker, the session, and what is subscribed to.

    Attributes:
        subscriptions: what is read. None where only ``[[outgoing]]`` publishes there.
        sparkplug: how the messages of subscriptions with ``format = "sparkplug"`` are read.
    """

    subscriptions: tuple[Subscription, ...] = ()
    sparkplug: SparkplugSettings = SparkplugSettings()


class BridgeSettings(BaseSettings):
    """All that the bridge is configured by.

    Attributes:
        wats: the WATS server.
        cfx: CFX messages: from a broker, or from machines that connect to us.
        mqtt: MQTT messages.
        webhook: calls of other systems.
        outgoing: events that go to other systems than WATS.
        journal: where events are kept.
        delivery: how they are delivered.
        validation: answering machines that ask whether units may be worked on.
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
    cfx: CFXConfig | None = None
    mqtt: MQTTSettings | None = None
    webhook: WebhookConfig | None = None
    outgoing: tuple[OutgoingRule, ...] = ()
    journal: JournalSettings = JournalSettings()
    delivery: DeliverySettings = DeliverySettings()
    validation: ValidationSettings = ValidationSettings()
    rules: Rules = Rules()
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the signature is given
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # see settings_of
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values as they are given: ``settings_of`` has brought file and environment together."""
        return (init_settings,)


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
        raise ConfigurationError(list(_lines(error, prefix=("rules",)))) from None


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
        raise ConfigurationError(list(_lines(error, prefix=("journal",)))) from None


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
        raise ConfigurationError([*mistakes, *_lines(error)]) from None
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

    def _place(self, name: str) -> str:
        prefix = self.env_prefix.lower()
        key = name.removeprefix(prefix)
        is_rule = key != name and key.partition("__")[0] in Rules.model_fields
        return f"{prefix}rules__{key}" if is_rule else name


def _environment(mistakes: list[str]) -> dict[str, Any]:
    source = _Environment()
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
                mistakes.append(f"{_key((*where, key))}: {name} is given too: give one of them")
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
        mistakes.append(f"{_key(where)}: should be the path of a file, in quotes")
        return None
    try:
        return (base / path).read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text"
        mistakes.append(f"{_key(where)}: {path} can't be read: {reason}")
        return None


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
            case "model_type" | "dict_type":
                yield f"{key}: should be a table"
            case "tuple_type" if _keys_at(location):
                yield f"{key}: should be a list of tables, [[{key}]]"
            case "tuple_type":
                yield f"{key}: should be a list"
            case "string_type":
                yield f"{key}: should be text, in quotes"
            case "string_pattern_mismatch" if key.startswith("handlers["):
                yield f"{key}: should look like package.module:Class"
            case _:
                yield f"{key}: {fault['msg'].removeprefix('Value error, ')}"


def _key(location: tuple[int | str, ...]) -> str:
    shown = location[1:] if location[:1] == ("rules",) and len(location) > 1 else location
    text = ""
    for part in shown:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "configuration"


def _how_to_give(key: str) -> str:
    match key:
        case "wats":
            return "; add [wats] with url and token"
        case "wats.token":
            return (
                "; set PYWATS_BRIDGE_WATS__TOKEN in the environment, or wats.token_file to the path of a file"
            )
    return ""


def _meant(location: tuple[int | str, ...]) -> str:
    """Guess which key was meant, from the model that the mistake stands in."""
    keys = _keys_at(location[:-1])
    keys += [file for file, secret in SECRET_FILES.items() if secret in keys]
    close = difflib.get_close_matches(str(location[-1]), keys, n=1, cutoff=0.6)
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
