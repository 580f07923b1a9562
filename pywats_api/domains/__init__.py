"""The paths by which the documents of the WATS client import names that ``pywats_api`` has itself."""
