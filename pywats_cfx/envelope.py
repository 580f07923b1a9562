"""The envelope that every CFX message travels in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import uuid4

from pydantic_core import from_json

from pywats_cfx.errors import CFXDecodeError

if TYPE_CHECKING:
    from pywats_cfx.messages.registry import UnknownMessage
    from pywats_cfx.messages.wire import CFXMessage

#: An unset guid, which the standard writes out.
ZERO_GUID: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(slots=True)
class CFXEnvelope:
    """One message with its sender, time and identity.

    An envelope that was decoded may hold its body as JSON text until the body is asked for. Nothing of that
    is seen from outside: comparing, copying, printing and pickling read it first.

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
        index: place in the batch that it was decoded from, from 0; None when it was made here. Envelopes are
            equal wherever they stood.
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
    index: int | None = field(default=None, init=False, repr=False, compare=False)
    _unread: bytes | None = field(default=None, init=False, repr=False, compare=False)
    _message: CFXMessage | UnknownMessage | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def of(  # noqa: D417  # the other arguments are the attributes of the class
        cls,
        message: CFXMessage | UnknownMessage,
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
            message: the message, a vendor's own one too; changes made to it afterwards don't reach the
                envelope.
            unique_id: a new one when not given.
            time_stamp: now when not given.
        """
        from pywats_cfx.messages.registry import UnknownMessage  # noqa: PLC0415  # models load when they are used
        from pywats_cfx.messages.writing import to_wire  # noqa: PLC0415  # as above

        if isinstance(message, UnknownMessage):
            name, body = message.name, to_wire(message.body)
        else:
            name, body = message.CFX_NAME, to_wire(message)
        return cls(
            message_name=name,
            body=body,
            source=source,
            target=target,
            request_id=request_id,
            unique_id=unique_id or str(uuid4()),
            time_stamp=time_stamp or datetime.now(UTC),
            version=version,
        )

    def leave_unread(self, text: bytes) -> None:
        """Take the body from this JSON text of an envelope, but only once somebody asks for it.

        Args:
            text: a whole envelope, already known to be good JSON with an object as its ``MessageBody``.
        """
        self._unread = text
        del self.body

    if not TYPE_CHECKING:  # it would let every misspelt attribute pass

        def __getattr__(self, name):  # noqa: ANN001, ANN204
            """Read the body: reached for attributes that are not set, and of ours only ``body`` may be so."""
            text = self._unread if name == "body" else None
            if text is None:  # no such attribute, unless another thread has just read the body
                return object.__getattribute__(self, name)
            self.body = from_json(text, cache_strings="keys")["MessageBody"]
            self._unread = None
            return self.body

    def _has_body(self) -> bool:
        """True when the body was read, or replaced by another."""
        try:
            object.__getattribute__(self, "body")
        except AttributeError:
            return False
        return True

    @property
    def message(self) -> CFXMessage | UnknownMessage:
        """The typed message, read when first asked for; changes of ``body`` after that don't reach it.

        Raises:
            CFXDecodeError: a field of the body holds a value of a wholly different kind.
        """
        if self._message is None:
            from pywats_cfx.messages.registry import (  # noqa: PLC0415  # as above
                WrongType,
                read_message,
                read_message_json,
            )

            try:
                if self._unread is not None and not self._has_body():
                    self._message = read_message_json(self.message_name, self._unread)
                else:
                    self._message = read_message(self.message_name, self.body)
            except WrongType as error:
                raise CFXDecodeError(
                    error.reason,
                    path=f"MessageBody.{error.path}" if error.path else "MessageBody",
                    index=self.index,
                    message_name=self.message_name,
                    unique_id=self.unique_id,
                    source=self.source,
                ) from error
        return self._message

    @property
    def is_known(self) -> bool:
        """True when ``message`` is a typed one."""
        from pywats_cfx.messages.registry import MODELS  # noqa: PLC0415  # as above

        return self.message_name in MODELS
