"""The line's stations as machines on a network: each with its own connection, publishing and asking."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self
from uuid import uuid4

from pywats_cfx import messages as cfx
from pywats_cfx.amqp.outgoing import Outgoing
from pywats_cfx.amqp10.connection import Connection
from pywats_cfx.amqp10.links import Sender
from pywats_cfx.amqp10.message import encode_message
from pywats_cfx.amqp10.sasl import ClientLogin
from pywats_cfx.endpoint.config import EndpointConfig, place_of
from pywats_cfx.endpoint.endpoint import Endpoint
from samples.line import Step


class Network:
    """Connects stations to a listener when they first have something to say.

    Args:
        uri: where the listener is.
        handle: the listener's handle.
    """

    def __init__(self, uri: str, handle: str) -> None:
        self._uri = uri
        self._handle = handle
        self._senders: dict[str, Sender] = {}
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def publish(self, step: Step) -> None:
        """Let a station send its message, and return when the listener has accepted it.

        Raises:
            OSError: no connection.
            Amqp10Error: the listener refuses.
        """
        sender = self._senders.get(step.handle)
        if sender is None:
            sender = self._senders[step.handle] = await self._connect(step.handle)
        await sender.send(encode_message(_outgoing(step)))

    async def ask(self, handle: str, question: cfx.ValidateUnitsRequest) -> cfx.ValidateUnitsResponse | None:
        """Let a station ask whether it may work on units; None where nobody answers that.

        Raises:
            RequestError: no answer.
        """
        station = Endpoint(EndpointConfig(cfx_handle=handle))
        answer = (await station.request(self._uri, self._handle, question)).message
        return answer if isinstance(answer, cfx.ValidateUnitsResponse) else None

    async def _connect(self, handle: str) -> Sender:
        place = place_of(self._uri)
        connection = await Connection.open(place.host, place.port, login=ClientLogin(), container=handle)
        self._open.push_async_callback(connection.close)
        return await connection.sender("CFXListener")


def _outgoing(step: Step) -> Outgoing:
    """Put the station's own bytes into AMQP, packed, plain, untyped or broken as they are."""
    first = step.envelopes[0] if step.envelopes else None
    name = first.message_name if first else "CFX.Unknown"
    return Outgoing(
        body=step.body,
        content_encoding=step.content_encoding,
        subject=f"{step.handle}.{name}" if first else step.handle,
        message_id=(first.unique_id if first else None) or str(uuid4()),
        to=None,
        reply_to=step.handle,
        correlation_id=None,
        time=first.time_stamp if first else None,
        application_properties={
            "cfx-topic": name.rpartition(".")[0],
            "cfx-message": name,
            "cfx-handle": step.handle,
            "cfx-target": None,
        },
    )
