"""``python -m pywats_bridge``."""

from pywats_bridge.cli import main

if __name__ == "__main__":
    main()
