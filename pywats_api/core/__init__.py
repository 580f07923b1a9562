"""The path by which the documents of the WATS client import its errors."""
