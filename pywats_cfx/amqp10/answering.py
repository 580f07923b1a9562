"""Requests that come in beside published messages, and the answers to them."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog
from proton import Condition

from pywats_cfx.amqp.content import Content
from pywats_cfx.amqp10.errors import Amqp10Error
from pywats_cfx.amqp10.links import Outcome, Sender, Transfer
from pywats_cfx.amqp10.peer import NOT_FOUND, Peer
from pywats_cfx.codec import decode_each
from pywats_cfx.endpoint.endpoint import Endpoint
from pywats_cfx.endpoint.message import REQUEST_ID, encode_response
from pywats_cfx.envelope import CFXEnvelope
from pywats_cfx.errors import CFXDecodeError

log = structlog.get_logger(__name__)

#: Requests that are answered at one time; what comes above is refused and may be asked again.
MOST_REQUESTS: Final = 200


class Answering:
    """Answers requests, each in a task of its own, so that a slow answer holds up nothing else.

    Args:
        endpoint: makes the answers.
        name: name of the listener, for logs.
        patience: seconds that an answer waits for credit.
    """

    def __init__(self, endpoint: Endpoint, *, name: str, patience: float) -> None:
        self._endpoint = endpoint
        self._name = name
        self._patience = patience
        self._tasks: set[asyncio.Task[None]] = set()

    def takes(self, peer: Peer, transfer: Transfer, content: Content) -> bool:
        """Accept a request and begin to answer it, or reject it with a reason. False: it is no request.

        The standard's own endpoints give requests a constant message id. Others choose their own; that they
        ask is known by a link that takes answers to the reply address.
        """
        message_id = content.properties.get("message_id")
        if message_id != REQUEST_ID and self._link_back(peer, content) is None:
            return False
        try:
            request = _request_in(content)
            if request is None:
                return False
            sender = self._way_back(peer, content)
        except _RefusedError as refused:
            log.debug("request refused", transport=self._name, peer=peer.name, reason=refused.reason)
            transfer.settle(Outcome.REJECTED, Condition(refused.condition, refused.reason))
            return True
        transfer.settle(Outcome.ACCEPTED)
        task = asyncio.create_task(
            self._answer(peer, sender, request, message_id), name=f"answer of {self._name}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return True

    async def stop(self, grace: float) -> None:
        """End, after a moment for what is nearly answered."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        left = set(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    def _link_back(self, peer: Peer, content: Content) -> Sender | None:
        reply_to = content.properties.get("reply_to")
        return peer.answers_to(reply_to) if reply_to and isinstance(reply_to, str) else None

    def _way_back(self, peer: Peer, content: Content) -> Sender:
        sender = self._link_back(peer, content)
        if sender is None:
            reply_to = content.properties.get("reply_to") or ""
            reason = f'no link takes answers to "{reply_to}": attach it before you ask'
            raise _RefusedError(NOT_FOUND, reason)
        if len(self._tasks) >= MOST_REQUESTS:
            reason = f"{MOST_REQUESTS} requests are being answered: ask again"
            raise _RefusedError("amqp:resource-limit-exceeded", reason)
        return sender

    async def _answer(self, peer: Peer, sender: Sender, request: CFXEnvelope, message_id: Any) -> None:
        answer = await self._endpoint.answer(request)
        told = log.bind(
            transport=self._name,
            peer=peer.name,
            request_id=request.request_id,
            request=request.message_name,
            answer=answer.message_name,
        )
        encoded = encode_response(answer, correlation_id=message_id)
        try:
            async with asyncio.timeout(self._patience):
                while not sender.post(encoded):
                    await sender.wait_for_credit()
        except (Amqp10Error, TimeoutError) as error:
            told.debug("answer not taken", reason=str(error) or "no credit for it")
        else:
            told.debug("request answered")

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("answering a request failed", transport=self._name, exc_info=error)


class _RefusedError(Exception):
    def __init__(self, condition: str, reason: str) -> None:
        super().__init__(condition, reason)
        self.condition = condition
        self.reason = reason


def _request_in(content: Content) -> CFXEnvelope | None:
    """Give the request in a message that says it is one; None when it is none after all."""
    try:
        (envelope,) = decode_each(content.body, content_encoding=content.content_encoding)
    except CFXDecodeError as error:
        raise _RefusedError("amqp:decode-error", str(error)) from error
    except ValueError as error:
        raise _RefusedError("amqp:decode-error", "a request holds one envelope, not a list") from error
    if isinstance(envelope, CFXDecodeError):
        raise _RefusedError("amqp:decode-error", str(envelope))
    return envelope if envelope.message_name.endswith("Request") else None
