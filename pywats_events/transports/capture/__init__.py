"""Captures: messages of any transport in a file, as they came, and the way back in."""

from __future__ import annotations

from pywats_events.transports.capture.form import CaptureError, Damage
from pywats_events.transports.capture.reading import Survey, survey
from pywats_events.transports.capture.recorder import Recorder
from pywats_events.transports.capture.transport import CaptureTransport, Fed, by_transport

__all__ = [
    "CaptureError",
    "CaptureTransport",
    "Damage",
    "Fed",
    "Recorder",
    "Survey",
    "by_transport",
    "survey",
]
