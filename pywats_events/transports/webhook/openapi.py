"""The OpenAPI document of the configured hooks."""

from __future__ import annotations

from typing import Any, Final

from pywats_events.transports.webhook.config import HookConfig, WebhookConfig
from pywats_events.transports.webhook.credentials import LONGEST_KEY
from pywats_events.transports.webhook.problems import MEDIA_TYPE

_TEXT: Final = {"type": "string", "minLength": 1}
_PROBLEM_REF: Final = {"$ref": "#/components/schemas/Problem"}
_EVENT_REF: Final = {"$ref": "#/components/schemas/CloudEvent"}

_REFUSALS: Final = {
    "400": "The body or a header can't be read; the problem names the field. Nothing was taken.",
    "401": "The caller did not show that it may call this hook.",
    "404": "There is no such hook.",
    "405": "Hooks are called with POST.",
    "408": "The request did not come in time.",
    "409": "An earlier call with this webhook-id or Idempotency-Key had another body.",
    "413": "The body is too large, as it came or unpacked.",
    "415": "The media type or the content encoding is not read here.",
}
_LATER: Final = {
    "429": "Too many calls; see Retry-After.",
    "503": "Nothing is taken now; see Retry-After.",
}

_SCHEMAS: Final[dict[str, Any]] = {
    "Taken": {
        "type": "object",
        "required": ["event_ids"],
        "properties": {"event_ids": {"type": "array", "items": {"type": "string"}}},
    },
    "Problem": {
        "type": "object",
        "description": "RFC 9457",
        "required": ["type", "title", "status"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {
                "type": "array",
                "description": "What is wrong with each part of a batch.",
                "items": {"type": "object", "properties": {"detail": {"type": "string"}}},
            },
        },
    },
    "CloudEvent": {
        "type": "object",
        "description": "CloudEvents 1.0, structured mode. data is a JSON object.",
        "required": ["specversion", "id", "source", "type"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": _TEXT,
            "source": _TEXT,
            "type": _TEXT,
            "time": {"type": "string", "format": "date-time"},
            "subject": {"type": "string"},
            "datacontenttype": {"type": "string"},
            "data": {"type": "object"},
        },
    },
    "CFXEnvelope": {
        "type": "object",
        "description": "An IPC-CFX message.",
        "required": ["MessageName"],
        "properties": {
            "MessageName": _TEXT,
            "Version": {"type": "string"},
            "TimeStamp": {"type": "string", "format": "date-time"},
            "UniqueID": {"type": "string"},
            "Source": {"type": "string"},
            "MessageBody": {"type": "object"},
        },
    },
}


def openapi_document(config: WebhookConfig) -> dict[str, Any]:
    """Describe the hooks, their bodies, credentials and answers."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Webhooks of pywats-bridge", "version": "1"},
        "paths": {hook.address: {"post": _operation(hook)} for hook in config.hooks},
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                hook.name: scheme for hook in config.hooks if (scheme := _scheme(hook)) is not None
            },
        },
    }


def _operation(hook: HookConfig) -> dict[str, Any]:
    taken = "The journal has it. The same call again is given the same ids."
    operation: dict[str, Any] = {
        "operationId": f"call_{hook.name}",
        "summary": f"Bring a message ({hook.format or 'json'}) to {hook.name}.",
        "parameters": [*_parameters_of_auth(hook), *_parameters_of_format(hook)],
        "requestBody": {"required": hook.format != "cloudevents", "content": _content(hook)},
        "responses": {
            "202": {
                "description": taken,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Taken"}}},
            },
            **{status: _answer(text) for status, text in _REFUSALS.items()},
            **{status: {**_answer(text), "headers": _RETRY_AFTER} for status, text in _LATER.items()},
        },
    }
    if _scheme(hook) is not None:
        operation["security"] = [{hook.name: []}]
    return operation


_RETRY_AFTER: Final = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
}


def _answer(text: str) -> dict[str, Any]:
    return {"description": text, "content": {MEDIA_TYPE: {"schema": _PROBLEM_REF}}}


def _content(hook: HookConfig) -> dict[str, Any]:
    match hook.format:
        case "cloudevents":
            return {
                "application/cloudevents+json": {"schema": _EVENT_REF},
                "application/cloudevents-batch+json": {"schema": {"type": "array", "items": _EVENT_REF}},
                "application/json": {
                    "schema": {"type": "object", "description": "data, in binary mode (headers ce-...)."}
                },
            }
        case "events":
            schema = {"anyOf": [_EVENT_REF, {"type": "array", "items": _EVENT_REF}]}
        case "cfx":
            one = {"$ref": "#/components/schemas/CFXEnvelope"}
            schema = {"anyOf": [one, {"type": "array", "items": one}]}
        case _:
            schema = {}
    return {"application/json": {"schema": schema}}


def _header(name: str, text: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": schema, "description": text}


def _parameters_of_auth(hook: HookConfig) -> list[dict[str, Any]]:
    key = {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"}
    if hook.authentication != "standard":
        return [_header("Idempotency-Key", "Identity of the call; a repeated call keeps it.", key)]
    return [
        _header("webhook-id", "Identity of the call; a repeated call keeps it.", key, required=True),
        _header(
            "webhook-timestamp",
            f"Seconds since 1970, at most {hook.tolerance:g} from ours.",
            {"type": "string", "pattern": "^[0-9]{1,12}$"},
            required=True,
        ),
    ]


def _parameters_of_format(hook: HookConfig) -> list[dict[str, Any]]:
    if hook.format != "cloudevents":
        return []
    schema = {"type": "string"}
    return [
        _header(f"ce-{name}", f"Attribute {name}, in binary mode.", schema)
        for name in ("specversion", "id", "source", "type", "time", "subject")
    ]


def _scheme(hook: HookConfig) -> dict[str, Any] | None:
    match hook.authentication:
        case "standard":
            return {
                "type": "apiKey",
                "in": "header",
                "name": "webhook-signature",
                "description": "Standard Webhooks: v1, and the HMAC-SHA256 of id.timestamp.body in base64.",
            }
        case "hmac":
            return {
                "type": "apiKey",
                "in": "header",
                "name": hook.signature_header,
                "description": f"{hook.signature_prefix} and the HMAC-SHA256 of the body in hexadecimal.",
            }
        case "bearer":
            return {"type": "http", "scheme": "bearer"}
        case "certificate":
            return {"type": "mutualTLS"}
        case _:
            return None
