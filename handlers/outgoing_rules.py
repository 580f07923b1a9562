"""What the configuration says of the way out: which events go to which other system."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from socket import gethostname
from typing import Annotated, Any, Final, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from handlers.patterns import fits
from pywats_events.event import Event, EventType
from pywats_events.mapping.reading import NamedType
from pywats_events.payloads import MODELS
from pywats_events.payloads.common import Outcome
from pywats_events.transports.webhook.config import Place
from pywats_events.transports.webhook.signatures import key_of, one_a_line

#: Parts of a topic that an event fills in.
TOPIC_PARTS: Final = ("key", "source", "type", "id")
_THIS_HOST: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ANY_HOST: Final = frozenset({"0.0.0.0", "::"})  # nobody listens here
#: Characters of a mark.
_MARK: Final = 24
_PART: Final = re.compile(r"\{([^{}]*)\}")

Scalar = str | int | float | bool | None
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class OutgoingRule(BaseModel):
    """A target that events are published to: a webhook of another system, or topics of the MQTT broker.

    Events are CloudEvents in JSON. Each target has its own deliveries, retries, dead letters and breaker:
    handler and destination ``outgoing-NAME``.

    Attributes:
        name: name of the target.
        events: types of the events: ``test.result``, ``asset.fault``, ``event.dead_letter``.
        where: fields of the payload and the values of which they must have one: ``{ result = "failed" }``,
            ``{ severity = ["high", "critical"] }``. Dots lead into tables.
        sources: stations of which the event must come; ``*`` stands for any characters. Empty: any.
        url: where to post to, for a webhook. Many hold a secret: ``url_file`` keeps it out of this file.
        secret: what a webhook's calls are signed with, as Standard Webhooks say: base64 of at least 24
            bytes, with or without ``whsec_`` before it. Several while the receiver changes from one to the
            next: a list, or one a line; calls are signed with each.
        token: bearer token for the Authorization header, where a receiver wants one.
        ca_file: certificates that sign the receiver's (PEM), in place of the system's.
        cert_file: our own certificate (PEM), for receivers that ask for one.
        key_file: its private key, when it is not in ``cert_file``.
        topic: where to publish to, for MQTT, at the broker of ``[mqtt]``: ``andon/{source}/{type}``. Parts
            are ``{key}``, ``{source}``, ``{type}`` and ``{id}``. A source keeps its levels.
        qos: of MQTT. 0: what the broker does not get is lost.
        retain: the broker keeps the last event of each topic, for those who subscribe later.
        timeout: seconds that a call may take.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Name
    events: tuple[NamedType, ...]
    where: dict[str, Scalar | tuple[Scalar, ...]] = Field(default_factory=dict)
    sources: tuple[str, ...] = ()
    url: SecretStr | None = None
    secret: tuple[SecretStr, ...] = ()
    token: SecretStr | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    topic: str | None = None
    qos: Literal[0, 1, 2] = 1
    retain: bool = False
    timeout: float = Field(default=10.0, gt=0, le=60)

    @field_validator("secret", mode="before")
    @classmethod
    def _one_a_line(cls, given: Any) -> Any:
        return one_a_line(given)

    @field_validator("events")
    @classmethod
    def _are_some(cls, events: tuple[EventType, ...]) -> tuple[EventType, ...]:
        if not events:
            raise ValueError("names no type, so nothing would go out")
        return events

    @field_validator("where")
    @classmethod
    def _names_verdicts_that_exist(
        cls, where: dict[str, Scalar | tuple[Scalar, ...]], info: ValidationInfo
    ) -> dict[str, Scalar | tuple[Scalar, ...]]:
        for path, wanted in where.items():
            if not all(_is_outcome(kind, path) for kind in info.data.get("events") or [EventType.CUSTOM]):
                continue
            for one in wanted if isinstance(wanted, tuple) else (wanted,):
                if not isinstance(one, str) or (Outcome(one) is Outcome.UNKNOWN and one != "unknown"):
                    known = ", ".join(Outcome)
                    raise ValueError(f"{path} is never {one!r}, so nothing would go out; there are {known}")
        return where

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None:
            return None
        text = url.get_secret_value()
        try:
            parts = urlsplit(text)
            good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            good, parts = False, urlsplit("")
        if not good or re.search(r"[\s\x00-\x20\x7f]", text):
            raise ValueError("should look like https://mes.factory.local/hooks/wats")
        if "@" in parts.netloc or parts.fragment:
            raise ValueError("must not carry user, password or #: give secret, token or cert_file")
        return url

    @field_validator("token")
    @classmethod
    def _is_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and re.fullmatch(r"[\x21-\x7e]+", token.get_secret_value()) is None:
            raise ValueError("must be text without blanks or line ends")
        return token

    @field_validator("topic")
    @classmethod
    def _is_topic(cls, topic: str | None) -> str | None:
        if topic is None:
            return None
        unknown = [part for part in _PART.findall(topic) if part not in TOPIC_PARTS]
        if unknown:
            known = ", ".join(f"{{{part}}}" for part in TOPIC_PARTS)
            raise ValueError(f"{{{unknown[0]}}} is no part of an event; there are {known}")
        plain = _PART.sub("", topic)
        if not topic or topic.startswith("$") or re.search(r"[+#{}\x00-\x1f\x7f]", plain):
            raise ValueError("should look like andon/{source}/{type}, without + and #, and not begin with $")
        return topic

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.url is None) == (self.topic is None):
            raise ValueError("give either url, for a webhook, or topic, for MQTT")
        of_others = _OF_WEBHOOKS if self.url is None else _OF_TOPICS
        stray = [name for name in of_others if name in self.model_fields_set]
        if stray:
            raise ValueError(f"{stray[0]} means nothing for {'MQTT' if self.url is None else 'a webhook'}")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file is given without cert_file")
        if (self.ca_file or self.cert_file) and not self.is_tls:
            raise ValueError("certificates are given, but url does not say https")
        _ = self.keys  # what is wrong with a secret is told here
        return self

    @property
    def handler(self) -> str:
        """Name of the handler and of the destination."""
        return f"outgoing-{self.name}"

    @property
    def mark(self) -> str:
        """What marks the messages that go out here, so that they are known when they come in again."""
        where = self.topic if self.url is None else self.url.get_secret_value()
        return sha256(f"{self.name}\0{where}".encode()).hexdigest()[:_MARK]

    @property
    def is_tls(self) -> bool:
        """True when the webhook is called over TLS."""
        return self.url is not None and self.url.get_secret_value().startswith("https:")

    @property
    def keys(self) -> tuple[bytes, ...]:
        """What calls are signed with."""
        return tuple(key_of(secret.get_secret_value()) for secret in self.secret)

    @property
    def host(self) -> str:
        """The receiver in words without a secret, for people."""
        if self.url is None:
            return "the MQTT broker"
        parts = urlsplit(self.url.get_secret_value())
        return f"{parts.scheme}://{parts.netloc}"

    def wants(self, event: Event) -> bool:
        """Tell whether an event goes to this target.

        What the bus says of this target's own failures does not: it could not be delivered either.
        """
        return (
            event.event_type in self.events
            and not (event.event_type.is_system and event.payload.get("handler") == self.handler)
            and (not self.sources or any(fits(pattern, event.source) for pattern in self.sources))
            and all(_is_one(_found(event.payload, path), wanted) for path, wanted in self.where.items())
        )

    def leads_to(self, place: Place) -> bool:
        """Tell whether the webhook is plainly at this place; other names of it are not looked up."""
        if self.url is None:
            return False
        parts = urlsplit(self.url.get_secret_value())
        host, port = parts.hostname or "", parts.port or (443 if self.is_tls else 80)
        if (self.is_tls, port) != (place.tls, place.port):
            return False
        here = {place.host} | (_THIS_HOST if place.host in {*_THIS_HOST, *_ANY_HOST} else set())
        return host in here | ({gethostname().lower()} if place.host in _ANY_HOST else set())

    def may_reach(self, topic_filter: str) -> bool:
        """Tell whether a subscription to this filter may get what is published here."""
        if self.topic is None:
            return False
        ours = ["#" if "{source}" in level else level for level in self.topic.split("/")]
        return _overlap(ours, topic_filter.split("/"))


