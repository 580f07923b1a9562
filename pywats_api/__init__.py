"""pywats_api."""
