"""Writes the locks: exact versions with hashes of everything that is installed.

``requirements-build.lock`` holds the tools that build the project itself and python-qpid-proton, and is
installed first; ``requirements.lock`` is what the product needs, ``requirements-dev.lock`` adds what its
tests need. Nothing outside the locks is ever downloaded.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD_TOOLS = "hatchling\neditables\nsetuptools\ncffi\n"
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
    """Compile the locks, each with the versions of the one before."""
    build = ROOT / "build-tools.in"
    build.write_text(BUILD_TOOLS)
    try:
        _compile("requirements-build.lock", build.name)
    finally:
        build.unlink()
    product = ("--extra=amqp10", "pyproject.toml")
    _compile("requirements.lock", "--constraint=requirements-build.lock", *product)
    _compile("requirements-dev.lock", "--constraint=requirements.lock", "--extra=dev", *product)


def _compile(output: str, *inputs: str) -> None:
    command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, "--output-file", output, *inputs]
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
