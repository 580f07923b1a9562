"""Which webhooks there are, who may call them, and how much a call may ask of us."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from pywats_events.mapping import Reading, TopicPattern
from pywats_events.mapping.body import Limits
from pywats_events.transports.webhook.signatures import key_of, one_a_line

#: How a caller proves who it is.
Authentication: TypeAlias = Literal["standard", "hmac", "bearer", "certificate", "none"]

_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
#: Headers that are never kept, whatever the configuration says: they let their reader in.
_OF_CREDENTIALS: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "webhook-signature", "x-api-key"}
)
#: Shorter ones can be guessed.
_LEAST_SECRET: Final = 8
#: The JSON parser goes no deeper than this.
_DEEPEST: Final = 200


class HookConfig(Reading):
    """One webhook, ``POST /hooks/{name}``: who may call it, its limits, and how its messages are read.

    Without a mapping, a profile or a format it takes CloudEvents.

    Attributes:
        name: last part of its path, and its name in logs.
        auth: how callers prove who they are. ``standard``: signed as Standard Webhooks say, with ``secret``.
            ``hmac``: an HMAC-SHA256 of the body with ``secret`` in one header, as GitHub has it. ``bearer``:
            ``token`` in the Authorization header. ``certificate``: a client certificate that
            ``webhook.ca_file`` signs. ``none``: anybody may call. Default: ``standard`` with a secret,
            ``bearer`` with a token.
        secret: what callers sign with. For ``standard`` base64 of at least 24 bytes, with or without
            ``whsec_`` before it; for ``hmac`` the text itself. Several while one replaces another: a list, or
            one a line; each is good.
        token: what callers show. Several as with ``secret``.
        tolerance: seconds by which the time of a signed call may differ from ours, for ``standard``. A call
            that is older is a replay.
        signature_header: where the signature stands, for ``hmac``.
        signature_prefix: what stands before it. It is read in hexadecimal and in base64.
        certificate_names: common names or DNS names of which the certificate must have one. Empty: any that
            the authority signed.
        headers: names of headers that mappings need besides the usual ones (CloudEvents, ``webhook-id``,
            ``idempotency-key``, trace context, those of GitHub and GitLab that say what happened).
        max_bytes: size of a body, as it came and unpacked.
        max_depth: how deep its objects and lists may nest; at most 200.
        max_values: how many values (numbers, texts, lists, objects) it may hold.
        requests_per_minute: most calls in a minute; a tenth of them may come at once.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    auth: Authentication | None = None
    secret: tuple[SecretStr, ...] = ()
    token: tuple[SecretStr, ...] = ()
    tolerance: float = Field(default=300.0, ge=1, le=86_400)
    signature_header: str = "X-Hub-Signature-256"
    signature_prefix: str = "sha256="
    certificate_names: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    max_bytes: int = Field(default=4 * 1024 * 1024, ge=1, le=64 * 1024 * 1024)
    max_depth: int = Field(default=64, ge=1, le=_DEEPEST)
    max_values: int = Field(default=500_000, ge=1)
    requests_per_minute: float = Field(default=6000, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _takes_cloudevents_unless_told(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and not any(data.get(key) for key in ("format", *_OF_MAPPINGS)):
            return {**data, "format": "cloudevents"}
        return data

    @field_validator("secret", "token", mode="before")
    @classmethod
    def _one_a_line(cls, given: Any) -> Any:
        return one_a_line(given)

    @field_validator("token")
    @classmethod
    def _are_tokens(cls, tokens: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for token in tokens:
            if re.fullmatch(r"[\x21-\x7e]{8,}", token.get_secret_value()) is None:
                raise ValueError(f"should have {_LEAST_SECRET} characters or more, no blanks among them")
        return tokens

    @field_validator("signature_header", "headers")
    @classmethod
    def _are_header_names(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for name in (given,) if isinstance(given, str) else given:
            if _HEADER_NAME.fullmatch(name) is None:
                raise ValueError(f'"{name[:100]}" is no name of a header')
        return given

    @field_validator("headers")
    @classmethod
    def _let_nobody_in(cls, headers: tuple[str, ...]) -> tuple[str, ...]:
        for name in headers:
            if name.lower() in _OF_CREDENTIALS:
                raise ValueError(f"{name} is a credential: it is never kept")
        return tuple(name.lower() for name in headers)

    @model_validator(mode="after")
    def _says_who_may_call(self) -> Self:
        if self.auth is None and not (self.secret or self.token):
            raise ValueError(
                "say how callers prove who they are: secret_file or secret (they sign), token_file or token "
                '(they show it), auth = "certificate", or auth = "none" to let anybody in'
            )
        if self.secret and self.token:
            raise ValueError("secret and token are given: callers either sign or show; give one of them")
        if self.secret and self.authentication not in ("standard", "hmac"):
            raise ValueError(f'secret is given, but with auth = "{self.authentication}" nobody signs')
        if self.token and self.authentication != "bearer":
            raise ValueError(f'token is given, but with auth = "{self.authentication}" nobody shows one')
        if self.authentication in ("standard", "hmac") and not self.secret:
            raise ValueError(f'auth = "{self.auth}" needs a secret: secret_file or secret')
        if self.authentication == "bearer" and not self.token:
            raise ValueError('auth = "bearer" needs a token: token_file or token')
        if self.certificate_names and self.authentication != "certificate":
            raise ValueError('certificate_names are given without auth = "certificate"')
        if self.authentication == "hmac" and self.signature_header.lower() in self.headers:
            raise ValueError("headers: the signature is never kept")
        _ = self.keys  # what is wrong with a secret is told here
        return self

    @property
    def authentication(self) -> Authentication:
        """How callers prove who they are."""
        return self.auth or ("bearer" if self.token else "standard")

    @property
    def keys(self) -> tuple[bytes, ...]:
        """What callers sign with, the first one first."""
        return tuple(self._key(secret.get_secret_value()) for secret in self.secret)

    def _key(self, secret: str) -> bytes:
        if self.authentication == "standard":
            return key_of(secret)
        if len(secret) < _LEAST_SECRET:
            raise ValueError(f"secret should have {_LEAST_SECRET} characters or more")
        return secret.encode()

    @property
    def limits(self) -> Limits:
        """How much may be in a body."""
        return Limits(bytes=self.max_bytes, levels=self.max_depth, values=self.max_values)

    @property
    def address(self) -> str:
        """Its path."""
        return f"/hooks/{self.name}"


#: Keys of which one makes a hook take something else than CloudEvents.
_OF_MAPPINGS: Final = ("profile", "event", "fields")


class WebhookConfig(BaseModel):
    """The webhooks, and where they listen.

    Attributes:
        listen: where callers connect to, ``http://0.0.0.0:8085`` (``https`` for TLS; port 0 for any free
            one). Empty: nowhere; the webhooks are served by the bridge's own web server.
        cert_file: our certificate (PEM), for ``https``.
        key_file: its private key, when it is not in ``cert_file``.
        ca_file: certificates that sign those of callers (PEM).
        client_certificate: with ``ca_file``: whether every caller must show a certificate, or only those of
            hooks with ``auth = "certificate"``.
        hooks: the webhooks.
        openapi: serve ``/openapi.json``, which names the hooks, to everybody who asks.
        max_connections: most connections at one time; more are answered with 503.
        header_timeout: seconds for a TLS handshake, and for the head of a request.
        body_timeout: seconds for the body of a request.
        journal_timeout: seconds that a caller waits for the journal before it gets 503.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    listen: str = "http://127.0.0.1:8085"
    cert_file: Path | None = None
    key_file: Path | None = None
    ca_file: Path | None = None
    client_certificate: Literal["required", "optional"] = "required"
    hooks: tuple[HookConfig, ...] = ()
    openapi: bool = False
    max_connections: int = Field(default=256, ge=1, le=10_000)
    header_timeout: float = Field(default=10.0, gt=0, le=300)
    body_timeout: float = Field(default=30.0, gt=0, le=3600)
    journal_timeout: float = Field(default=10.0, gt=0, le=300)

    @field_validator("listen")
    @classmethod
    def _is_place_to_listen(cls, listen: str) -> str:
        if listen:
            Place.of(listen)
        return listen

    @field_validator("hooks")
    @classmethod
    def _have_names_of_their_own(cls, hooks: tuple[HookConfig, ...]) -> tuple[HookConfig, ...]:
        names = [hook.name for hook in hooks]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f'two hooks are named "{twice}": give one of them another name')
        return hooks

    @model_validator(mode="after")
    def _check(self) -> Self:
        is_tls = bool(self.listen) and Place.of(self.listen).tls
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file is given without cert_file")
        if is_tls and self.cert_file is None:
            raise ValueError("listen says https, which needs a certificate: give cert_file (and key_file)")
        if not is_tls and (self.cert_file or self.ca_file):
            raise ValueError("certificates are given, but listen does not say https")
        wanting = next((hook for hook in self.hooks if hook.authentication == "certificate"), None)
        if wanting is not None and self.listen and self.ca_file is None:
            raise ValueError(
                f'hook "{wanting.name}" wants certificates of callers: say with ca_file who signs them'
            )
        if is_tls:
            tls_context(self)
        return self

    @property
    def readings(self) -> tuple[tuple[TopicPattern, Reading], ...]:
        """How the messages of each hook are read, for ``adapter_of``."""
        return tuple((TopicPattern.parse(hook.address), hook) for hook in self.hooks)


@dataclass(frozen=True, slots=True)
class Place:
    """Where callers connect to."""

    host: str
    port: int
    tls: bool

    @classmethod
    def of(cls, url: str) -> Self:
        """Read ``http://host:port`` or ``https://host:port``.

        Raises:
            ValueError: it is none.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        is_more = parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc
        if parts.scheme not in _PORTS or not parts.hostname or is_more:
            raise ValueError("should look like http://0.0.0.0:8085 or https://0.0.0.0:8443") from None
        return cls(
            parts.hostname, _PORTS[parts.scheme] if port is None else port, tls=parts.scheme == "https"
        )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def tls_context(config: WebhookConfig) -> ssl.SSLContext:
    """Make what TLS needs of the files. It reads them.

    Raises:
        ValueError: a file can't be used; the text names it.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(config.cert_file or "", config.key_file)
    except OSError as error:  # ssl.SSLError is one
        files = " and ".join(str(file) for file in (config.cert_file, config.key_file) if file is not None)
        raise ValueError(f"{files}: no certificate with its private key (PEM): {_why(error)}") from None
    if config.ca_file is not None:
        try:
            context.load_verify_locations(config.ca_file)
        except OSError as error:
            raise ValueError(f"{config.ca_file} holds no certificates (PEM): {_why(error)}") from None
        is_needed = config.client_certificate == "required"
        context.verify_mode = ssl.CERT_REQUIRED if is_needed else ssl.CERT_OPTIONAL
    return context


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not of that format").replace("_", " ").lower()
    return error.strerror or str(error)
