"""What all brokers have in common, whatever they speak: TLS, and a network that keeps us from them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Protocol


class Broker(Protocol):
    """A broker as far as network and TLS go: a configuration of one has these members."""

    @property
    def broker(self) -> str:
        """The broker in one line without the password."""

    @property
    def host(self) -> str:
        """Its name or address."""

    @property
    def connect_timeout(self) -> float:
        """Seconds that a connection attempt may take."""

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""

    @property
    def ca_file(self) -> Path | None:
        """Certificates that sign the broker's."""

    @property
    def cert_file(self) -> Path | None:
        """Our own certificate."""

    @property
    def key_file(self) -> Path | None:
        """Its private key."""

    @property
    def verify(self) -> bool:
        """Whether certificate and name of the broker are checked."""


async def tls_context(config: Broker) -> ssl.SSLContext | None:
    """Give what a connection to the broker is encrypted by; None where it is not.

    Raises:
        OSError: a certificate file can't be read, or holds no certificate (``ssl.SSLError``).
    """
    return await asyncio.to_thread(_context, config) if config.tls else None


def _context(config: Broker) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=config.ca_file)
    if config.cert_file is not None:
        context.load_cert_chain(config.cert_file, config.key_file)
    if not config.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def explain_network(error: BaseException, config: Broker) -> str | None:  # noqa: PLR0911  # one line for each
    """Say in one line what keeps us from the broker. None: it has nothing to do with the network or TLS."""
    broker = config.broker
    match error:
        case ssl.SSLCertVerificationError():
            said = getattr(error, "verify_message", error)
            return (
                f"{broker}: its certificate is not trusted ({said}): "
                "set ca_file to the certificate of its authority, and host to a name that it is made for"
            )
        case ssl.SSLError() if "certificate" in str(error).lower() or "unknown_ca" in str(error).lower():
            return refuses_certificate(error, config)
        case ssl.SSLError():
            said = getattr(error, "reason", None) or error
            return f"{broker}: no TLS connection ({said}): check port, ca_file, cert_file and key_file"
        case FileNotFoundError() | PermissionError():
            return f"{broker}: a certificate file can't be read ({error}): check ca_file, cert_file, key_file"
        case TimeoutError():
            return (
                f"{broker} does not answer within {config.connect_timeout:g} s: check host, port and firewall"
            )
        case socket.gaierror():
            return f'{broker}: no machine is called "{config.host}": check host'
        case ConnectionRefusedError():
            return f"{broker} refuses the connection: is the broker running, and is the port right?"
        # how asyncio puts it where a name has more than one address
        case OSError() if "Multiple exceptions" in str(error):
            return f"{broker} can't be reached: is the broker running, and is the port right? ({error})"
    return None


def refuses_certificate(error: ssl.SSLError, config: Broker) -> str:
    """Say that the broker does not like who we are."""
    said = getattr(error, "reason", None) or error
    return (
        f"{config.broker} refuses our certificate ({said}): set cert_file and key_file to a certificate "
        "that the broker's authority signed and that has not expired"
    )


def lost(error: BaseException, config: Broker) -> str:
    """Say that a connection was lost for a reason that has no words of its own here."""
    return f"connection to {config.broker} lost: {' '.join(str(error).split()) or type(error).__name__}"
