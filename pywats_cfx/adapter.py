"""One raw message to events: the pure function that transports of CFX hand their messages to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from pywats_cfx.codec import decode_each
from pywats_cfx.envelope import CFXEnvelope
from pywats_cfx.errors import CFXDecodeError
from pywats_cfx.limits import DEFAULT_LIMITS, Limits
from pywats_cfx.mapping.origin import Origin, made_id
from pywats_cfx.mapping.table import MAPPED, maker_of
from pywats_cfx.mapping.values import plain
from pywats_cfx.messages.registry import read_message, right_name
from pywats_events.event import Event, EventType
from pywats_events.message import RawMessage, Unreadable

if TYPE_CHECKING:
    from pywats_cfx.messages.registry import UnknownMessage
    from pywats_cfx.messages.wire import CFXMessage


class CFXAdapter:
    """Makes events of CFX messages. Pure: no I/O, no clock, the same answer for the same message.

    A message that has no event type of its own, or says nothing that one could tell, becomes a CUSTOM event
    with its body as payload; ``message_of`` gives the typed message. A result or an installation that names
    nothing (its list of units is missing or empty) can't be told from one whose field is misspelt, so it is
    unreadable and names the field. An empty list of envelopes holds no message and gives no event.

    Args:
        limits: how much one message may ask of us.
    """

    def __init__(self, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits

    def __call__(self, raw: RawMessage) -> Sequence[Event | Unreadable]:
        """Give the events of a message, and what of it can't be read. Raises nothing."""
        try:
            outcomes = decode_each(raw.body, content_encoding=raw.content_encoding, limits=self._limits)
        except CFXDecodeError as error:
            return [_unreadable(error, raw)]
        made: list[Event | Unreadable] = []
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, CFXDecodeError):
                made.append(_unreadable(outcome, raw))
            else:
                made.extend(_events(outcome, raw, index))
        return made


#: The adapter with the default limits.
cfx_adapter: Final = CFXAdapter()


def message_of(event: Event) -> CFXMessage | UnknownMessage:
    """Give the typed message of a CUSTOM event, for a handler of one's own.

    ``message_of(event)`` of an event whose ``metadata.message_name`` is ``CFX.Production.GetRecipeResponse``
    is a ``pywats_cfx.messages.GetRecipeResponse``; a vendor's own message is an ``UnknownMessage`` with its
    body.

    Args:
        event: a CUSTOM event that this adapter made.

    Raises:
        ValueError: the event is of another type (its payload is a domain payload, which
            ``pywats_events.payloads.parse`` reads) or names no message; or a field of the message holds a
            value of a wholly different kind.
    """
    name = event.metadata.message_name
    if event.event_type is not EventType.CUSTOM or name is None:
        raise ValueError(
            f"event {event.id} ({event.event_type.value}, message {name}) holds no CFX message: only CUSTOM "
            "events of the CFX adapter do; pywats_events.payloads.parse reads the payloads of the others"
        )
    return read_message(name, event.payload)


def _events(envelope: CFXEnvelope, raw: RawMessage, index: int) -> Sequence[Event | Unreadable]:
    origin = Origin.of(envelope, raw)
    try:
        return list(_mapped(envelope, origin))
    except CFXDecodeError as error:
        error.index = index
        reason, kind = str(error), type(error).__name__
    except Exception as error:  # noqa: BLE001  # one message that we can't map must not stop those behind it
        reason, kind = (
            f"{envelope.message_name} from {origin.source}: can't be mapped: {error!r}",
            "MappingError",
        )
    return [
        Unreadable(
            id=made_id(origin.identity, "unreadable"),
            reason=reason,
            error=kind,
            source=origin.source,
            message_name=envelope.message_name,
        )
    ]


def _mapped(envelope: CFXEnvelope, origin: Origin) -> Iterator[Event | Unreadable]:
    name = right_name(envelope.message_name)
    mapped = None if name is None else MAPPED.get(name)
    if mapped is None:
        yield _custom(envelope, origin)
        return
    nothing = True
    for made in maker_of(mapped)(envelope.message, origin):
        nothing = False
        yield made
    if nothing and mapped.subject is not None:
        yield origin.unreadable(mapped.subject, "is missing or empty, so the message says nothing")
    elif nothing:
        yield _custom(envelope, origin)


def _custom(envelope: CFXEnvelope, origin: Origin) -> Event:
    return origin.event(EventType.CUSTOM, plain(envelope.body), key=origin.source)


def _unreadable(error: CFXDecodeError, raw: RawMessage) -> Unreadable:
    digest = hashlib.sha256(raw.body).hexdigest()
    return Unreadable(
        id=made_id("body", digest, "" if error.index is None else error.index),
        reason=str(error),
        error=type(error).__name__,
        source=error.source or raw.address or raw.transport,
        message_name=error.message_name,
    )
