"""Sample messages of a small SMT line, and the line itself (``samples.line``)."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

#: Each sample with what it shows.
SUMMARIES: Final = {
    "units_tested_ict": "in-circuit test of a panel of two: one circuit passes, on the other R7 is too high",
    "units_tested_fct": "function test of one board: voltages, current, firmware version, a check by eye",
    "units_inspected_aoi": "optical inspection of a panel: a tombstoned resistor with picture, a false call",
    "units_inspected_spi": "solder paste inspection of a panel: deposits against what was expected",
    "work_started": "the in-circuit tester begins with a panel: serial numbers, recipe, work order",
    "work_completed_pass": "the in-circuit tester is done with the panel",
    "work_completed_fail": "the function tester gives a board up",
    "materials_smt": "surface-mounted parts on a panel: reels, places, one part rejected",
    "materials_th": "through-hole connectors with serial numbers of their own",
    "materials_loaded": "reels, a tray and a tube put into the placement machine",
    "fault_temp": "a zone of the reflow oven is too hot",
    "fault_feeder": "a feeder of the placement machine runs empty",
    "fault_cleared": "the operator has cleared the feeder's fault",
}


class UnknownSampleError(LookupError):
    """There is no sample of that name; the text names those that there are."""


def names() -> tuple[str, ...]:
    """Give the names of all samples."""
    return tuple(SUMMARIES)


def load(name: str) -> bytes:
    """Give a sample: the body of one message, UTF-8 JSON.

    Raises:
        UnknownSampleError: there is none of that name.
    """
    if name not in SUMMARIES:
        raise UnknownSampleError(f'no sample is called "{name}"; there are: {", ".join(SUMMARIES)}')
    return files(__name__).joinpath("cfx", f"{name}.json").read_bytes()
