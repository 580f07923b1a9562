"""Where the documents of the WATS client import models of tickets from."""

from pywats_api.domains.rootcause import *  # noqa: F403
