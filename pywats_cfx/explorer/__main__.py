"""``python -m pywats_cfx.explorer``."""

from __future__ import annotations

import sys

from pywats_cfx.explorer.command import main

if __name__ == "__main__":
    sys.exit(main())
