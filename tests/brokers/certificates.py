"""A certificate authority of the tests' own, and a server certificate for localhost that it signed."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: the authority's certificate, the server's, and the server's key."""

    authority: Path
    server: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> Self:
        """Make them in an empty folder."""
        folder.mkdir(parents=True, exist_ok=True)
        authority, authority_key = folder / "ca.crt", folder / "ca.key"
        server, key, request = folder / "server.crt", folder / "server.key", folder / "server.csr"
        names = folder / "names"
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        _openssl(
            "req", "-x509", *new_key, "-keyout", authority_key, "-out", authority, "-days", "2",
            "-subj", "/CN=test authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
        _openssl("req", *new_key, "-keyout", key, "-out", request, "-subj", "/CN=localhost")
        _openssl(
            "x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key, "-CAcreateserial",
            "-out", server, "-days", "2", "-extfile", names,
        )  # fmt: skip
        return cls(authority, server, key)


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)  # noqa: S607  # wherever it is
    if done.returncode != 0:
        raise AssertionError(f"openssl {arguments[0]}: {done.stderr}")
