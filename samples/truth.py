"""What really happened on the line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from samples.panels import AOI, FCT, ICT, SPI


@dataclass(slots=True)
class Truth:
    """What really happened on the line, to compare reports with.

    Attributes:
        messages: messages sent, with duplicates and bad ones.
        envelopes: envelopes in the good messages, without duplicates.
        duplicates: messages that were sent once more.
        bad_messages: messages that nobody can read.
        panels: panels that went through.
        units: boards on them, those marked bad too.
        tested: for each test station how many units it says passed, failed, were skipped. A unit that was
            tested twice counts twice.
        inspected: the same for each inspection station.
        last_result: the last verdict of each test station on each serial number.
        faults: faults that occurred; all of them were cleared.
        disqualified: units that were scrapped.
    """

    messages: int = 0
    envelopes: int = 0
    duplicates: int = 0
    bad_messages: int = 0
    panels: int = 0
    units: int = 0
    tested: dict[str, Counter[str]] = field(default_factory=lambda: {ICT: Counter(), FCT: Counter()})
    inspected: dict[str, Counter[str]] = field(default_factory=lambda: {SPI: Counter(), AOI: Counter()})
    last_result: dict[tuple[str, str], str] = field(default_factory=dict)
    faults: int = 0
    disqualified: int = 0

    @property
    def units_tested(self) -> int:
        """How many unit results the test stations told, skipped ones too."""
        return sum(sum(verdicts.values()) for verdicts in self.tested.values())

    @property
    def test_reports(self) -> int:
        """How many of those are a test: all but the skipped."""
        return self.units_tested - sum(verdicts["Skipped"] for verdicts in self.tested.values())
