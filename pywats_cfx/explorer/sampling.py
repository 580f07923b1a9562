"""``--sample``: a sample as it is on the wire."""

from __future__ import annotations

from rich.syntax import Syntax

import samples
from pywats_cfx.explorer.refusal import USAGE, RefusedError
from pywats_cfx.explorer.screen import Screen


def show_sample(screen: Screen, name: str) -> None:
    """Show a sample; in a pipe it is the very file.

    Raises:
        RefusedError: there is none of that name.
    """
    try:
        text = samples.load(name).decode().rstrip("\n")
    except samples.UnknownSampleError as error:
        raise RefusedError(str(error), USAGE) from error
    if screen.is_terminal:
        screen.show(Syntax(text, "json", background_color="default", word_wrap=True))
    else:
        screen.plain(text)
