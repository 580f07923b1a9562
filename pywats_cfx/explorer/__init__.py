"""The explorer: looks at CFX messages, in files and on the wire, and at what becomes of them.

``python -m pywats_cfx.explorer --help`` tells all it can. What WATS gets of an event is told by whoever knows
it: callables in the entry point group ``pywats_cfx.explorer``, each taking a sequence of events and giving
lines of text.
"""

from pywats_cfx.explorer.command import main

__all__ = ["main"]
