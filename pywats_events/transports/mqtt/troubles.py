"""What can go wrong with an MQTT broker, and what a person can do about it."""

from __future__ import annotations

from typing import Final

from paho.mqtt.reasoncodes import ReasonCode

from pywats_events.journal.interface import JournalError
from pywats_events.transports.brokers import explain_network, lost
from pywats_events.transports.mqtt.config import MQTTBroker
from pywats_events.transports.mqtt.wire import NotMQTT

#: Reason codes of MQTT 5 (2.4); those of 3.1.1 are translated to them by the library.
UNSUPPORTED_VERSION: Final = 0x84
_CLIENT_ID_REFUSED: Final = 0x85
_BAD_LOGIN: Final = 0x86
_NOT_AUTHORISED: Final = 0x87
_SHUTTING_DOWN: Final = 0x8B
_TAKEN_OVER: Final = 0x8E
_PACKET_TOO_LARGE: Final = 0x95


class BrokerGone(Exception):  # noqa: N818  # says what happened
    """The connection ended without a word.

    Attributes:
        was_login: it ended while we were logging in.
        was_silent: the other side ended it.
    """

    def __init__(self, said: str, *, was_login: bool = False, was_silent: bool = False) -> None:
        super().__init__(said)
        self.was_login = was_login
        self.was_silent = was_silent


class ThrownOut(Exception):  # noqa: N818  # says what happened
    """The broker ended the connection without a word, and lives.

    Attributes:
        for_good: that has happened so often in a row that nothing else can be the reason.
    """

    def __init__(self, *, for_good: bool) -> None:
        super().__init__("closed without a word")
        self.for_good = for_good


class BrokerRefuses(Exception):  # noqa: N818  # says what it does
    """The broker does not let us in."""

    def __init__(self, reason: ReasonCode) -> None:
        super().__init__(str(reason))
        self.code: int = reason.value


class BrokerEnds(Exception):  # noqa: N818  # says what it does
    """The broker ended the connection, and said why."""

    def __init__(self, reason: ReasonCode | None) -> None:
        super().__init__(str(reason) if reason is not None else "no reason given")
        self.code: int = reason.value if reason is not None else 0

    @property
    def is_takeover(self) -> bool:
        """Another client has come with our identity."""
        return self.code == _TAKEN_OVER


class SubscriptionsRefused(Exception):  # noqa: N818  # says what happened
    """The broker lets us subscribe to nothing of what we want."""


class PublishRefused(Exception):  # noqa: N818  # says what happened
    """The broker does not take a message that we publish."""


class IntakeFailed(Exception):  # noqa: N818  # says what happened
    """Taking a message in failed with an error that nobody expected."""


class ReadingFailed(Exception):  # noqa: N818  # says what happened
    """Reading what the broker sent failed with an error that nobody expected."""


def explain(error: BaseException, config: MQTTBroker) -> str:  # noqa: C901, PLR0911, PLR0912  # one line for each
    """Say in one line why there is no connection, or none any more, and what to do."""
    broker = config.broker
    match error:
        case BrokerEnds(is_takeover=True):
            return (
                f'{broker}: another client has connected as "{config.client_id}" and taken our session: give '
                "each bridge a client_id of its own. We leave it alone for five minutes"
            )
        case ThrownOut(for_good=True):
            return (
                f'{broker}: another client connects as "{config.client_id}" again and again, and takes our '
                "session: give each bridge a client_id of its own. We leave it alone for five minutes"
            )
        case ThrownOut():
            return (
                f"{broker} closed the connection without a word, as it does when another client connects as "
                f'"{config.client_id}": each bridge needs a client_id of its own'
            )
        case BrokerEnds(code=code) if code == _SHUTTING_DOWN:
            return f"{broker} shuts down"
        case BrokerEnds(code=code) if code == _PACKET_TOO_LARGE:
            return f"{broker} ended the connection: it takes no packets as large as ours ({error})"
        case BrokerEnds():
            return f"{broker} ended the connection: {error}"
        case BrokerRefuses(code=code):
            return _refusal(code, error, config)
        case SubscriptionsRefused():
            return f"{broker}: {error}: give the user the right to read these topics"
        case NotMQTT():
            return (
                f"{broker}: what answers there does not speak MQTT as it should ({error}): check host, port "
                "and tls"
            )
        case BrokerGone(was_login=True) if config.tls:
            return (  # its words about a certificate may be lost under what we had sent by then
                f"{broker} cut the connection once TLS stood, as it does when it refuses our certificate: "
                "set cert_file and key_file to one that the broker's authority signed and that has not "
                f"expired, and check that it speaks MQTT {config.protocol}"
            )
        case BrokerGone(was_login=True):
            return (
                f"{broker} cut the connection at the login: check that it speaks MQTT {config.protocol}, "
                "and whether it wants TLS"
            )
        case BrokerGone():
            return f"connection to {broker} lost: {error}"
        case IntakeFailed() | ReadingFailed():
            return f"{error}; this is a fault of the program, please report it"
        case JournalError():
            return f"the journal can't be read: {error}"
    return explain_network(error, config) or lost(error, config)


def _refusal(code: int, error: BaseException, config: MQTTBroker) -> str:
    broker = config.broker
    if code in (_BAD_LOGIN, _NOT_AUTHORISED):
        who = f'user "{config.username}"' if config.username else "a client without a user"
        what = "check username and password"
        if code == _NOT_AUTHORISED:  # brokers say so of a wrong password, too
            what += f', and that it may connect as "{config.client_id}"'
        return f"{broker} refuses {who} ({error}): {what}"
    if code == UNSUPPORTED_VERSION:
        other = '"3.1.1"' if config.protocol == "5" else '"5"'
        return f"{broker} does not speak MQTT {config.protocol}: set protocol = {other}"
    if code == _CLIENT_ID_REFUSED:
        return f'{broker} does not let "{config.client_id}" in ({error}): choose another client_id'
    return f"{broker} does not let us in: {error}"
