"""The program: ``python -m pywats_bridge``."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it without a word even while it is still loading."""
    try:
        from pywats_bridge.cli import main as run  # noqa: PLC0415  # it takes a second, and people are impatient
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
