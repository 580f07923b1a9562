"""``--send``: publishes a sample or a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from pywats_cfx.amqp.outgoing import Outgoing
from pywats_cfx.amqp10 import ProtonMissing, require_proton
from pywats_cfx.codec import decode, decode_each
from pywats_cfx.envelope import CFXEnvelope
from pywats_cfx.errors import CFXDecodeError
from pywats_cfx.explorer.content import Content
from pywats_cfx.explorer.refusal import RefusedError
from pywats_cfx.explorer.screen import Screen, clean, tell
from pywats_cfx.explorer.way import HANDLE, Way, see_to_proton
from pywats_events.compression import GZIP_MAGIC, pack

#: What a shell gives for a program that Ctrl-C ended.
_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class Manner:
    """How to send.

    Attributes:
        as_is: the bytes of the file; otherwise each message gets a new UniqueID and the present time.
        repeat: how often.
        every: seconds between.
        gzip: packed.
    """

    as_is: bool = False
    repeat: int = 1
    every: float = 0.0
    gzip: bool = False


def send(screen: Screen, content: Content, way: Way, manner: Manner) -> int:
    """Publish what a file holds, and say what became of each message; give the exit code.

    Raises:
        RefusedError: it can't be read, the other side can't be reached, or it did not accept a message.
    """
    made = _maker(content, manner)
    sent = _Sent()
    try:
        asyncio.run(_send(screen, made, way, manner, sent))
    except KeyboardInterrupt:
        tell(f"ended by Ctrl-C; {sent} accepted")
        return _INTERRUPTED
    except RefusedError as error:
        told = f"; before that {sent} were accepted" if sent.count else ""
        raise RefusedError(f"{error}{told}", error.exit_code) from error
    if sent.count > 1:
        screen.line(f"{sent} accepted by {way.config.broker}")
    return 0


@dataclass(slots=True)
class _Sent:
    count: int = 0

    def __str__(self) -> str:
        return f"{self.count} message{'' if self.count == 1 else 's'}"


def _envelopes(content: Content) -> list[CFXEnvelope]:
    try:
        envelopes = decode(content.body)
    except CFXDecodeError as error:
        raise RefusedError(f"{content.name} can't be read: {error}; --as-is sends it anyway") from error
    if not envelopes:
        raise RefusedError(f"{content.name} is an empty list, so there is nothing to send")
    return envelopes


def _maker(content: Content, manner: Manner) -> Callable[[], list[Outgoing]]:
    """Give what makes the messages of one turn."""
    if manner.as_is:
        outgoing = [_as_is(content, gzip=manner.gzip)]
        return lambda: outgoing
    envelopes = _envelopes(content)
    return lambda: _fresh(envelopes, manner)


async def _send(
    screen: Screen, made: Callable[[], list[Outgoing]], way: Way, manner: Manner, sent: _Sent
) -> None:
    async with _outlet(way) as put:
        for turn in range(manner.repeat):
            if turn and manner.every:
                await asyncio.sleep(manner.every)
            for outgoing in made():
                became = await put(outgoing)
                sent.count += 1
                _tell(screen, outgoing, became)


@asynccontextmanager
async def _outlet(way: Way) -> AsyncIterator[Callable[[Outgoing], Awaitable[str]]]:
    if _speaks_10(way):
        from pywats_cfx.explorer import outlet10  # noqa: PLC0415  # its library need not be there

        try:
            async with outlet10.outlet(way) as put:
                yield put
                return
        except outlet10.OnlyOlderAmqp:
            if way.protocol is not None or way.address is not None:
                raise RefusedError(
                    f"{way.config.broker} speaks AMQP 0-9-1 only: use --protocol 0-9-1 and --exchange"
                ) from None
    from pywats_cfx.explorer import outlet091  # noqa: PLC0415  # as above

    async with outlet091.outlet(way.config) as put:
        yield put


def _speaks_10(way: Way) -> bool:
    """Choose the protocol: the standard's, unless it can't be spoken and nobody asked for it."""
    if way.protocol == "0-9-1":
        return False
    if way.protocol == "1.0" or way.address is not None:
        see_to_proton()
        return True
    try:
        require_proton()
    except ProtonMissing:
        return False
    return True


def _fresh(envelopes: Sequence[CFXEnvelope], manner: Manner) -> list[Outgoing]:
    now = datetime.now(UTC)
    return [
        Outgoing.of(
            replace(each, unique_id=str(uuid4()), time_stamp=now), handle=HANDLE, compress=manner.gzip
        )
        for each in envelopes
    ]


def _as_is(content: Content, *, gzip: bool) -> Outgoing:
    """Make a message of bytes, whatever they are; what can be read of them goes into its properties."""
    first = _first(content.body) or CFXEnvelope("Unreadable")
    body = pack(content.body) if gzip and not content.body.startswith(GZIP_MAGIC) else content.body
    like = Outgoing.of(first, handle=HANDLE, compress=False)
    return replace(like, body=body, content_encoding="gzip" if body.startswith(GZIP_MAGIC) else None)


def _first(body: bytes) -> CFXEnvelope | None:
    try:
        outcomes = decode_each(body)
    except CFXDecodeError:
        return None
    return next((each for each in outcomes if isinstance(each, CFXEnvelope)), None)


def _tell(screen: Screen, outgoing: Outgoing, became: str) -> None:
    packed = ", gzip" if outgoing.content_encoding else ""
    name = outgoing.application_properties["cfx-message"]
    number = f" {outgoing.message_id}" if outgoing.message_id else ""
    screen.line(clean(f"{name}{number} ({len(outgoing.body)} bytes{packed}): {became}"))
    screen.flush()
