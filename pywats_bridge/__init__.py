"""pywats_bridge."""
