"""An endpoint: it answers the requests of others, asks them, and sends to them, without a broker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar
from uuid import uuid4

import structlog

from pywats_cfx import messages as cfx
from pywats_cfx.amqp10 import require_proton
from pywats_cfx.endpoint.config import EndpointConfig, place_of
from pywats_cfx.endpoint.introduction import Introduction
from pywats_cfx.endpoint.units import question_of, response_of
from pywats_cfx.envelope import CFXEnvelope
from pywats_cfx.errors import CFXDecodeError
from pywats_events.questions import UnitValidator

if TYPE_CHECKING:
    from pywats_cfx.messages import CFXMessage

M = TypeVar("M", bound="CFXMessage")

log = structlog.get_logger(__name__)

#: Makes the answer to a request. What it raises becomes ``NotSupportedResponse``.
Responder: TypeAlias = Callable[[CFXEnvelope], Awaitable["CFXMessage"]]

#: Codes in the result of ``NotSupportedResponse``.
NOT_SUPPORTED: Final = 1
NOT_READABLE: Final = 2
FAILED: Final = 3


class NotForUs(Exception):  # noqa: N818  # says what the request is
    """A request is for another endpoint, or for others than us; the text says why."""


class Endpoint:
    """Answers requests, and asks other endpoints.

    Args:
        config: who we are.
        validator: answers ``ValidateUnitsRequest``. None: such requests are not supported.
        consumes: full names of the messages that we make something of, told to those who ask.

    Attributes:
        handle: our CFX handle.
        introduction: what others are told of us.
        answered: requests that were answered so far.
        unsupported: those of them that were answered with ``NotSupportedResponse``.
    """

    def __init__(
        self, config: EndpointConfig, *, validator: UnitValidator | None = None, consumes: Iterable[str] = ()
    ) -> None:
        self.config = config
        self.handle = config.cfx_handle
        self.introduction = Introduction(self.handle, config.public_uri, consumed=tuple(consumes))
        self.answered = 0
        self.unsupported = 0
        self._responders: dict[str, Responder] = {}
        self.on_request(cfx.AreYouThereRequest, self._are_you_there)
        self.on_request(cfx.WhoIsThereRequest, self._who_is_there)
        self.on_request(cfx.GetEndpointInformationRequest, self._who_are_you)
        if validator is not None:
            self._validator = validator
            self.on_request(cfx.ValidateUnitsRequest, self._validate_units)

    def on_request(self, request: type[CFXMessage], responder: Responder) -> None:
        """Let this make the answers to requests of a kind, in place of what made them before.

        Args:
            request: the message, ``messages.ValidateUnitsRequest`` for instance.
            responder: is given the envelope, and returns the message of the answer. Runs as a task of its
                own; it is cancelled after ``request_timeout`` seconds, when nobody waits any more.
        """
        self._responders[request.CFX_NAME] = responder
        self.introduction.answered = tuple(self._responders)

    async def answer(self, request: CFXEnvelope) -> CFXEnvelope:
        """Answer a request. Raises nothing: what can't be answered gets ``NotSupportedResponse``."""
        message = await self._answer(request)
        self.answered += 1
        self.unsupported += isinstance(message, cfx.NotSupportedResponse)
        return CFXEnvelope.of(
            message, source=self.handle, target=request.source, request_id=request.request_id
        )

    async def request(
        self,
        uri: str,
        handle: str,
        message: CFXMessage,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # part of the public face
    ) -> CFXEnvelope:
        """Ask another endpoint.

        Args:
            uri: where it is reached: ``amqp://host:5690``, ``amqps://user:password@host:5691``.
            handle: its CFX handle, which is the address that requests are sent to.
            message: the request.
            timeout: seconds to wait. Default: ``request_timeout`` of the configuration.

        Returns:
            The answer. ``NotSupportedResponse`` is one: look at its name.

        Raises:
            NotReachable: no connection, or it ended.
            RequestRefused: the other side took neither us nor the request.
            RequestTimeout: no answer in time.
            ProtonMissing: the library for AMQP 1.0 is not installed.
            ValueError: the URI is none.
        """
        require_proton()
        from pywats_cfx.endpoint.asking import ask  # noqa: PLC0415  # proton is needed for this alone

        envelope = CFXEnvelope.of(message, source=self.handle, target=handle, request_id=f"REQUEST-{uuid4()}")
        return await ask(
            place_of(uri), envelope, config=self.config, timeout=timeout or self.config.request_timeout
        )

    async def send(self, uri: str, address: str, *envelopes: CFXEnvelope) -> None:
        """Publish to another endpoint's listener, and return when it has accepted everything.

        Args:
            uri: where it is reached.
            address: what it listens to: its handle, or ``CFXListener``.
            envelopes: one AMQP message each.

        Raises:
            NotReachable: no connection, or it ended.
            RequestRefused: the other side refuses the address or a message.
            RequestTimeout: not accepted within ``request_timeout`` seconds.
            ProtonMissing: the library for AMQP 1.0 is not installed.
            ValueError: the URI is none.
        """
        require_proton()
        from pywats_cfx.endpoint.asking import send  # noqa: PLC0415  # as above

        await send(place_of(uri), address, envelopes, config=self.config, timeout=self.config.request_timeout)

    async def _answer(self, request: CFXEnvelope) -> CFXMessage:
        responder = self._responders.get(request.message_name)
        if responder is None:
            return _not_supported(NOT_SUPPORTED, f"{self.handle} has no answer to {request.message_name}")
        try:
            async with asyncio.timeout(self.config.request_timeout):
                return await responder(request)
        except NotForUs as error:
            return _not_supported(NOT_SUPPORTED, str(error))
        except CFXDecodeError as error:
            return _not_supported(NOT_READABLE, str(error))
        except Exception as error:  # noqa: BLE001  # whatever a responder raises, the machine gets its answer
            reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            log.error(  # noqa: TRY400  # one line for each; the reason says what it was
                "request could not be answered",
                request_id=request.request_id,
                request=request.message_name,
                source=request.source,
                reason=reason,
            )
            return _not_supported(FAILED, f"{self.handle} could not answer; its log says why")

    async def _are_you_there(self, request: CFXEnvelope) -> CFXMessage:
        self._check_handle(_read(request, cfx.AreYouThereRequest).cfx_handle)
        return self.introduction.here()

    async def _who_are_you(self, request: CFXEnvelope) -> CFXMessage:
        self._check_handle(_read(request, cfx.GetEndpointInformationRequest).cfx_handle)
        return self.introduction.about()

    async def _who_is_there(self, request: CFXEnvelope) -> CFXMessage:
        if not self.introduction.fits(_read(request, cfx.WhoIsThereRequest)):
            raise NotForUs(f"{self.handle} does not support the topics asked for")
        return self.introduction.one_of_those()

    async def _validate_units(self, request: CFXEnvelope) -> CFXMessage:
        question = question_of(request, _read(request, cfx.ValidateUnitsRequest))
        return response_of(question, await self._validator.validate(question))

    def _check_handle(self, asked: str | None) -> None:
        if asked and asked != self.handle:
            raise NotForUs(f'this is "{self.handle}", not "{asked}"')


def _read(request: CFXEnvelope, kind: type[M]) -> M:
    message = request.message
    if not isinstance(message, kind):
        raise CFXDecodeError(f"not a {kind.CFX_NAME}", message_name=request.message_name)
    return message


def _not_supported(code: int, reason: str) -> cfx.NotSupportedResponse:
    result = cfx.RequestResult(result=cfx.StatusResult.Failed, result_code=code, message=reason)
    return cfx.NotSupportedResponse(request_result=result)
