"""What an endpoint says when it is asked who it is."""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from pywats_cfx import messages as cfx

_PRODUCT: Final = "pywats-bridge"
_OK: Final = cfx.RequestResult(result=cfx.StatusResult.Success, result_code=0, message="OK")


@dataclass(slots=True)
class Introduction:
    """What others are told of us.

    Attributes:
        handle: our CFX handle.
        network_uri: where requests reach us; None when nobody can ask us directly.
        consumed: full names of the messages that we make something of.
        answered: full names of the requests that we answer.
    """

    handle: str
    network_uri: str | None = None
    consumed: Iterable[str] = ()
    answered: Iterable[str] = ()

    @property
    def target_address(self) -> str | None:
        """The address that requests are sent to."""
        return self.handle if self.network_uri else None

    def connected(self) -> cfx.EndpointConnected:
        """Say that we are there."""
        return cfx.EndpointConnected(
            cfx_handle=self.handle,
            request_network_uri=self.network_uri,
            request_target_address=self.target_address,
        )

    def here(self) -> cfx.AreYouThereResponse:
        """Answer a request that names us."""
        return cfx.AreYouThereResponse(
            result=_OK,
            cfx_handle=self.handle,
            request_network_uri=self.network_uri,
            request_target_address=self.target_address,
        )

    def one_of_those(self) -> cfx.WhoIsThereResponse:
        """Answer a request to all."""
        return cfx.WhoIsThereResponse(
            result=_OK,
            cfx_handle=self.handle,
            request_network_uri=self.network_uri,
            request_target_address=self.target_address,
        )

    def about(self) -> cfx.GetEndpointInformationResponse:
        """Tell all there is to tell."""
        return cfx.GetEndpointInformationResponse(
            result=_OK,
            endpoint_information=cfx.Endpoint(
                cfx_handle=self.handle,
                cfx_version="2.1",
                request_network_uri=self.network_uri,
                request_target_address=self.target_address,
                unique_identifier=self.handle,
                friendly_name="the way from IPC-CFX to WATS",
                vendor="pywats",
                model_number=_PRODUCT,
                software_version=_software_version(),
                operating_system=_operating_system(),
                operating_system_platform=_machine(),
                operating_system_version=platform.release() or None,
                stages=[],
                number_of_lanes=0,
                supported_topics=self.topics(),
            ),
        )

    def topics(self) -> list[cfx.SupportedTopic]:
        """Give the topics that we have to do with, and which messages of each."""
        consumed, answered = frozenset(self.consumed), frozenset(self.answered)
        by_topic: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted(consumed | answered):
            topic, _, short = name.rpartition(".")
            by_topic[topic].append(short)
        both, reads = cfx.TopicSupportType.PublisherConsumer, cfx.TopicSupportType.Consumer
        return [
            cfx.SupportedTopic(
                topic_name=topic,
                topic_support_type=both if any(f"{topic}.{name}" in answered for name in names) else reads,
                supported_messages=names,
            )
            for topic, names in by_topic.items()
        ]

    def fits(self, query: cfx.WhoIsThereRequest) -> bool:
        """Tell whether we are among those whom a request to all is for."""
        if query.supported_topic_query_type == cfx.SupportedTopicQueryType.Ignore:
            return True
        fitting = [self._has(topic) for topic in query.supported_topics]
        if query.supported_topic_query_type == cfx.SupportedTopicQueryType.Any:
            return not fitting or any(fitting)
        return all(fitting)

    def _has(self, asked: cfx.SupportedTopic) -> bool:
        for ours in self.topics():
            if ours.topic_name == asked.topic_name:
                role = asked.topic_support_type in (ours.topic_support_type, None)
                role = role or ours.topic_support_type == cfx.TopicSupportType.PublisherConsumer
                names = {name.rpartition(".")[2] for name in asked.supported_messages if name}
                return role and names <= set(ours.supported_messages)
        return False


def _software_version() -> str | None:
    try:
        return version(_PRODUCT)
    except PackageNotFoundError:  # used from source, not installed
        return None


def _operating_system() -> cfx.OperatingSystem:
    systems = {"Linux": cfx.OperatingSystem.OtherLinux, "Darwin": cfx.OperatingSystem.AppleMacOS}
    return systems.get(platform.system(), cfx.OperatingSystem.Other)


def _machine() -> cfx.OperatingSystemPlatform:
    machines = {
        "x86_64": cfx.OperatingSystemPlatform.Platform64bit,
        "AMD64": cfx.OperatingSystemPlatform.Platform64bit,
        "aarch64": cfx.OperatingSystemPlatform.ARM64,
        "arm64": cfx.OperatingSystemPlatform.ARM64,
    }
    return machines.get(platform.machine(), cfx.OperatingSystemPlatform.Other)
