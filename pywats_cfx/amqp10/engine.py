"""Drives the protocol engine of Qpid Proton from asyncio: bytes in, events out, bytes out, timers.

Everything runs on the loop, in the callbacks that asyncio makes for a connection. Nothing blocks and there is
no thread. What a handler asks for (settling, credit, sending) goes out together after the events that are
at hand, in as few writes as there can be.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from proton import Collector, Condition, ProtonException, Transport
from proton import Connection as ProtonConnection

from pywats_cfx.amqp10.errors import Amqp10Error, ConnectionLost, NotAmqp10, ProtocolError, RemoteError, Scope
from pywats_cfx.amqp10.sasl import Login

#: Size of the largest frame that we take; larger messages come in several.
MAX_FRAME: Final = 250_000
#: Links and sessions on one connection; nobody needs more of us.
_CHANNEL_MAX: Final = 255

_EOS: Final = -1


class EngineHandler:
    """Hears of what happens. Proton's events arrive by their name (``on_delivery``), where it is defined."""

    def on_ended(self, reason: Exception) -> None:
        """Take note that the connection has ended; nothing comes after this."""


class Engine(asyncio.Protocol):
    """One connection.

    Args:
        handler: hears of what happens.
        login: the SASL login that comes first; None for none.
        server: the other side connected to us.
        idle_timeout: seconds of silence after which the connection counts as lost; 0 for never.
        max_frame: size of the largest frame that we take.
        write_timeout: seconds that the other side may leave unread what we wrote; 0 for ever.

    Attributes:
        connection: proton's connection; set container and hostname before the engine starts.
    """

    def __init__(
        self,
        handler: EngineHandler,
        *,
        login: Login | None = None,
        server: bool = False,
        idle_timeout: float = 0.0,
        max_frame: int = MAX_FRAME,
        write_timeout: float = 0.0,
    ) -> None:
        self.connection = ProtonConnection()
        self._handler = handler
        self._login = login
        self._loop = asyncio.get_running_loop()
        self._socket: asyncio.Transport | None = None
        self._proton = Transport(Transport.SERVER if server else Transport.CLIENT)
        self._proton.max_frame_size = max_frame
        self._proton.channel_max = _CHANNEL_MAX
        if idle_timeout:
            self._proton.idle_timeout = idle_timeout
        self._collector = Collector()
        self.connection.collect(self._collector)
        self._started = False
        self._working = False
        self._wake: asyncio.Handle | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._writable = True
        self._write_timeout = write_timeout
        self._stalled: asyncio.TimerHandle | None = None
        self._reason: Exception | None = None
        self._is_over = False
        self._got_bytes = False
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @property
    def is_over(self) -> bool:
        """True when the connection has ended."""
        return self._is_over

    def wake(self) -> None:
        """See to it that what was asked of proton goes out, with whatever else is asked meanwhile."""
        if self._wake is None and not self._working and not self._is_over:
            self._wake = self._loop.call_soon(self._work)

    def end(self, reason: Exception) -> None:
        """End the connection at once; ``reason`` is what the handler hears."""
        self._reason = self._reason or reason
        if self._socket is not None:
            self._socket.abort()
        else:
            self._over()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the login, or with AMQP itself."""
        self._socket = cast("asyncio.Transport", transport)
        if self._login is None:
            self._start()
            self._work()
        else:
            self._write(self._login.begin())

    def data_received(self, data: bytes) -> None:
        """Hand on what came."""
        self._got_bytes = True
        try:
            if not self._started:
                data = self._log_in(data)
            if self._started:
                self._push(data)
                self._work()
        except (Amqp10Error, ProtonException) as error:
            self.end(error)

    def eof_received(self) -> bool:
        """Take note that nothing more will come, and let asyncio close our side as well."""
        if self._started and not self._is_over:
            self._proton.close_tail()
            self._work()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the socket is gone."""
        if self._reason is None and not self._got_bytes and exc is None:
            self._reason = NotAmqp10(b"")
        if self._reason is None:
            self._reason = ConnectionLost(str(exc) if exc else "closed by the other side")
            self._reason.__cause__ = exc
        self._over()

    def pause_writing(self) -> None:
        """Leave what is to be written with proton until the socket takes more."""
        self._writable = False
        if self._write_timeout:
            unread = ConnectionLost(f"the other side reads nothing for {self._write_timeout:g} s")
            self._stalled = self._loop.call_later(self._write_timeout, self.end, unread)

    def resume_writing(self) -> None:
        """Go on writing."""
        self._writable = True
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        self.wake()

    # proton's side

    def _log_in(self, data: bytes) -> bytes:
        login = self._login
        if login is None:
            return data
        try:
            self._write(login.feed(data))
        except Amqp10Error:
            refusal = getattr(login, "refusal", None)
            if refusal is not None and self._socket is not None:
                # the other side is told before the connection ends
                self._socket.write(refusal)
                self._socket.close()
            raise
        if not login.done:
            return b""
        self._start()
        self._work()
        return login.rest()

    def _start(self) -> None:
        self._started = True
        self._proton.bind(self.connection)

    def _push(self, data: bytes) -> None:
        view = memoryview(data)
        while view and not self._is_over:
            room = self._proton.capacity()
            if room < 0:
                return  # proton has heard enough; it says why by an event
            if room == 0:
                self._work()
                if self._proton.capacity() == 0:
                    raise ProtocolError("amqp:connection:framing-error", "no room for what was sent")
                continue
            self._proton.push(bytes(view[:room]))
            view = view[room:]

    def _work(self) -> None:
        """Deal with all events, then write all that is to be written, until there is neither."""
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if self._working or self._is_over or not self._started:
            return
        self._working = True
        try:
            while True:
                self._dispatch()
                if not self._flush():
                    break
        except Exception as error:  # noqa: BLE001  # whatever it is, it ends this connection and is told
            self.end(error)
        finally:
            self._working = False
        self._schedule_tick()

    def _dispatch(self) -> None:
        while (event := self._collector.peek()) is not None:
            method = getattr(self._handler, event.type.method or "", None)
            own = getattr(self, event.type.method or "", None)
            if own is not None:
                own(event)
            if method is not None:
                method(event)
            self._collector.pop()

    def _flush(self) -> bool:
        """Write what proton has. True when there was something, so that there may be more."""
        pending = self._proton.pending()
        if pending == _EOS:
            if self._socket is not None and not self._socket.is_closing():
                self._socket.close()
            return False
        if not pending or not self._writable:
            return False
        data = self._proton.peek(pending)
        self._proton.pop(pending)
        if data:
            self._write(data)
        return True

    def _write(self, data: bytes) -> None:
        if data and self._socket is not None and not self._socket.is_closing():
            self._socket.write(data)

    def _schedule_tick(self) -> None:
        if self._is_over:
            return
        now = self._loop.time()
        deadline = self._proton.tick(now)
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        if deadline:
            self._tick = self._loop.call_later(max(deadline - now, 0.0), self._on_tick)

    def _on_tick(self) -> None:
        self._tick = None
        if not self._is_over:
            self._proton.tick(self._loop.time())
            self._work()

    def on_transport_error(self, _event: Any) -> None:
        """Remember what broke the protocol; the end of the connection follows."""
        condition = self._proton.condition
        if condition is not None:
            self._reason = self._reason or ProtocolError(condition.name, condition.description or "")

    def on_connection_remote_close(self, event: Any) -> None:
        """Remember why the other side leaves, and leave as well."""
        self._reason = self._reason or remote_error("connection", event.connection.remote_condition)
        event.connection.close()

    def _over(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        for handle in (self._wake, self._tick, self._stalled):
            if handle is not None:
                handle.cancel()
        if self._socket is not None and not self._socket.is_closing():
            self._socket.abort()
        self._collector.release()
        if self._started:
            self._proton.unbind()
        self._handler.on_ended(self._reason or ConnectionLost("closed"))
        if not self.closed.done():
            self.closed.set_result(None)


def remote_error(scope: Scope, condition: Condition | None) -> RemoteError:
    """Give the error that stands for a condition that the other side gave."""
    if condition is None:
        return RemoteError(scope, "")
    return RemoteError(scope, condition.name or "", condition.description or "")
