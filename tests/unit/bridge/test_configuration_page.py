"""The page of all keys says what the file may say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_page_is_what_the_program_says():
    """Whoever changes a key writes the page anew; keys stand there as they are written in the file."""
    script = [sys.executable, str(ROOT / "scripts" / "configuration_page.py"), "--check"]
    assert subprocess.run(script, cwd=ROOT, capture_output=True, check=False).returncode == 0
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert "| `as` | text |" in page
    assert "| `item` |" not in page
