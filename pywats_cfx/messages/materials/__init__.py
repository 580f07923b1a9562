"""``CFX.Materials`` and the namespaces below it."""

from pywats_cfx.messages.materials import storage

__all__ = ["storage"]
