"""Rules that no single member can know: what goes together in a step, and how units hang together."""

from collections.abc import Sequence

from pywats_api.wsjf.parts import SubUnit
from pywats_api.wsjf.steps import BooleanMeas, NumericMeas, Step, StringMeas

_Measurements = Sequence[NumericMeas | StringMeas | BooleanMeas]


def check_tree(root: Step) -> None:
    """Refuse a tree the server would refuse; the message starts with the path to the step."""
    for path, step in root.walk():
        fault = _fault_of(step)
        if fault is not None:
            raise ValueError(f'step "{path}": {fault}')


def _fault_of(step: Step) -> str | None:
    kinds: list[tuple[str, _Measurements]] = [
        (kind, measurements)
        for kind, measurements in (
            ("numericMeas", step.numeric_meas),
            ("stringMeas", step.string_meas),
            ("booleanMeas", step.boolean_meas),
        )
        if measurements
    ]
    if step.steps and step.seq_call is None:
        return "has children but no seqCall"
    if step.chart is not None and step.attachment is not None:
        return "holds a chart and an attachment; give one of them a step of its own"
    if not kinds:
        return None
    if len(kinds) > 1:
        return f"holds {' and '.join(kind for kind, _ in kinds)}; one kind of measurement per step"
    kind, measurements = kinds[0]
    for member, value in (
        ("seqCall", step.seq_call),
        ("callExe", step.call_exe),
        ("messagePopup", step.message_popup),
    ):
        if value is not None:
            return f"holds {kind} together with {member}; measure in a step of its own"
    return _naming_fault(kind, measurements) if len(measurements) > 1 else None


def _naming_fault(kind: str, measurements: _Measurements) -> str | None:
    seen = set()
    for position, measurement in enumerate(measurements):
        if not measurement.name:
            return f"{kind}[{position}] has no name; where a step holds several, each needs one"
        if measurement.name in seen:
            return f'{kind}[{position}] repeats the name "{measurement.name}"'
        seen.add(measurement.name)
    return None


def check_units(pn: str, sn: str, rev: str, units: Sequence[SubUnit]) -> None:
    """Refuse the units of a repair that the server would refuse; the message names the unit by its serial."""
    indexes = [unit.idx for unit in units]
    if indexes.count(0) != 1 or None in indexes:
        raise ValueError(
            "subUnits of a repair need an idx each, and exactly one idx 0: the repaired unit itself"
        )
    for position, unit in enumerate(units):
        if unit.idx in indexes[:position]:
            raise ValueError(f'unit "{unit.sn}": idx {unit.idx} is not unique')
        for member, idx in (("parentIdx", unit.parent_idx), ("replacedIdx", unit.replaced_idx)):
            if idx is not None and idx not in indexes:
                raise ValueError(f'unit "{unit.sn}": {member}: no sub-unit has idx {idx}')
            if idx is not None and idx == unit.idx:
                raise ValueError(f'unit "{unit.sn}": {member}: a unit cannot be its own')
        if unit.idx == 0:
            _check_main(pn, sn, rev, unit)
    if not any(unit.failures for unit in units):
        raise ValueError("a repair needs a failure on one of its units")


def _check_main(pn: str, sn: str, rev: str, unit: SubUnit) -> None:
    own = (unit.pn, unit.sn, rev if unit.rev is None else unit.rev)
    if own != (pn, sn, rev):
        raise ValueError(f'unit "{unit.sn}": at idx 0 must be the unit of the report: same pn, sn and rev')
    if unit.parent_idx is not None:
        raise ValueError(f'unit "{unit.sn}": at idx 0 has a parentIdx; it is the repaired unit itself')
