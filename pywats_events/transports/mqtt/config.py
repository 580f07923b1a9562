"""Where MQTT messages come from: the brokers, the session, and what is subscribed to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from pywats_events.mapping.reading import Reading
from pywats_events.mapping.topics import TopicPattern

_PORT: Final = 1883
_TLS_PORT: Final = 8883
_LARGEST_PORT: Final = 65_535
#: MQTT 5 has four bytes for it; all ones mean that the session never ends.
NEVER: Final = 0xFFFF_FFFF
#: A packet can't be larger: four bytes of seven bits each, and the fixed header.
LARGEST_PACKET: Final = 268_435_460
_ADDRESS: Final = re.compile(
    r"\[(?P<v6>[^\]]+)\](?::(?P<v6_port>\d+))?|(?P<host>[^:/@\s]+)(?::(?P<port>\d+))?"
)


class MQTTBroker(BaseModel):
    """A broker, and who we are to it.

    Attributes:
        host: name or address of the broker.
        port: 1883, or 8883 with TLS, unless given.
        failover: brokers that are tried in turn when this one can't be had, as ``host`` or ``host:port``.
            Everything else is as above. A session lives on one broker, unless they share it.
        protocol: version of MQTT. ``3.1.1`` for brokers that know no other; what it lacks is in
            ``docs/mqtt.md``.
        client_id: who we are. The broker keeps our session by it, so it must stay the same, and no two
            programs may use one.
        username: user at the broker; empty for none.
        password: its password.
        tls: encrypt the connection.
        ca_file: certificates that sign the broker's (PEM); default: those that the system trusts.
        cert_file: our own certificate (PEM), for brokers that ask for one.
        key_file: its private key, when it is not in ``cert_file``.
        verify: check the broker's certificate and name. Switch off only to find out what is wrong.
        keepalive: seconds without a word after which the other side is asked whether it is there.
        connect_timeout: seconds that a connection attempt may take.
        reconnect_initial_delay: seconds before the second attempt to connect; doubles from then on.
        reconnect_max_delay: most seconds between two attempts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: str = Field(default="localhost", min_length=1)
    port: int = Field(default=_PORT, ge=1, le=_LARGEST_PORT)
    failover: tuple[str, ...] = ()
    protocol: Literal["5", "3.1.1"] = "5"
    client_id: str = Field(default="pywats-bridge", min_length=1, max_length=200)
    username: str = ""
    password: SecretStr = SecretStr("")
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    verify: bool = True
    keepalive: int = Field(default=30, ge=5, le=3600)
    connect_timeout: float = Field(default=10.0, gt=0)
    reconnect_initial_delay: float = Field(default=1.0, gt=0)
    reconnect_max_delay: float = Field(default=60.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        fields = dict(data)
        if fields.get("tls") and "port" not in fields:
            fields["port"] = _TLS_PORT
        return fields

    @field_validator("host")
    @classmethod
    def _is_host(cls, host: str) -> str:
        if re.search(r"[/@\s]", host):
            raise ValueError("host is a name or an address, without mqtt://, user or path")
        return host

    @field_validator("failover")
    @classmethod
    def _are_addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            _parse_address(address, _PORT)
        return addresses

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.reconnect_max_delay < self.reconnect_initial_delay:
            raise ValueError("reconnect_max_delay is shorter than reconnect_initial_delay")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file is given without cert_file")
        if not self.tls and (self.ca_file or self.cert_file):
            raise ValueError("certificates are given, but tls is off: set tls = true")
        if self.password.get_secret_value() and not self.username:
            raise ValueError("password is given without username")
        return self

    @property
    def broker(self) -> str:
        """The broker in one line without the password, for logs and people."""
        scheme = "mqtts" if self.tls else "mqtt"
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.username}@" if self.username else ""
        return f"{scheme}://{user}{host}:{self.port}"

    @property
    def brokers(self) -> tuple[Self, ...]:
        """All brokers in the order in which they are tried, this one first."""
        default = _TLS_PORT if self.tls else _PORT
        others = (_parse_address(address, default) for address in self.failover)
        return (
            self,
            *(self.model_copy(update={"host": host, "port": port, "failover": ()}) for host, port in others),
        )


