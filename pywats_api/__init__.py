"""The WATS REST client, and the local WATS server for demo and tests."""
