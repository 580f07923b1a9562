"""Where the documents of the WATS client import errors from."""

from pywats_api.exceptions import *  # noqa: F403
