"""pywats_events."""
