"""Who may call a hook.

A caller that may not learns nothing: not which part of its proof was wrong, nor whether there is such a hook.
So a hook that does not exist has a gate as well, made like one that does, which lets nobody in.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, Self

from starlette.datastructures import Headers

from pywats_events.transports.webhook.config import HookConfig
from pywats_events.transports.webhook.signatures import macs_in, seconds_of, signed_part

#: Identities longer than this are refused.
LONGEST_KEY: Final = 256

_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_HEX_MAC: Final = re.compile(r"[0-9A-Fa-f]{64}")
_BASE64_MAC: Final = re.compile(r"[A-Za-z0-9+/]{43}=?")
_BEARER: Final = "bearer "


class Proof:
    """What a caller brought to show who it is. The body may be part of it, so it is judged behind the body.

    Args:
        refusal: why it is not good, where that is known already.
        macs: what the body is put through.
        given: signatures, of which one must be one of ``macs``.
    """

    def __init__(
        self, refusal: str | None = None, *, macs: Sequence[hmac.HMAC] = (), given: Sequence[bytes] = ()
    ) -> None:
        self._refusal = refusal
        self._macs = macs
        self._given = given

    @property
    def is_refused(self) -> bool:
        """True when nothing in the body can make it good."""
        return self._refusal is not None

    @property
    def is_good(self) -> bool:
        """True when nothing in the body can make it bad."""
        return self._refusal is None and not self._macs

    def update(self, part: bytes) -> None:
        """Go on with the next part of the body."""
        for mac in self._macs:
            mac.update(part)

    def refusal(self) -> str | None:
        """Say why it is not good, for our log and for nobody else; None when it is."""
        if self._refusal is not None or not self._macs:
            return self._refusal
        is_good = False
        for mac in self._macs:
            right = mac.digest()
            for one in self._given:
                is_good |= hmac.compare_digest(right, one)  # all are compared, whichever fits
        return None if is_good else "no signature fits the body and the secret"


class Gate:
    """The check of one hook's callers.

    Args:
        hook: says what they must bring.
        clock: seconds since 1970.
        keys: what they sign with, in place of what the hook says.
        tokens: what they show, likewise.
        names: whose certificates are good, likewise.
    """

    def __init__(
        self,
        hook: HookConfig,
        *,
        clock: Callable[[], float] = time.time,
        keys: Sequence[bytes] | None = None,
        tokens: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        self.hook = hook
        self._clock = clock
        self._keys = hook.keys if keys is None else tuple(keys)
        shown = [token.get_secret_value() for token in hook.token] if tokens is None else tokens
        self._tokens = [sha256(token.encode()).digest() for token in shown]
        self._names = frozenset(hook.certificate_names if names is None else names)
        self._begin: Callable[[Headers, Mapping[str, Any] | None], Proof] = {
            "standard": self._standard,
            "hmac": self._hmac,
            "bearer": self._bearer,
            "certificate": self._certificate,
            "none": lambda *_: Proof(),
        }[hook.authentication]

    @classmethod
    def decoy(cls, hook: HookConfig, *, clock: Callable[[], float] = time.time) -> Self:
        """Make one that does what that of a hook does, and lets nobody in."""
        return cls(
            hook,
            clock=clock,
            keys=[secrets.token_bytes(32) for _ in hook.keys],
            tokens=[secrets.token_urlsafe(32) for _ in hook.token],
            names=[secrets.token_urlsafe(32)],
        )

    def begin(self, headers: Headers, certificate: Mapping[str, Any] | None) -> Proof:
        """Take what a call brings before its body.

        Args:
            headers: its headers.
            certificate: the client certificate as ``ssl.SSLSocket.getpeercert`` gives it.
        """
        return self._begin(headers, certificate)

    def _standard(self, headers: Headers, _: Mapping[str, Any] | None) -> Proof:
        message_id = only(headers, "webhook-id")
        timestamp = only(headers, "webhook-timestamp")
        signature = only(headers, "webhook-signature")
        if message_id is None or timestamp is None or signature is None:
            return Proof("webhook-id, webhook-timestamp and webhook-signature are needed, each once")
        seconds = seconds_of(timestamp)
        if seconds is None:
            return Proof("webhook-timestamp is no number of seconds")
        behind = self._clock() - seconds
        if abs(behind) > self.hook.tolerance:
            return Proof(
                f"webhook-timestamp is {abs(behind):.0f} seconds {'old' if behind > 0 else 'ahead'}; "
                f"{self.hook.tolerance:.0f} are allowed. Compare the clocks"
            )
        if not is_key(message_id):
            return Proof(f"webhook-id is not {LONGEST_KEY} printable characters or fewer")
        given = macs_in(signature)
        if not given:
            return Proof("webhook-signature holds no signature of version v1")
        return self._signed(signed_part(message_id, timestamp), given)

    def _hmac(self, headers: Headers, _: Mapping[str, Any] | None) -> Proof:
        text = only(headers, self.hook.signature_header)
        if text is None:
            return Proof(f"{self.hook.signature_header} is needed, once")
        prefix = self.hook.signature_prefix
        if not text.startswith(prefix):
            return Proof(f"{self.hook.signature_header} does not begin with {prefix}")
        mac = _mac(text.removeprefix(prefix))
        if mac is None:
            return Proof(f"{self.hook.signature_header} is no HMAC-SHA256 in hexadecimal or base64")
        return self._signed(b"", [mac])

    def _signed(self, before: bytes, given: Sequence[bytes]) -> Proof:
        return Proof(macs=[hmac.new(key, before, sha256) for key in self._keys], given=given)

    def _bearer(self, headers: Headers, _: Mapping[str, Any] | None) -> Proof:
        text = only(headers, "authorization") or ""
        shown = sha256(text[len(_BEARER) :].strip().encode()).digest()
        is_good = False
        for token in self._tokens:
            is_good |= hmac.compare_digest(token, shown)
        is_good &= text[: len(_BEARER)].lower() == _BEARER
        return Proof() if is_good else Proof("the Authorization header holds no token of this hook")

    def _certificate(self, _: Headers, certificate: Mapping[str, Any] | None) -> Proof:
        if not certificate:
            return Proof("no client certificate")
        names = _names_in(certificate)
        if not self._names or self._names & names:
            return Proof()
        return Proof(f"the client certificate is that of {', '.join(sorted(names)) or 'nobody'}")


def only(headers: Headers, name: str) -> str | None:
    """Give a header that stands there once; None where it is missing or repeated."""
    found = headers.getlist(name)
    return found[0] if len(found) == 1 else None


def is_key(text: str) -> bool:
    """Tell whether a text can be the identity of a call."""
    return len(text) <= LONGEST_KEY and _PRINTABLE.fullmatch(text) is not None


def _mac(text: str) -> bytes | None:
    if _HEX_MAC.fullmatch(text):
        return bytes.fromhex(text)
    return b64decode(text.removesuffix("=") + "=") if _BASE64_MAC.fullmatch(text) else None


def _names_in(certificate: Mapping[str, Any]) -> set[str]:
    subject = (pair for part in certificate.get("subject", ()) for pair in part)
    names = {value for kind, value in subject if kind == "commonName"}
    return names | {value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"}
