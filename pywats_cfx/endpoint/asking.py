"""The asking side: one connection for each request, as the SDK does it.

A connection of its own costs a request some milliseconds on a factory network, and spares it all trouble with
links of one name, with answers of others, and with connections that went stale meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

from pywats_cfx.amqp.outgoing import Outgoing
from pywats_cfx.amqp10.connection import Connection
from pywats_cfx.amqp10.delivery import read_transfer
from pywats_cfx.amqp10.errors import Amqp10Error, ConnectionLost, LoginRefused, NotAmqp10, RemoteError
from pywats_cfx.amqp10.links import Outcome, Transfer
from pywats_cfx.amqp10.message import encode_message
from pywats_cfx.amqp10.sasl import ClientLogin
from pywats_cfx.codec import decode_each
from pywats_cfx.endpoint.config import EndpointConfig, Place
from pywats_cfx.endpoint.errors import NotReachable, RequestRefused, RequestTimeout
from pywats_cfx.endpoint.message import encode_request
from pywats_cfx.envelope import CFXEnvelope
from pywats_cfx.errors import CFXDecodeError

_MOST_ANSWERS: Final = 10
_LARGEST_ANSWER: Final = 16 * 1024 * 1024
#: Seconds for the other side to answer our goodbye.
_GOODBYE: Final = 1.0


async def ask(
    place: Place,
    request: CFXEnvelope,
    *,
    config: EndpointConfig,
    timeout: float,  # noqa: ASYNC109  # it is told when it is over
) -> CFXEnvelope:
    """Send a request and wait for its answer.

    Args:
        place: where the other endpoint is reached.
        request: with source, target and request id.
        config: who we are.
        timeout: seconds for all of it.

    Raises:
        RequestError: there is no answer; the class says how that came.
    """
    handle = request.target or ""
    answer: asyncio.Future[CFXEnvelope] = asyncio.get_running_loop().create_future()

    def take(transfer: Transfer) -> None:
        transfer.settle(Outcome.ACCEPTED)
        try:
            envelope = _envelope_in(transfer)
        except CFXDecodeError as error:
            _fail(answer, error)
            return
        # an answer without the id can only be ours: the reply address is used once
        if envelope.request_id in (request.request_id, None) and not answer.done():
            answer.set_result(envelope)

    reply_to = f"{config.cfx_handle}-{uuid4()}"
    where = f'"{handle}" at {place}'
    late = f"no answer to {request.message_name} within {timeout:g} s"
    async with (
        _told(where, late, timeout),
        _connected(place, container=reply_to, config=config, timeout=timeout) as connection,
    ):
        receiver = await connection.receiver(
            handle,
            on_transfer=take,
            name="request-receiver",
            target=reply_to,
            max_bytes=_LARGEST_ANSWER,
            on_too_large=lambda size: _fail(answer, CFXDecodeError(f"{size} bytes are too many")),
        )
        receiver.open_window(_MOST_ANSWERS)
        sender = await connection.sender(handle, name=reply_to)
        sent = asyncio.ensure_future(sender.send(encode_request(request, reply_to=reply_to)))
        try:
            # an answer says enough: some settle the request only after it, or never
            await asyncio.wait((answer, receiver.ended, sent), return_when=asyncio.FIRST_COMPLETED)
            if not answer.done() and sent.done():
                await sent
                await asyncio.wait((answer, receiver.ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sent.cancel()
            await asyncio.gather(sent, return_exceptions=True)
        if not answer.done():
            raise receiver.ended.result()
        return answer.result()


async def send(
    place: Place,
    address: str,
    envelopes: Iterable[CFXEnvelope],
    *,
    config: EndpointConfig,
    timeout: float,  # noqa: ASYNC109  # it is told when it is over
) -> None:
    """Publish to another endpoint's listener, one AMQP message for each envelope.

    Args:
        place: where the other endpoint is reached.
        address: what it listens to.
        envelopes: the messages.
        config: who we are.
        timeout: seconds for all of it.

    Raises:
        RequestError: not everything was accepted; the class says how that came.
    """
    container = f"{config.cfx_handle}-{uuid4()}"
    async with (
        _told(f'"{address}" at {place}', f"not accepted within {timeout:g} s", timeout),
        _connected(place, container=container, config=config, timeout=timeout) as connection,
    ):
        sender = await connection.sender(address)
        for envelope in envelopes:
            await sender.send(encode_message(Outgoing.of(envelope, handle=config.cfx_handle)))


@asynccontextmanager
async def _told(where: str, late: str, seconds: float) -> AsyncIterator[None]:
    """Turn what can go wrong into the three errors that callers know."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise RequestTimeout(where, late) from error
    except LoginRefused as error:
        raise RequestRefused(where, str(error)) from error
    except RemoteError as error:
        raise RequestRefused(where, str(error)) from error
    except CFXDecodeError as error:
        raise RequestRefused(where, f"the answer can't be read: {error}") from error
    except Amqp10Error as error:
        raise NotReachable(where, str(error)) from error


@asynccontextmanager
async def _connected(
    place: Place,
    *,
    container: str,
    config: EndpointConfig,
    timeout: float,  # noqa: ASYNC109  # handed on
) -> AsyncIterator[Connection]:
    login = ClientLogin(
        user=place.user,
        password=place.password,
        or_external=place.tls,
        external=place.user is None and place.tls and config.cert_file is not None,
        hostname=place.host,
    )
    context = await asyncio.to_thread(_tls, config) if place.tls else None
    try:
        connection = await Connection.open(
            place.host,
            place.port,
            login=login,
            container=container,
            hostname=place.host,
            tls=context,
            timeout=timeout,
        )
    except OSError as error:
        raise ConnectionLost(_reason(error)) from error
    except NotAmqp10 as error:
        hint = "" if place.tls else "; it may want amqps"
        raise ConnectionLost(f"{error}{hint}") from error
    try:
        yield connection
    finally:
        await connection.close(timeout=_GOODBYE)


def _tls(config: EndpointConfig) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=config.ca_file)
    if config.cert_file is not None:
        context.load_cert_chain(config.cert_file, config.key_file)
    if not config.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "no connection in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is refused: {error.verify_message}; name who signed it in cfx.endpoint.ca_file"
        )
    if isinstance(error, ssl.SSLError):
        return f"no TLS connection: {error.reason or error}"
    if isinstance(error, ConnectionError) and error.errno is not None:
        return f"no connection: {os.strerror(error.errno).lower()}"
    return f"no connection: {error.strerror or error}"


def _envelope_in(transfer: Transfer) -> CFXEnvelope:
    content = read_transfer(transfer.encoded)
    envelopes = decode_each(content.body, content_encoding=content.content_encoding)
    if len(envelopes) != 1:
        raise CFXDecodeError(f"{len(envelopes)} envelopes in place of one")
    if isinstance(envelopes[0], CFXDecodeError):
        raise envelopes[0]
    return envelopes[0]


def _fail(answer: asyncio.Future[CFXEnvelope], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
