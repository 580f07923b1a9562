"""Transports that carry no meaning of their own."""

from pywats_events.transports.base import BaseTransport, Intake
from pywats_events.transports.mock import MockTransport

__all__ = ["BaseTransport", "Intake", "MockTransport"]
