"""How often the log tells of one cause: the first few times, then now and then."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pywats_events.journal.fingerprint import fingerprint

#: Lines of one cause that are written in full; the next one follows when ``TELL_EVERY`` seconds are over.
TOLD_AT_ONCE: Final = 3
TELL_EVERY: Final = 300.0
#: Causes that are remembered, the latest ones: garbage may have any number of them.
MOST_CAUSES: Final = 1000


@dataclass(slots=True)
class _Cause:
    began: float
    told: int = 0
    left_out: int = 0


class Telling:
    """Keeps a thousand failures of one cause from being a thousand lines that hide a second cause.

    What is left out is not lost: it stands in the journal, and in the log at level debug.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._causes: OrderedDict[str, _Cause] = OrderedDict()

    def tell(self, say: Callable[..., Any], quietly: Callable[..., Any], text: str, **facts: Any) -> None:
        """Write a line, or leave it to the level of ``quietly``.

        Args:
            say: writes it at the level that it deserves.
            quietly: writes it where only those see it who want everything.
            text: what has happened.
            facts: of the line; ``handler``, ``outcome``, ``transport`` and the pattern of ``error`` and
                ``reason`` make the cause.
        """
        about = [str(facts.get(name, "")) for name in ("handler", "outcome", "transport")]
        why = f"{facts.get('error', '')} {facts.get('reason', '')}"
        cause = self._cause(fingerprint(" ".join(about), text, why))
        if cause.told >= TOLD_AT_ONCE:
            cause.left_out += 1
            quietly(text, **facts)
            return
        cause.told += 1
        more: dict[str, Any] = {"left_out_before": cause.left_out} if cause.left_out else {}
        cause.left_out = 0
        if cause.told == TOLD_AT_ONCE:
            more["more_like_it"] = f"at level debug for {TELL_EVERY:.0f} s"
        say(text, **facts, **more)

    def _cause(self, name: str) -> _Cause:
        now = self._clock()
        cause = self._causes.get(name)
        if cause is None:
            cause = self._causes[name] = _Cause(now)
            if len(self._causes) > MOST_CAUSES:
                self._causes.popitem(last=False)
        elif now - cause.began >= TELL_EVERY:
            # one line more; all of them again where it was silent meanwhile
            cause.told = TOLD_AT_ONCE - 1 if cause.left_out else 0
            cause.began = now
        self._causes.move_to_end(name)
        return cause
