"""What reading and writing CFX costs, in multiples of what ``json.loads`` takes for the same bytes.

``make bench-cfx`` prints the table and fails when a goal is missed. All cases take turns in changing order,
so that whatever else the machine does, and what a case leaves behind in caches and memory, hits all alike;
what counts is the median of the ratios of each turn.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from pywats_cfx import CFXEnvelope, cfx_adapter, decode, encode
from pywats_events.message import RawMessage

#: A message as a sender of the standard's own kit wrote it, nulls and labels and all.
RECORDED: Final = Path(__file__).with_name("units_tested.json")
SMALLEST: Final = (
    b'{"MessageName":"CFX.Heartbeat","Version":"2.1","TimeStamp":"2026-11-21T00:10:45.195418+00:00",'
    b'"UniqueID":"097508d3-08b3-4781-817a-2c491e39ab7a","Source":"Acme.Tester.T1","Target":null,'
    b'"RequestID":null,'
    b'"MessageBody":{"$type":"CFX.Heartbeat, CFX","CFXHandle":"Acme.Tester.T1",'
    b'"HeartbeatFrequency":"00:01:00","ActiveFaults":[],"ActiveRecipes":[]}}'
)
_TEST_SIZE: Final = 10  # measurements of one test
_IMPORTS: Final = {
    "import pywats_cfx": "import pywats_cfx",
    "import decode, first decode": f"from pywats_cfx import decode; decode({SMALLEST!r})",
    "import decode, first message": f"from pywats_cfx import decode; decode({SMALLEST!r})[0].message",
}
_IMPORT_AIMS: Final = {"import pywats_cfx": 0.1, "import decode, first decode": 0.3}
_IMPORT_RUNS: Final = 5


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is measured.

    Attributes:
        name: what the table calls it.
        run: does it once.
        same_bytes: name of the case that its time is divided by.
        goal: most that the ratio may be; None where it is only shown.
    """

    name: str
    run: Callable[[], object]
    same_bytes: str
    goal: float | None = None


def units_tested(measurements: int) -> bytes:
    """Give the recorded message with one unit and this many measurements, ten to a test."""
    envelope = json.loads(RECORDED.read_bytes())
    body = envelope["MessageBody"]
    unit = body["TestedUnits"][0]
    recorded_test = unit["Tests"][0]
    numeric, text, boolean = recorded_test["Measurements"]
    kinds = [numeric] * (_TEST_SIZE - 2) + [text, boolean]
    unit["Tests"] = []
    for number in range(measurements):
        place = number % _TEST_SIZE
        if not place:
            unit["Tests"].append(recorded_test | {"TestName": f"STEP_{number}", "Measurements": []})
        measured: dict[str, Any] = copy.deepcopy(kinds[place])
        measured |= {"MeasurementName": f"M{number}", "Sequence": number + 1}
        unit["Tests"][-1]["Measurements"].append(measured)
    body["TestedUnits"] = [unit]
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()


def cases() -> Sequence[Case]:
    """Give all that is measured, each first the time of ``json.loads`` on the same bytes."""
    made = [*_of_size(20, typed_goal=None), *_of_size(200, typed_goal=2.5), *_of_size(2000, typed_goal=None)]
    usual = units_tested(200)
    packed = gzip.compress(usual, 6)
    envelope = decode(usual)[0]
    message = envelope.message
    raw = RawMessage(usual, transport="bench")
    base = "json.loads, 200 measurements"
    made += [
        Case("envelope only, 200", lambda: decode(usual), base, goal=0.5),
        Case("body as dictionary, 200", lambda: decode(usual)[0].body, base),
        Case("typed out of gzip, 200", lambda: decode(packed)[0].message, base),
        Case("typed out of a list of one, 200", lambda: decode(b"[" + usual + b"]")[0].message, base),
        Case("events by the adapter, 200", lambda: cfx_adapter(raw), base),
        Case("encode a decoded envelope, 200", lambda: encode(envelope), base),
        Case("encode a typed message, 200", lambda: encode(CFXEnvelope.of(message)), base),  # type: ignore[arg-type]
        Case("encode into gzip, 200", lambda: encode(envelope, content_encoding="gzip"), base),
    ]
    base = "json.loads, smallest message"
    made += [
        Case(base, lambda: json.loads(SMALLEST), base),
        Case("envelope only, smallest", lambda: decode(SMALLEST), base),
        Case("typed, smallest", lambda: decode(SMALLEST)[0].message, base),
        Case("events by the adapter, smallest", lambda: cfx_adapter(RawMessage(SMALLEST)), base),
    ]
    return made


def _of_size(measurements: int, *, typed_goal: float | None) -> Sequence[Case]:
    body = units_tested(measurements)
    base = f"json.loads, {measurements} measurements"
    return [
        Case(base, lambda: json.loads(body), base),
        Case(f"typed, {measurements}", lambda: decode(body)[0].message, base, goal=typed_goal),
    ]


def measure(measured: Sequence[Case], rounds: int) -> dict[str, tuple[float, float]]:
    """Give the median time in seconds and the median ratio of each case, by its name."""
    times: dict[str, list[float]] = {case.name: [] for case in measured}
    order = list(measured)
    dice = Random(1)  # noqa: S311  # the same order each time
    for turn in range(rounds + 1):
        dice.shuffle(order)
        for case in order:
            start = time.perf_counter()
            case.run()
            taken = time.perf_counter() - start
            if turn:  # the first loads and compiles
                times[case.name].append(taken)
    return {
        case.name: (
            statistics.median(times[case.name]),
            statistics.median(
                own / base for own, base in zip(times[case.name], times[case.same_bytes], strict=True)
            ),
        )
        for case in measured
    }


def import_seconds(program: str) -> float:
    """Give the time of an import in a fresh interpreter, the best of a few."""
    timed = f"import time; t = time.perf_counter(); {program}; print(time.perf_counter() - t)"
    runs = (
        subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True)  # noqa: S603
        for _ in range(_IMPORT_RUNS)
    )
    return min(float(done.stdout) for done in runs)


def main() -> int:
    """Print the table; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=60, help="how often each case takes its turn")
    rounds = parser.parse_args().rounds
    measured = cases()
    results = measure(measured, rounds)
    missed = []
    _line(f"{'':34}{'microseconds':>14}{'ratio':>8}{'goal':>8}")
    for case in measured:
        seconds, ratio = results[case.name]
        goal = "" if case.goal is None else f"{case.goal:.2f}"
        _line(f"{case.name:34}{seconds * 1e6:14,.1f}{ratio:8.2f}{goal:>8}")
        if case.goal is not None and ratio > case.goal:
            missed.append(f"{case.name}: {ratio:.2f} times json.loads, and {case.goal} is the goal")
    _line(f"\n{'':34}{'seconds':>14}{'aim':>16}")
    for name, program in _IMPORTS.items():
        aim = f"{_IMPORT_AIMS[name]:.2f}" if name in _IMPORT_AIMS else ""
        _line(f"{name:34}{import_seconds(program):14.3f}{aim:>16}")
    for each in missed:
        _line(f"\nMISSED  {each}")
    return 1 if missed else 0


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
