"""Topics of Sparkplug B: ``spBv1.0/GROUP/KIND/NODE`` and ``spBv1.0/GROUP/KIND/NODE/DEVICE``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, Self

from pywats_events.sparkplug.errors import SparkplugError

NAMESPACE: Final = "spBv1.0"
_OF_HOST: Final = 3
_WITH_NODE: Final = 4
_WITH_DEVICE: Final = 5


class MessageKind(StrEnum):
    """What a message is, by its topic. STATE and commands are for others than us."""

    NBIRTH = "NBIRTH"
    NDATA = "NDATA"
    NDEATH = "NDEATH"
    DBIRTH = "DBIRTH"
    DDATA = "DDATA"
    DDEATH = "DDEATH"
    NCMD = "NCMD"
    DCMD = "DCMD"
    STATE = "STATE"

    @property
    def is_of_device(self) -> bool:
        """True for messages about a device behind an edge node."""
        return self.value[0] == "D"

    @property
    def is_told(self) -> bool:
        """True for what nodes tell; False for commands and for the state of hosts."""
        return self not in (MessageKind.NCMD, MessageKind.DCMD, MessageKind.STATE)

    @property
    def is_birth(self) -> bool:
        """True for birth certificates."""
        return self in (MessageKind.NBIRTH, MessageKind.DBIRTH)

    @property
    def is_death(self) -> bool:
        """True for death certificates."""
        return self in (MessageKind.NDEATH, MessageKind.DDEATH)


@dataclass(frozen=True, slots=True)
class SparkplugTopic:
    """What a topic says.

    Attributes:
        kind: what the message is.
        group: the group of edge nodes; empty for STATE.
        node: the edge node; for STATE the host application.
        device: the device behind it; None where the message is about the node itself.
    """

    kind: MessageKind
    group: str
    node: str
    device: str | None = None

    @classmethod
    @lru_cache(maxsize=4096)  # nodes publish on the same few topics for ever
    def parse(cls, topic: str) -> Self:
        """Read a topic.

        Raises:
            SparkplugError: it is none of Sparkplug B.
        """
        parts = topic.split("/")
        if parts[0] != NAMESPACE or "" in parts:
            raise SparkplugError(f'topic "{topic}": not "{NAMESPACE}/GROUP/KIND/NODE[/DEVICE]"')
        if parts[1:2] == [MessageKind.STATE] and len(parts) == _OF_HOST:
            return cls(MessageKind.STATE, "", parts[-1])
        try:
            kind = MessageKind(parts[2])
        except (IndexError, ValueError) as error:
            known = ", ".join(MessageKind)
            raise SparkplugError(f'topic "{topic}": its third part is none of {known}') from error
        if len(parts) != (_WITH_DEVICE if kind.is_of_device else _WITH_NODE):
            wanted = "a node and a device" if kind.is_of_device else "a node and nothing more"
            raise SparkplugError(f'topic "{topic}": {kind} wants {wanted}')
        return cls(kind, parts[1], parts[3], parts[4] if kind.is_of_device else None)

    @property
    def of_node(self) -> str:
        """The edge node's identity: ``GROUP/NODE``."""
        return f"{self.group}/{self.node}"

    @property
    def descriptor(self) -> str:
        """Who the message is about: ``GROUP/NODE`` or ``GROUP/NODE/DEVICE``."""
        return self.of_node if self.device is None else f"{self.of_node}/{self.device}"
