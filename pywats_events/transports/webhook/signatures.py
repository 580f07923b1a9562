"""Signatures of webhooks as the Standard Webhooks specification has them (version 1, symmetric).

Ours rather than the published library's: that one fixes the window of time, takes bodies as text, and raises
errors of all kinds at headers that are not well formed.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from typing import Final

from pydantic import SecretStr

#: What secrets begin with.
SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # the form, not a secret

#: Version of symmetric signatures; others that stand beside it are left alone.
VERSION: Final = "v1"
#: Standard Webhooks: a secret has 24 to 64 bytes.
_LEAST_KEY: Final = 24
#: Signatures of one call: one for each secret while secrets are changed.
_MOST_SIGNATURES: Final = 16
_LONGEST_HEADER: Final = 4096
_MAC_BYTES: Final = 32
_SECONDS: Final = re.compile(r"[0-9]{1,12}")


def key_of(secret: str) -> bytes:
    """Give the key in a secret: base64, with or without ``whsec_`` before it.

    Raises:
        ValueError: it is none; the text does not quote it.
    """
    key = _unpadded_base64(secret.removeprefix(SECRET_PREFIX))
    if key is None or len(key) < _LEAST_KEY:
        raise ValueError(
            f"secret should be {SECRET_PREFIX} and the base64 of {_LEAST_KEY} bytes or more, which "
            "`openssl rand -base64 32` makes"
        )
    return key


def one_a_line(given: object) -> object:
    """Give the secrets in a text, one of each line; what is no text stays as it is."""
    text = given.get_secret_value() if isinstance(given, SecretStr) else given
    return tuple(filter(None, map(str.strip, text.splitlines()))) if isinstance(text, str) else text


def signed_part(message_id: str, timestamp: str) -> bytes:
    """Give what is signed before the body."""
    return f"{message_id}.{timestamp}.".encode()


def written(mac: bytes) -> str:
    """Give a signature as it stands in ``webhook-signature``."""
    return f"{VERSION},{b64encode(mac).decode()}"


def seconds_of(timestamp: str) -> int | None:
    """Read ``webhook-timestamp``; None where it is no number of seconds."""
    return int(timestamp) if _SECONDS.fullmatch(timestamp) else None


def macs_in(header: str) -> list[bytes]:
    """Give the signatures of our version in ``webhook-signature``; those that are malformed are left out."""
    if len(header) > _LONGEST_HEADER:
        return []
    found = []
    for one in header.split(" ", _MOST_SIGNATURES)[:_MOST_SIGNATURES]:
        version, comma, text = one.partition(",")
        mac = _unpadded_base64(text) if version == VERSION and comma else None
        if mac is not None and len(mac) == _MAC_BYTES:
            found.append(mac)
    return found


def _unpadded_base64(text: str) -> bytes | None:
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