_OF_WEBHOOKS: Final = ("secret", "token", "ca_file", "cert_file", "key_file")
_OF_TOPICS: Final = ("qos", "retain")


def _found(payload: Mapping[str, Any], path: str) -> Any:
    value: Any = payload
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return _MISSING
        value = value[name]
    return value


_MISSING: Final = object()


def _is_one(value: Any, wanted: Scalar | tuple[Scalar, ...]) -> bool:
    several = wanted if isinstance(wanted, tuple) else (wanted,)
    # True is 1 in Python, and not in JSON
    return any(
        (value == one and isinstance(value, bool) == isinstance(one, bool)) or _is_same_outcome(value, one)
        for one in several
    )


def _is_same_outcome(value: Any, wanted: Scalar) -> bool:
    """Tell whether both are words for one verdict: "fail" is "failed"."""
    if not isinstance(value, str) or not isinstance(wanted, str):
        return False
    return Outcome(value) is Outcome(wanted) is not Outcome.UNKNOWN


def _is_outcome(kind: EventType, path: str) -> bool:
    model = MODELS.get(kind)
    field = model.model_fields.get(path) if model is not None else None
    return field is not None and Outcome in (field.annotation, *get_args(field.annotation))


def _overlap(ours: list[str], theirs: list[str]) -> bool:
    """Tell whether a topic made of these levels may fit a filter; a level with a part may be anything."""
    if ours[:1] == ["#"] or theirs[:1] == ["#"]:
        return True
    if not ours or not theirs:
        return not ours and not theirs
    fits_level = theirs[0] == "+" or "{" in ours[0] or ours[0] == theirs[0]
    return fits_level and _overlap(ours[1:], theirs[1:])
