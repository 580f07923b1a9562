"""A WATS of one's own: the same REST surface over one SQLite file, for demo, tests and benchmarks.

It is as strict as the real one, can be made slow or faulty at will, and shows what it received.
"""

from pywats_api.server.app import create_app
from pywats_api.server.knobs import Knobs, Rejection
from pywats_api.server.local import LocalWATS
from pywats_api.server.processes import DEFAULT_PROCESSES, FAIL_CODES, process

__all__ = ["DEFAULT_PROCESSES", "FAIL_CODES", "Knobs", "LocalWATS", "Rejection", "create_app", "process"]
