"""Webhooks: messages that other systems bring over HTTP."""

from pywats_events.transports.webhook.config import HookConfig, WebhookConfig

__all__ = ["HookConfig", "WebhookConfig"]
