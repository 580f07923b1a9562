"""CFX over AMQP 1.0, the protocol that the standard prescribes: to brokers, and from machine to machine.

The protocol engine is Apache Qpid Proton's. It does no input or output of its own here: bytes come and go
over asyncio, TLS is asyncio's as well. Proton is compiled where it is installed; ``require_proton`` says how
to get it where it is missing.
"""

from __future__ import annotations

from importlib.util import find_spec


class ProtonMissing(Exception):  # noqa: N818  # says a state
    """AMQP 1.0 is asked for, and the library for it is not installed; the text says how to get it."""


def require_proton() -> None:
    """See to it that AMQP 1.0 can be spoken.

    Raises:
        ProtonMissing: python-qpid-proton is not installed.
    """
    if find_spec("proton") is None:
        raise ProtonMissing(
            "AMQP 1.0 needs python-qpid-proton, which is not installed: pip install 'pywats-bridge[amqp10]' "
            "(it is compiled on the way; Debian: apt-get install gcc python3-dev), "
            'or set cfx.amqp.protocol = "0-9-1"'
        )
