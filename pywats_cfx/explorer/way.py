"""Which broker or listener is meant, and how it is spoken to."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, Self, TypeAlias

from pydantic import SecretStr, ValidationError

from pywats_cfx.amqp10 import ProtonMissing, require_proton
from pywats_cfx.config import AMQPConfig
from pywats_cfx.explorer.refusal import USAGE, RefusedError

Protocol: TypeAlias = Literal["1.0", "0-9-1"]

#: Who we are to brokers, and the sender of messages that name none.
HANDLE: Final = "pywats-explorer"
_EXCHANGE: Final = "cfx"


@dataclass(frozen=True, slots=True)
class Way:
    """A broker or listener, and what was said of the way to it.

    Attributes:
        config: the other side; its exchange is the one meant, or the usual one.
        address: AMQP 1.0's address, if one was named.
        exchange: the exchange, if one was named.
        protocol: the version of AMQP, if one was named.
        anonymous: no user was named.
    """

    config: AMQPConfig
    address: str | None
    exchange: str | None
    protocol: Protocol | None
    anonymous: bool

    @classmethod
    def of(
        cls,
        url: str,
        *,
        address: str | None,
        exchange: str | None,
        protocol: Protocol | None,
        ca_file: str | None,
    ) -> Self:
        """Read what was asked for.

        Raises:
            RefusedError: it makes no sense; the text does not quote the URL, for it may hold a password.
        """
        if address is not None and (protocol == "0-9-1" or exchange is not None):
            other = "--exchange" if exchange is not None else "--protocol 0-9-1"
            raise RefusedError(f"--address is AMQP 1.0's, and {other} does not go with it", USAGE)
        if address == "" or exchange == "":
            raise RefusedError("--address and --exchange need a name", USAGE)
        _quieten_library()
        try:
            config = AMQPConfig.model_validate(
                {
                    "url": SecretStr(url),
                    "exchange": exchange or _EXCHANGE,
                    "address": address,
                    "ca_file": ca_file,
                }
            )
        except ValidationError as error:
            said = "; ".join(
                each["msg"].removeprefix("Value error, ") for each in error.errors(include_input=False)
            )
            raise RefusedError(said, USAGE) from None
        return cls(config, address, exchange, protocol, anonymous="@" not in url)

    @property
    def config10(self) -> AMQPConfig:
        """The other side over AMQP 1.0, where who names no user logs in without one, as CFX has it."""
        if not self.anonymous:
            return self.config
        return self.config.model_copy(update={"username": "", "password": SecretStr("")})


def see_to_proton() -> None:
    """See to it that AMQP 1.0 can be spoken.

    Raises:
        RefusedError: it can't, for its library is missing.
    """
    try:
        require_proton()
    except ProtonMissing as error:
        raise RefusedError(in_options(str(error))) from error


@contextmanager
def explained(
    explain: Callable[[BaseException, AMQPConfig], str], config: AMQPConfig, *kinds: type[Exception]
) -> Iterator[None]:
    """Turn what goes wrong with the other side into one line.

    Args:
        explain: finds the words.
        config: the other side.
        kinds: the errors that it knows, beside ``OSError``.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, (OSError, *kinds)):
            raise
        raise RefusedError(in_options(explain(error, config))) from error


def in_options(advice: str) -> str:
    """Give an advice about settings in the words of the command line."""
    advice = re.sub(r'(?:set )?(?:cfx\.amqp\.)?protocol = "([^"]+)"', r"use --protocol \1", advice)
    return advice.replace("set ca_file to", "set --ca-file to")


def _quieten_library() -> None:
    """Silence the library's own account of what goes wrong: it is told in one line."""
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
