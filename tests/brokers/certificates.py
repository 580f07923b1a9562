"""A certificate authority of the tests' own, and the certificates that it signed."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

#: Who the client is, by its certificate.
CLIENT: Final = "bridge"

_NEW_KEY: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: certificates of the authority, of a server called localhost, of a client, and their keys.

    Attributes:
        expired: a client's certificate whose time is over, for the client's key.
    """

    authority: Path
    server: Path
    key: Path
    client: Path
    client_key: Path
    expired: Path

    @classmethod
    def make(cls, folder: Path) -> Self:
        """Make them in an empty folder."""
        folder.mkdir(parents=True, exist_ok=True)
        authority, authority_key = folder / "ca.crt", folder / "ca.key"
        _openssl(
            "req", "-x509", *_NEW_KEY, "-keyout", authority_key, "-out", authority, "-days", "2",
            "-subj", "/CN=test authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
        names = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"
        server, key = folder / "server.crt", folder / "server.key"
        _sign(folder, "server", name="localhost", extensions=names)
        client, client_key = folder / "client.crt", folder / "client.key"
        names = "extendedKeyUsage=clientAuth\n"
        _sign(folder, "client", name=CLIENT, extensions=names)
        expired = folder / "expired.crt"
        _sign(folder, "expired", name=CLIENT, extensions=names, key="client", days=-1)
        return cls(authority, server, key, client, client_key, expired)

    def public_key_pin(self) -> str:
        """Give the SHA-256 of the server's public key in base64, by what openssl gives as its public key."""
        key = _openssl("pkey", "-in", self.key, "-pubout", "-outform", "der")
        return b64encode(sha256(key).digest()).decode()


def _sign(folder: Path, file: str, *, name: str, extensions: str, key: str = "", days: int = 2) -> None:
    """Make a certificate that the authority signed, for a new key or for that of another certificate."""
    request, wanted = folder / f"{file}.csr", folder / f"{file}.ext"
    wanted.write_text(extensions)
    if key:
        _openssl("req", "-new", "-key", folder / f"{key}.key", "-out", request, "-subj", f"/CN={name}")
    else:
        _openssl("req", *_NEW_KEY, "-keyout", folder / f"{file}.key", "-out", request, "-subj", f"/CN={name}")
    _openssl(
        "x509", "-req", "-in", request, "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key",
        "-CAcreateserial", "-out", folder / f"{file}.crt", "-days", str(days), "-extfile", wanted,
    )  # fmt: skip


def _openssl(*arguments: str | Path) -> bytes:
    done = subprocess.run(["openssl", *arguments], capture_output=True, check=False)  # noqa: S607  # wherever it is
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout
