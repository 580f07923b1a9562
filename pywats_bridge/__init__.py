"""The application: configuration, composition, command line."""

from importlib.metadata import version

__version__ = version("pywats-bridge")
