"""The application: configuration, composition, command line."""


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: until the program is loaded, Ctrl-C would be a traceback."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version  # noqa: PLC0415  # it takes most of the time of this import

    return version("pywats-bridge")
