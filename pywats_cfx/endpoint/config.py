"""Who we are to other CFX endpoints, and where they reach us."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

_PORT: Final = 5672
_TLS_PORT: Final = 5671
_SCHEMES: Final[Mapping[str, bool]] = {"amqp": False, "amqps": True}


class EndpointConfig(BaseModel):
    """Who we are to other CFX endpoints, and where they reach us without a broker.

    Attributes:
        cfx_handle: our handle, ``//Company/WATS/Station1`` or ``Vendor.Model.Serial`` for instance. Messages
            at the broker that have it as Source are our own coming back: they are dropped, and make no
            events.
        listen: where other endpoints connect to us, ``amqp://0.0.0.0:5690`` (``amqps`` for TLS; port 0 for
            any free one). Empty: nowhere.
        addresses: what they may send to; ``*`` stands for any address. Empty: our handle and ``CFXListener``.
        public_uri: where others reach us, told to those who ask. Default: made from ``listen`` and the name
            of this machine.
        username: who may log in. None: everybody, without a password.
        password: its password. It is also what we log in with when we ask other endpoints.
        cert_file: our certificate (PEM), for ``amqps``; shown to the endpoints that we ask as well.
        key_file: its private key, when it is not in ``cert_file``.
        ca_file: certificates that sign those of other endpoints (PEM). Who shows one that they sign may log
            in by it (SASL EXTERNAL). Default: none for those who connect to us; for those that we ask, the
            ones that the system trusts.
        verify: check the certificates of endpoints that we ask. Many show one that they signed themselves.
        max_connections: most connections at one time; more are turned away.
        heartbeat: seconds between our signs of life at the broker, 1 to 300; 0 for none.
        request_timeout: seconds that we wait for an answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    cfx_handle: str = Field(default="pywats-bridge", min_length=1, max_length=255)
    listen: str = ""
    addresses: tuple[str, ...] = ()
    public_uri: str | None = None
    username: str | None = Field(default=None, min_length=1)
    password: SecretStr | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    ca_file: Path | None = None
    verify: bool = True
    max_connections: int = Field(default=256, ge=1, le=10_000)
    heartbeat: float = Field(default=60.0, ge=0, le=300)
    request_timeout: float = Field(default=30.0, gt=0)

    @field_validator("listen")
    @classmethod
    def _is_place_to_listen(cls, listen: str) -> str:
        if listen:
            place_of(listen)
        return listen

    @field_validator("heartbeat")
    @classmethod
    def _is_interval(cls, heartbeat: float) -> float:
        if 0 < heartbeat < 1:
            raise ValueError("should be 0, or 1 to 300 seconds")
        return heartbeat

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together: give both, or none of them")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file is given without cert_file")
        if self.listen and place_of(self.listen).tls and self.cert_file is None:
            raise ValueError("listen says amqps, which needs a certificate: give cert_file (and key_file)")
        if self.cert_file is not None or self.ca_file is not None:
            _check_certificates(self)
        return self

    @property
    def accepted(self) -> tuple[str, ...]:
        """The addresses that others may send to."""
        return self.addresses or (self.cfx_handle, "CFXListener")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an endpoint is reached.

    Attributes:
        host: name or address.
        port: TCP port.
        tls: encrypted.
        user: who to log in as; None for nobody.
        password: its password.
    """

    host: str
    port: int
    tls: bool
    user: str | None = None
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'amqps' if self.tls else 'amqp'}://{host}:{self.port}/"


def place_of(uri: str) -> Place:
    """Read the address of an endpoint, ``amqp://host:port`` or ``amqps://user:password@host``.

    Raises:
        ValueError: it is none; the text does not quote it, for it may hold a password.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError("should look like amqp://host:5690 or amqps://host:5691") from None
    tls = _SCHEMES[parts.scheme]
    return Place(
        parts.hostname,
        (_TLS_PORT if tls else _PORT) if port is None else port,
        tls,
        None if parts.username is None else unquote(parts.username),
        unquote(parts.password or ""),
    )


def _check_certificates(config: EndpointConfig) -> None:
    """Look for what is wrong with certificates while somebody looks at the configuration."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        if config.cert_file is not None:
            context.load_cert_chain(config.cert_file, config.key_file)
    except OSError as error:  # ssl.SSLError is one
        files = " and ".join(str(file) for file in (config.cert_file, config.key_file) if file is not None)
        raise ValueError(f"{files}: no certificate with its private key (PEM): {_why(error)}") from None
    try:
        if config.ca_file is not None:
            context.load_verify_locations(config.ca_file)
    except OSError as error:
        raise ValueError(f"{config.ca_file} holds no certificates (PEM): {_why(error)}") from None


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not of that format").replace("_", " ").lower()
    return error.strerror or str(error)
