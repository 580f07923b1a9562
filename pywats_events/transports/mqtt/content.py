"""What a message over MQTT says besides its body, as plain JSON data."""

from __future__ import annotations

from typing import Any, Final

from paho.mqtt.client import MQTTMessage
from paho.mqtt.properties import Properties

#: Properties of MQTT 5 that are handed on, under names of ours.
_PLAIN: Final = {
    "ResponseTopic": "response_topic",
    "MessageExpiryInterval": "message_expiry",
    "PayloadFormatIndicator": "payload_format",
}


def topic_of(message: MQTTMessage) -> str:
    """Give the topic, whatever bytes it has: a broker may let through what the standard forbids."""
    try:
        return message.topic
    except UnicodeDecodeError as error:
        return bytes(error.object).decode(errors="backslashreplace")


def content_type_of(properties: Properties | None) -> str | None:
    """Give the media type that the sender gave."""
    given: Any = getattr(properties, "ContentType", None)
    return given or None


def user_properties_of(properties: Properties | None) -> dict[str, Any]:
    """Give the user properties by name; one that is there several times has a list."""
    found: dict[str, Any] = {}
    for name, value in getattr(properties, "UserProperty", ()):
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found


def properties_of(message: MQTTMessage, *, qos: int) -> dict[str, Any]:
    """Give all that the broker said of a message.

    Args:
        message: as the library read it.
        qos: with which it was sent.
    """
    said: dict[str, Any] = {
        "qos": qos,
        "retain": bool(message.retain),
        "dup": bool(message.dup),
    }
    if qos:
        said["packet_id"] = message.mid
    given = message.properties
    if given is None:
        return said
    said |= {name: getattr(given, theirs) for theirs, name in _PLAIN.items() if hasattr(given, theirs)}
    if hasattr(given, "CorrelationData"):
        said["correlation_data"] = _text(bytes(given.CorrelationData))
    if user := user_properties_of(given):
        said["user_properties"] = user
    return said


def _text(data: bytes) -> str:
    """Give bytes as the text that they are, or as their hexadecimal digits."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.hex()
