"""Where CFX messages come from: the broker, the queue, and who we are to the other endpoints."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from pywats_cfx.endpoint.config import EndpointConfig

_PORT: Final = 5672
_TLS_PORT: Final = 5671
#: What RabbitMQ 4 takes where nothing is said; RabbitMQ 3 would deliver for ever.
_DELIVERY_LIMIT: Final = 20
_PIN_BYTES: Final = 32
#: Length of a pin in base64.
_PIN_DIGITS: Final = 44
_SCHEMES: Final[Mapping[str, bool]] = {"amqp": False, "amqps": True}


class AMQPConfig(BaseModel):
    """A broker, and what to read from it. Everything has a default that fits a RabbitMQ as installed.

    Attributes:
        protocol: version of AMQP to read with. ``1.0`` is what the standard prescribes and reads every
            message (RabbitMQ 3: with its plugin ``rabbitmq_amqp1_0``); ``0-9-1``: for a RabbitMQ without it.
        url: ``amqp://user:password@host:port/vhost`` (``amqps`` for TLS) in place of the single fields.
            It is read into them and not kept.
        host: name or address of the broker.
        port: 5672, or 5671 with TLS, unless given.
        failover: URLs of brokers that are tried in turn when this one can't be had, ``amqps://other:5671``
            for instance. User, password and virtual host are those above where a URL names none.
        virtual_host: RabbitMQ's virtual host.
        sasl: how to log in. ``auto``: ``plain`` with a user, ``external`` (the certificate says who we are)
            with ``cert_file`` and no user, else ``anonymous``.
        username: who we are to the broker. With ``cert_file`` there is none unless it is given.
        password: its password.
        tls: encrypt the connection.
        ca_file: certificates that sign the broker's (PEM); default: those that the system trusts.
        cert_file: our own certificate (PEM), for brokers that ask for one.
        key_file: its private key, when it is not in ``cert_file``.
        verify: check the broker's certificate and name. Switch off only to find out what is wrong, or where
            ``public_key_pins`` take its place.
        public_key_pins: SHA-256 of the broker's public key (of its SubjectPublicKeyInfo), in base64 or
            hexadecimal. A broker with none of these keys is refused before we log in. Name the next key
            as well before the broker changes to it.
        queue: the queue that is read.
        address: where AMQP 1.0 reads from, as the broker names it, in place of ``queue``. It must exist:
            nothing is created or bound. Default: ``/amq/queue/QUEUE`` at RabbitMQ 3, ``/queues/QUEUE`` at
            RabbitMQ 4, else the queue's name.
        publish_address: where AMQP 1.0 publishes to, as the broker names it. Default: made from ``exchange``.
        declare_queue: create the queue if need be, and bind it (RabbitMQ only; with AMQP 1.0 too this goes
            over AMQP 0-9-1 on the same port). False: the queue must exist, and it is read as it is; neither
            exchange nor bindings are touched.
        durable: the queue survives a restart of the broker.
        queue_arguments: RabbitMQ's own settings of a queue that we create, ``{"x-queue-type": "quorum"}``
            for instance. A quorum queue gives up what it delivered too often: it gets
            ``x-delivery-limit`` 20, and the queue QUEUE``.dead`` for such messages, unless arguments of yours
            say otherwise (``x-delivery-limit``, ``x-dead-letter-exchange``).
        exchange: the exchange that machines publish to. Empty: bind to none.
        exchange_type: its kind.
        declare_exchange: create the exchange if need be. False: it must exist.
        binding_keys: topics that the queue gets; ``#`` stands for all, ``*`` for one word.
        prefetch: most messages that are taken and not yet acknowledged. They are held in memory. With the
            journal in memory, those that wait for a retry or for their product count too.
        heartbeat: seconds after which a silent connection counts as lost; 0 for never.
        connect_timeout: seconds that a connection attempt may take.
        reconnect_initial_delay: seconds before the second attempt to connect; doubles from then on.
        reconnect_max_delay: most seconds between two attempts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    protocol: Literal["1.0", "0-9-1"] = "1.0"
    url: str | None = None
    host: str = Field(default="localhost", min_length=1)
    port: int = Field(default=_PORT, ge=1, le=65535)
    failover: tuple[SecretStr, ...] = ()
    virtual_host: str = Field(default="/", min_length=1)
    sasl: Literal["auto", "plain", "anonymous", "external"] = "auto"
    username: str = "guest"
    password: SecretStr = SecretStr("guest")
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    verify: bool = True
    public_key_pins: tuple[str, ...] = ()
    queue: str = Field(default="pywats-bridge", min_length=1, max_length=255)
    address: str | None = Field(default=None, min_length=1)
    publish_address: str | None = Field(default=None, min_length=1)
    declare_queue: bool = True
    durable: bool = True
    queue_arguments: dict[str, str | int | bool] = Field(default_factory=dict)
    exchange: str = Field(default="cfx", max_length=255)
    exchange_type: Literal["topic", "fanout", "direct", "headers"] = "topic"
    declare_exchange: bool = True
    binding_keys: tuple[str, ...] = ("#",)
    prefetch: int = Field(default=1000, ge=1, le=65535)
    heartbeat: int = Field(default=30, ge=0, le=3600)
    connect_timeout: float = Field(default=10.0, gt=0)
    reconnect_initial_delay: float = Field(default=1.0, gt=0)
    reconnect_max_delay: float = Field(default=60.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _expand_url(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        fields = dict(data)
        url = fields.pop("url", None)
        if isinstance(url, SecretStr):
            url = url.get_secret_value()
        if url is not None and not isinstance(url, str):
            raise ValueError("url is not a text")
        if url:
            for name, value in _parse_url(url).items():
                if name in fields and name != "password" and fields[name] != value:
                    raise ValueError(f"url and {name} say different things: give one of them")
                fields.setdefault(name, value)
        if fields.get("tls") and "port" not in fields:
            fields["port"] = _TLS_PORT
        if fields.get("cert_file") and "username" not in fields:
            fields["username"] = ""
        return fields

    @field_validator("public_key_pins")
    @classmethod
    def _are_pins(cls, pins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_pin(pin).hex() for pin in pins)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.reconnect_max_delay < self.reconnect_initial_delay:
            raise ValueError("reconnect_max_delay is shorter than reconnect_initial_delay")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file is given without cert_file")
        if not any(broker.tls for broker in self.brokers) and (self.ca_file or self.cert_file):
            raise ValueError("certificates are given, but tls is off: set tls = true, or use an amqps:// url")
        if self.sasl == "plain" and not self.username:
            raise ValueError('sasl = "plain" needs a username')
        if self.sasl == "external" and self.cert_file is None:
            raise ValueError('sasl = "external" needs a certificate of our own: cert_file')
        if self.protocol == "0-9-1" and self.mechanism == "ANONYMOUS":
            raise ValueError("AMQP 0-9-1 has no login without a user: give a username")
        if self.public_key_pins and not all(broker.tls for broker in self.brokers):
            raise ValueError("public_key_pins are given, but not every broker is spoken to over TLS (amqps)")
        return self

    @property
    def broker(self) -> str:
        """The broker in one line without the password, for logs and people."""
        scheme = "amqps" if self.tls else "amqp"
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{quote(self.username, safe='')}@" if self.username else ""
        path = "" if self.virtual_host == "/" else quote(self.virtual_host, safe="")
        return f"{scheme}://{user}{host}:{self.port}/{path}"

    @property
    def brokers(self) -> tuple[Self, ...]:
        """All brokers in the order in which they are tried, this one first."""
        return (self, *(self._other(url.get_secret_value()) for url in self.failover))

    @property
    def counts_deliveries(self) -> bool:
        """The broker gives up what it delivered too often: a quorum queue, or one that we know nothing of."""
        return not self.declare_queue or self.address is not None or self._is_quorum

    @property
    def dead_letter_queue(self) -> str | None:
        """The queue that we create for what the broker gives up. None: others see to that."""
        if not self._is_quorum or "x-dead-letter-exchange" in self.queue_arguments:
            return None
        return f"{self.queue}.dead"

    @property
    def declared_arguments(self) -> dict[str, str | int | bool]:
        """The arguments that the queue is created with."""
        arguments: dict[str, str | int | bool] = {}
        if self._is_quorum:
            arguments["x-delivery-limit"] = _DELIVERY_LIMIT
        if self.dead_letter_queue is not None:
            arguments["x-dead-letter-exchange"] = ""
            arguments["x-dead-letter-routing-key"] = self.dead_letter_queue
        return arguments | self.queue_arguments

    @property
    def _is_quorum(self) -> bool:
        return self.queue_arguments.get("x-queue-type") == "quorum"

    @property
    def mechanism(self) -> Literal["PLAIN", "ANONYMOUS", "EXTERNAL"]:
        """How we log in, by its name in SASL."""
        if self.sasl == "external" or (self.sasl == "auto" and self.cert_file and not self.username):
            return "EXTERNAL"
        if self.sasl == "plain" or (self.sasl == "auto" and self.username):
            return "PLAIN"
        return "ANONYMOUS"

    def _other(self, url: str) -> Self:
        try:
            fields = _parse_url(url)
        except ValueError as error:
            raise ValueError(f"failover: {error}") from None
        fields.setdefault("port", _TLS_PORT if fields["tls"] else _PORT)
        if "password" in fields:
            fields["password"] = SecretStr(fields["password"])
        return self.model_copy(update={**fields, "failover": ()})


def _pin(text: str) -> bytes:
    """Read a pin, however it is written.

    Raises:
        ValueError: it is none.
    """
    plain = text.removeprefix("sha256/")
    if len(plain) > _PIN_DIGITS and plain.startswith("/"):  # curl writes sha256//
        plain = plain[1:]
    try:
        digits = plain.replace(":", "")
        pin = bytes.fromhex(digits) if len(digits) == 2 * _PIN_BYTES else b64decode(plain, validate=True)
    except ValueError:
        pin = b""
    if len(pin) != _PIN_BYTES:
        raise ValueError(f"{text!r:.80} is no SHA-256 in base64 or hexadecimal")
    return pin


def _parse_url(url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # "from None": the cause quotes the URL, with the password
        raise ValueError("url is not amqp://user:password@host:port/vhost") from None
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(
            "url is not amqp://user:password@host:port/vhost (or amqps://): "
            "a special character in a user, password or vhost is written as %XX"
        )
    fields: dict[str, Any] = {"host": parts.hostname, "tls": _SCHEMES[parts.scheme]}
    if port is not None:
        fields["port"] = port
    if parts.username is not None:
        fields["username"] = unquote(parts.username)
    if parts.password is not None:
        fields["password"] = unquote(parts.password)
    if parts.path not in ("", "/"):
        fields["virtual_host"] = unquote(parts.path[1:])
    return fields


class CFXConfig(BaseModel):
    """One source of CFX messages.

    Attributes:
        amqp: the broker and the queue. Left out while ``endpoint.listen`` is given: there is no broker.
        endpoint: our identity, and where machines reach us.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    amqp: AMQPConfig = Field(default_factory=AMQPConfig)
    endpoint: EndpointConfig = Field(default_factory=EndpointConfig)

    @property
    def broker(self) -> AMQPConfig | None:
        """The broker. None where nothing is said of one and others connect to us."""
        return None if self.endpoint.listen and "amqp" not in self.model_fields_set else self.amqp
