"""Writes the locks: exact versions with hashes of everything that is installed.

``requirements.lock`` is what the product needs, ``requirements-dev.lock`` adds what its tests need. Both hold
the tools that build the project itself, so that nothing outside the locks is ever downloaded.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD_TOOLS = "hatchling\neditables\n"
OPTIONS = (
    "--quiet",
    "--upgrade",
    "--generate-hashes",
    "--allow-unsafe",
    "--strip-extras",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-emit-trusted-host",
)


def main() -> None:
    """Compile both locks, the second one with the versions of the first."""
    build = ROOT / "build-tools.in"
    build.write_text(BUILD_TOOLS)
    try:
        _compile("requirements.lock", "pyproject.toml", build.name)
        _compile(
            "requirements-dev.lock",
            "--extra=dev",
            "--constraint=requirements.lock",
            "pyproject.toml",
            build.name,
        )
    finally:
        build.unlink()


def _compile(output: str, *inputs: str) -> None:
    command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, "--output-file", output, *inputs]
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
