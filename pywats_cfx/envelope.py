"""The envelope that every CFX message travels in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self
from uuid import uuid4

from pywats_cfx.errors import CFXDecodeError
from pywats_cfx.messages.registry import MODELS, UnknownMessage, WrongType, read_message
from pywats_cfx.messages.wire import CFXMessage
from pywats_cfx.messages.writing import to_wire

#: An unset guid, which the standard writes out.
ZERO_GUID: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(slots=True)
class CFXEnvelope:
    """One message with its sender, time and identity.

    Attributes:
        message_name: full name, ``CFX.Production.WorkStarted`` for instance; says what the body is.
        body: the message's fields as they are on the wire.
        source: CFX handle of the sender; None when it did not say.
        target: CFX handle asked, for requests and responses.
        request_id: pairs a request with its response.
        unique_id: identity of the message; None when it was not set.
        time_stamp: when the thing happened, with time zone (UTC where the sender said none); None when unset.
        version: CFX version of the sender.
        extra: fields of the envelope that the standard does not know.
    """

    message_name: str
    body: dict[str, Any] = field(default_factory=dict)
    source: str | None = None
    target: str | None = None
    request_id: str | None = None
    unique_id: str | None = None
    time_stamp: datetime | None = None
    version: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    _message: CFXMessage | UnknownMessage | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def of(  # noqa: D417  # the other arguments are the attributes of the class
        cls,
        message: CFXMessage,
        *,
        source: str | None = None,
        target: str | None = None,
        request_id: str | None = None,
        unique_id: str | None = None,
        time_stamp: datetime | None = None,
        version: str = "2.1",
    ) -> Self:
        """Put a message into an envelope of its own.

        Args:
            message: the message; changes made to it afterwards don't reach the envelope.
            unique_id: a new one when not given.
            time_stamp: now when not given.
        """
        return cls(
            message_name=message.CFX_NAME,
            body=to_wire(message),
            source=source,
            target=target,
            request_id=request_id,
            unique_id=unique_id or str(uuid4()),
            time_stamp=time_stamp or datetime.now(UTC),
            version=version,
        )

    @property
    def message(self) -> CFXMessage | UnknownMessage:
        """The typed message, read when first asked for.

        Raises:
            CFXDecodeError: a field of the body holds a value of a wholly different kind.
        """
        if self._message is None:
            try:
                self._message = read_message(self.message_name, self.body)
            except WrongType as error:
                raise CFXDecodeError(
                    error.reason,
                    path=f"MessageBody.{error.path}" if error.path else "MessageBody",
                    message_name=self.message_name,
                    unique_id=self.unique_id,
                    source=self.source,
                ) from error
        return self._message

    @property
    def is_known(self) -> bool:
        """True when ``message`` is a typed one."""
        return self.message_name in MODELS
