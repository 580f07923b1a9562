"""TLS to a broker: who it must be, and who we are."""

from __future__ import annotations

import ssl
from hashlib import sha256
from typing import Final, cast

from pywats_cfx.config import AMQPConfig
from pywats_events.transports import brokers


class KeyNotPinned(ssl.SSLError):
    """The broker's public key is none of those that the configuration names.

    Attributes:
        pin: that of the key which it showed, in hexadecimal.
    """

    def __init__(self, pin: str) -> None:
        super().__init__(f"public key {pin} is not pinned")
        self.pin = pin


class HandshakeWasted(ssl.SSLError):
    """The broker cut the connection as soon as TLS stood.

    So it does when it does not like our certificate: it says so, but what we have sent by then makes the
    operating system drop its words.
    """

    def __init__(self) -> None:
        super().__init__("connection cut right after the handshake")


async def tls_context(config: AMQPConfig) -> ssl.SSLContext | None:
    """Give what a connection to the broker is encrypted by; None where it is not.

    Raises:
        OSError: a certificate file can't be read, or holds no certificate (``ssl.SSLError``).
    """
    context = await brokers.tls_context(config)
    if context is not None and config.public_key_pins:
        context.sslobject_class = _pinned(frozenset(config.public_key_pins))
    return context


def _pinned(pins: frozenset[str]) -> type[ssl.SSLObject]:
    """Give connections that look at the key as part of the handshake: nothing of ours is sent before."""

    class PinnedConnection(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            pin = public_key_pin(cast("bytes", self.getpeercert(binary_form=True)))
            if pin not in pins:
                raise KeyNotPinned(pin)

    return PinnedConnection


def public_key_pin(certificate: bytes) -> str:
    """Give the SHA-256 of a certificate's SubjectPublicKeyInfo, in hexadecimal.

    Args:
        certificate: in DER.

    Raises:
        KeyNotPinned: this is no certificate that has a key we know of.
    """
    # a compiled library of some weight, for those only who pin keys
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415
    from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415

    try:
        key = load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise KeyNotPinned(_UNREADABLE) from None
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


_UNREADABLE: Final = "(of a kind that can't be read)"
