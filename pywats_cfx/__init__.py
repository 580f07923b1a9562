"""pywats_cfx."""
