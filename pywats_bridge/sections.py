"""What can be configured: the sections of bridge.toml, with what each key means."""

from __future__ import annotations

import re
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

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

#: The journal's file, beside the configuration.
JOURNAL_FILE: Final = "pywats-bridge.journal"


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