class Subscription(Reading):
    """Topics that are subscribed to, and how their messages are read.

    Attributes:
        topic: pattern such as ``factory/{line}/{station}/result``; ``{rest...}`` as the last level stands
            for all that follows. The first subscription whose pattern matches a message reads it.
        qos: 0: what is published while the bridge is away is lost. 1: nothing is, and what comes twice is
            known again. 2 promises the same here, with twice the packets.
        retained: ``use`` reads retained messages, which the broker gives when we subscribe, as well: each
            once, until its topic has said something else. ``ignore`` leaves them alone.
    """

    topic: str
    qos: Literal[0, 1, 2] = 1
    retained: Literal["use", "ignore"] = "ignore"

    @field_validator("topic")
    @classmethod
    def _is_pattern(cls, topic: str) -> str:
        if topic.startswith("$share/"):
            raise ValueError(f'topic "{topic}": leave out $share and the group, and give the group as shared')
        TopicPattern.parse(topic)
        return topic

    @property
    def pattern(self) -> TopicPattern:
        """The topic, read."""
        return TopicPattern.parse(self.topic)


class MQTTConfig(MQTTBroker):
    """One source of MQTT messages.

    Attributes:
        subscriptions: what is read.
        shared: name of a group of bridges that share the messages: each goes to one of them. Each bridge
            needs a ``client_id`` of its own, and all of them one journal in PostgreSQL.
        session_expiry: seconds that the broker keeps our session, and with it the messages of QoS 1 and 2,
            after we are gone; by default for ever, or as long as the broker is willing to. MQTT 5 only.
        receive_maximum: most messages of QoS 1 and 2 that the broker sends ahead of our acknowledgements.
            They are held in memory. Over MQTT 3.1.1 the broker's own limit holds.
        max_packet_bytes: largest packet that is taken. An MQTT 5 broker knows it and drops what is larger;
            another one is disconnected when it sends such a packet.
        duplicate_window: seconds in which a second message with the same topic and content counts as the
            first one sent again; 0: never (repetitions that the broker marks as such are always known).
        identity_property: user property (MQTT 5) that is different for each message and the same when a
            machine sends one again. Where a message has it nothing else decides whether it came before.
        status_topic: where ``online`` and ``offline`` are published as retained messages, the latter also by
            the broker when we are lost (will). Empty: nowhere.
    """

    subscriptions: tuple[Subscription, ...] = Field(min_length=1)
    shared: str = ""
    session_expiry: int = Field(default=NEVER, ge=0, le=NEVER)
    receive_maximum: int = Field(default=500, ge=1, le=65_535)
    max_packet_bytes: int = Field(default=4 * 1024 * 1024, ge=1024, le=LARGEST_PACKET)
    duplicate_window: float = Field(default=10.0, ge=0, le=86_400)
    identity_property: str = ""
    status_topic: str = ""

    @field_validator("shared")
    @classmethod
    def _is_group(cls, group: str) -> str:
        if re.search(r"[/+#\0]", group):
            raise ValueError("shared is the name of a group, without /, + and #")
        return group

    @field_validator("status_topic")
    @classmethod
    def _is_topic(cls, topic: str) -> str:
        if re.search(r"[+#\0]", topic) or topic.startswith("$"):
            raise ValueError("status_topic is one topic, without + and #, that does not begin with $")
        return topic

    @model_validator(mode="after")
    def _check_sharing(self) -> Self:
        # the names belonging to a node's numbers are known to who had its birth
        if self.shared and any(one.format == "sparkplug" for one in self.subscriptions):
            raise ValueError(
                "shared deals the messages of a Sparkplug node out among bridges, and each must see all of "
                "them: take it out, or read Sparkplug by a bridge of its own"
            )
        return self

    @model_validator(mode="after")
    def _check_protocol(self) -> Self:
        if self.protocol == "5":
            return self
        given = {"shared", "session_expiry", "identity_property"} & self.model_fields_set
        for name in sorted(given):
            if getattr(self, name) not in ("", NEVER):
                raise ValueError(f'{name} needs MQTT 5: take it out, or set protocol = "5"')
        return self

    def filter_of(self, subscription: Subscription) -> str:
        """Give the topic filter of a subscription as the broker gets it."""
        return (
            f"$share/{self.shared}/{subscription.pattern.filter}"
            if self.shared
            else subscription.pattern.filter
        )


def _parse_address(address: str, default_port: int) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ValueError(f'failover: "{address}" is not host or host:port')
    port = int(found["port"] or found["v6_port"] or default_port)
    if not 0 < port <= _LARGEST_PORT:
        raise ValueError(f'failover: "{address}" has a port that is none')
    return found["host"] or found["v6"], port
