"""The program: ``python -m pywats_bridge``."""

from pywats_bridge.loading import leave_when_interrupted


def main() -> None:
    """Run the command line; Ctrl-C ends it without a word even while it is still loading."""
    leave_when_interrupted()
    from pywats_bridge.cli import main as run  # noqa: PLC0415  # it takes a second, and people are impatient

    run()


if __name__ == "__main__":
    main()
