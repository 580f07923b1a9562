"""Steps with several measurements: each has a name of its own, which is its identity in statistics."""

from typing import Any, ClassVar, Generic, TypeVar

from pywats_api.building import measurements
from pywats_api.building.details import StepDetails, given_status, step_members
from pywats_api.building.errors import ReportError, naming, step_place
from pywats_api.building.measurements import Measured
from pywats_api.building.verdicts import settle, worst
from pywats_api.wsjf import BooleanMeas, CompOp, NumericMeas, Step, StepStatus, StringCompOp, StringMeas

_M = TypeVar("_M", bound=NumericMeas | StringMeas | BooleanMeas)


class SeveralMeasurements(Generic[_M]):
    """A step that measurements are added to. It fails if any of them fails."""

    _step_type: ClassVar[str]
    _member: ClassVar[str]
    _may_be_empty: ClassVar[bool] = False

    def __init__(self, name: str, path: str, details: StepDetails) -> None:
        self.name = name
        self.path = path
        self._details = details
        self._measured: dict[str, Measured[_M]] = {}

    def _place(self, name: str) -> str:
        return f'{step_place(self.path)}, measurement "{name}"'

    def _keep(self, name: str, measured: Measured[_M]) -> bool:
        if not name.strip():
            raise ReportError(step_place(self.path), "a measurement has no name; each needs one")
        if name in self._measured:
            raise ReportError(step_place(self.path), f'repeats the name "{name}"')
        self._measured[name] = measured
        return measured.status is StepStatus.PASSED

    def _members(self) -> dict[str, Any]:
        found = [measured.measurement for measured in self._measured.values()]
        return {self._member: [measurement for measurement in found if measurement is not None] or None}

    def as_step(self) -> Step:
        """The step as it stands now."""
        place = step_place(self.path)
        if not self._measured and not self._may_be_empty:
            raise ReportError(place, "has no measurement, so it has no verdict")
        computed = worst(measured.status for measured in self._measured.values()) or StepStatus.PASSED
        notes = [measured.note for measured in self._measured.values()]
        with naming(place):
            return Step(
                name=self.name,
                step_type=self._step_type,
                status=settle(computed, given_status(self._details)),
                **step_members(self._details, *notes),
                **self._members(),
            )


class SeveralNumbers(SeveralMeasurements[NumericMeas]):
    """A multi-numeric step."""

    _step_type = "ET_MNLT"
    _member = "numeric_meas"

    def measure(
        self,
        name: str,
        value: float,
        *,
        low: float | None = None,
        high: float | None = None,
        unit: str | None = None,
        comp_op: CompOp | str | None = None,
        status: StepStatus | str | None = None,
        waived: str | None = None,
    ) -> bool:
        """Add a number; arguments as for `Sequence.numeric`, `name` being unique in the step.

        Returns:
            Whether it passed.

        Raises:
            ReportError: the server would refuse it.
        """
        with naming(self._place(name)):
            measured = measurements.numeric(
                value,
                low=low,
                high=high,
                unit=unit,
                comp_op=comp_op,
                status=None if status is None else StepStatus(status),
                waived=waived,
                name=name,
            )
        return self._keep(name, measured)


class SeveralTexts(SeveralMeasurements[StringMeas]):
    """A multi-string step."""

    _step_type = "ET_MSVT"
    _member = "string_meas"

    def compare(
        self,
        name: str,
        value: str,
        *,
        equals: str | None = None,
        comp_op: StringCompOp | str | None = None,
        status: StepStatus | str | None = None,
        waived: str | None = None,
    ) -> bool:
        """Add a text; arguments as for `Sequence.string`, `name` being unique in the step.

        Returns:
            Whether it passed.

        Raises:
            ReportError: the server would refuse it.
        """
        with naming(self._place(name)):
            measured = measurements.text(
                value,
                equals=equals,
                comp_op=comp_op,
                status=None if status is None else StepStatus(status),
                waived=waived,
                name=name,
            )
        return self._keep(name, measured)


class SeveralVerdicts(SeveralMeasurements[BooleanMeas]):
    """A multi-pass/fail step."""

    _step_type = "ET_MPFT"
    _member = "boolean_meas"

    def check(
        self,
        name: str,
        passed: bool,
        *,
        status: StepStatus | str | None = None,
        waived: str | None = None,
    ) -> bool:
        """Add a verdict; arguments as for `Sequence.pass_fail`, `name` being unique in the step.

        Returns:
            Whether it passed.

        Raises:
            ReportError: the server would refuse it.
        """
        with naming(self._place(name)):
            measured = measurements.verdict(
                passed, status=None if status is None else StepStatus(status), waived=waived, name=name
            )
        return self._keep(name, measured)
