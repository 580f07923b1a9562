"""The examples of the client's documents, found in the documents and made ready to run.

Their module name is put in place of the documents', and our server's address; imports that they leave out are
given. Two chapters lost the ``#`` of their comments when they were printed: it is put back.
"""

import ast
import re
from dataclasses import dataclass

from .conftest import SAMPLES

SEEDS = SAMPLES.parent / "seeds"
MODULE_GUIDE = SEEDS / "pywats-production-module.md"
DOCUMENTATION = SEEDS / "pywats-documentation.txt"
MISSING = f"{MODULE_GUIDE.name} or {DOCUMENTATION.name} is not beside the checkout, in ../shared/seeds"

# Where each chapter begins and ends in the one long text: lines that hold these words.
_CHAPTERS = {
    "process": ("docs/modules/process.md", "docs/modules/product.md"),
    "product": ("docs/modules/product.md", "# Production Domain"),
    "production": ("# Production Domain", "Analytics Domain"),
    "root cause": ("docs/modules/rootcause.md", "docs/modules/software.md"),
    "process guide": ("docs/usage/process-module.md", "docs/usage/product-module.md"),
    "product guide": ("docs/usage/product-module.md", "docs/usage/production-module.md"),
    "root cause guide": ("docs/usage/rootcause-module.md", "docs/usage/software-module.md"),
    "box build guide": ("docs/usage/box-build-guide.md", "docs/env-variables.md"),
}
# A line of a comment without its ``#``; asked only of lines that are no Python.
_PROSE = re.compile(r"[(\dA-Z][\w '(),+:/=.-]*")


@dataclass(frozen=True)
class Example:
    """A piece of code in a document, by the heading it stands under."""

    name: str
    code: str

    def runnable(self, url):
        """The code with our names and our server in it."""
        code = re.sub(r"\bfrom pywats\b", "from pywats_api", self.code)
        return re.sub(r'base_url="[^"]*"', f'base_url="{url}"', code)


def examples():
    """Each example by its name: document, heading, and a number where a heading has several."""
    if not (MODULE_GUIDE.exists() and DOCUMENTATION.exists()):
        return {}
    found = {}
    chapters = {"guide": MODULE_GUIDE.read_text().splitlines(), **dict(_chapters())}
    for document, lines in chapters.items():
        for heading, code in _blocks(lines):
            name, number = f"{document}: {heading}", 1
            while name in found:
                number += 1
                name = f"{document}: {heading} ({number})"
            found[name] = Example(name, mended(code) if document in {"process", "product"} else code)
    return found


def _chapters():
    lines = DOCUMENTATION.read_text().splitlines()
    for name, (begin, end) in _CHAPTERS.items():
        start = next(number for number, line in enumerate(lines) if _is_mark(line, begin))
        stop = next(number for number in range(start + 1, len(lines)) if _is_mark(lines[number], end))
        yield name, lines[start + 1 : stop]


def _is_mark(line, words):
    return words in line and (line.lstrip("*").startswith("Source:") or line.strip("# ") == words.strip("# "))


def _blocks(lines):
    """Heading and code of each fenced block; one that says ``python`` always begins a block."""
    heading, block = "", None
    for line in lines:
        if line.startswith("```python") or (block is None and line.startswith("```")):
            block = []
        elif line.startswith("```"):
            if any(text.strip() for text in block):
                yield heading, "\n".join(block)
            block = None
        elif block is not None:
            block.append(line)
        elif line.strip(" -#*•"):
            heading = " ".join(line.strip("# ").split())[:60].strip()


def mended(code):
    """The code with the comments back that lost their ``#``; as it is where that is not enough."""
    lines = code.split("\n")
    for number, line in enumerate(lines):
        if re.fullmatch(r"\s*[A-Z][a-z]+", line):  # a word by itself, which Python would take for a name
            lines[number] = f"# {line.strip()}"
    for _ in range(len(lines)):
        try:
            ast.parse("\n".join(lines))
        except SyntaxError as error:
            number = (error.lineno or 1) - 1
            if number >= len(lines) or not _PROSE.fullmatch(lines[number].strip()):
                return code
            indent = lines[number][: len(lines[number]) - len(lines[number].lstrip())]
            lines[number] = f"{indent}# {lines[number].strip()}"
        else:
            return "\n".join(lines)
    return code
