"""A sequence and the steps in it, added one by one with their verdicts worked out."""

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, Unpack

from pywats_api.building import measurements
from pywats_api.building.chart import ChartStep
from pywats_api.building.details import StepDetails, given_status, step_members
from pywats_api.building.errors import naming, step_place
from pywats_api.building.files import file_content
from pywats_api.building.measurements import Measured
from pywats_api.building.several import SeveralNumbers, SeveralTexts, SeveralVerdicts
from pywats_api.building.verdicts import is_failing, settle, worst
from pywats_api.wsjf import (
    Attachment,
    BooleanMeas,
    CallExe,
    CompOp,
    MessagePopup,
    NumericMeas,
    SeqCall,
    Step,
    StepStatus,
    StringCompOp,
    StringMeas,
    clean_text,
)
from pywats_api.wsjf.steps import ChartType

_ERROR_LENGTH = 200
_S = TypeVar("_S", SeveralNumbers, SeveralTexts, SeveralVerdicts, ChartStep)


class _Part(Protocol):
    def as_step(self) -> Step:
        """The step as it stands now."""


class _Ready:
    """A step that is complete already."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def as_step(self) -> Step:
        return self._step


class Sequence:
    """A step with steps below it. It fails if any of them fails.

    As a context manager it marks itself when an exception leaves it: ``E`` for an error, ``T`` for an
    interruption such as Ctrl-C, with the text in its error message. The exception goes on.

    Each method that adds a step takes the `StepDetails` beside its own arguments, returns whether the step
    passed (or the step, where more is to be added to it), and raises `ReportError` where the server would
    refuse the step, naming it by its path.

    Attributes:
        name: of the step.
        path: names from below the root down to here, joined by ``/``; empty for the root.
    """

    def __init__(
        self, name: str, path: str, details: StepDetails, *, program: str | None, version: str | None
    ) -> None:
        self.name = name
        self.path = path
        self._details = details
        self._parts: list[_Part] = []
        self._broken: tuple[StepStatus, str] | None = None
        with naming(step_place(path or name)):
            self._seq_call = SeqCall(name=program or name, version=version)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is not None:
            status = StepStatus.ERROR if isinstance(error, Exception) else StepStatus.TERMINATED
            said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            self._broken = (status, clean_text(said, _ERROR_LENGTH))

    def sequence(
        self,
        name: str,
        *,
        program: str | None = None,
        version: str | None = None,
        **details: Unpack[StepDetails],
    ) -> "Sequence":
        """Add a sequence below this one.

        Args:
            name: at most 100 characters, the same from run to run.
            program: name of the file it is in; left out, its name.
            version: of that file, at most 30 characters.
            **details: see `StepDetails`.
        """
        below = Sequence(name, self._path(name), details, program=program, version=version)
        self._parts.append(below)
        return below

    def numeric(
        self,
        name: str,
        value: float,
        *,
        low: float | None = None,
        high: float | None = None,
        unit: str | None = None,
        comp_op: CompOp | str | None = None,
        waived: str | None = None,
        **details: Unpack[StepDetails],
    ) -> bool:
        """Add a number held against its limits.

        Both limits are inclusive (``GELE``), as is a single one (``GE`` or ``LE``), unless `comp_op` says
        otherwise; without any the value is logged. NaN and infinity fail, and stand in the report text.

        Args:
            name: of the step.
            value: in `unit`.
            low: in `unit`; with `EQ` and `NE` the value to compare with.
            high: in `unit`.
            unit: at most 20 characters.
            comp_op: how value and limits are compared.
            waived: why a value that fails shall pass all the same; it is written into the report.
            **details: see `StepDetails`.
        """
        with self._naming(name):
            measured: Measured[NumericMeas] = measurements.numeric(
                value,
                low=low,
                high=high,
                unit=unit,
                comp_op=comp_op,
                status=given_status(details),
                waived=waived,
            )
        return self._single(name, "ET_NLT", "numeric_meas", measured, details)

    def string(
        self,
        name: str,
        value: str,
        *,
        equals: str | None = None,
        comp_op: StringCompOp | str | None = None,
        waived: str | None = None,
        **details: Unpack[StepDetails],
    ) -> bool:
        """Add a text, logged or held against another.

        Args:
            name: of the step.
            value: what is longer than 100 characters is cut, and stands in full in the report text.
            equals: what the text must be, letter by letter; at most 100 characters.
            comp_op: another comparison with `equals`: ``NE`` or ``IGNORECASE``.
            waived: why a text that fails shall pass all the same; it is written into the report.
            **details: see `StepDetails`.
        """
        with self._naming(name):
            measured: Measured[StringMeas] = measurements.text(
                value, equals=equals, comp_op=comp_op, status=given_status(details), waived=waived
            )
        return self._single(name, "ET_SVT", "string_meas", measured, details)

    def pass_fail(
        self, name: str, passed: bool, *, waived: str | None = None, **details: Unpack[StepDetails]
    ) -> bool:
        """Add a verdict without a value.

        Args:
            name: of the step.
            passed: the verdict.
            waived: why a failure shall pass all the same; it is written into the report.
            **details: see `StepDetails`.
        """
        with self._naming(name):
            measured: Measured[BooleanMeas] = measurements.verdict(
                passed, status=given_status(details), waived=waived
            )
        return self._single(name, "ET_PFT", "boolean_meas", measured, details)

    def multi_numeric(self, name: str, **details: Unpack[StepDetails]) -> SeveralNumbers:
        """Add a step of several numbers; add them with `measure`. Never one time single, then multi."""
        return self._several(SeveralNumbers(name, self._path(name), details))

    def multi_string(self, name: str, **details: Unpack[StepDetails]) -> SeveralTexts:
        """Add a step of several texts; add them with `compare`."""
        return self._several(SeveralTexts(name, self._path(name), details))

    def multi_pass_fail(self, name: str, **details: Unpack[StepDetails]) -> SeveralVerdicts:
        """Add a step of several verdicts; add them with `check`."""
        return self._several(SeveralVerdicts(name, self._path(name), details))

    def chart(
        self,
        name: str,
        *,
        label: str | None = None,
        chart_type: ChartType = "Line",
        x_label: str | None = None,
        x_unit: str | None = None,
        y_label: str | None = None,
        y_unit: str | None = None,
        **details: Unpack[StepDetails],
    ) -> ChartStep:
        """Add a graph; add its curves with `curve` and what it shall be judged by with `measure`.

        Args:
            name: of the step.
            label: title, at most 100 characters; left out, the name.
            chart_type: which axes are logarithmic.
            x_label: at most 50 characters.
            x_unit: at most 20 characters.
            y_label: at most 50 characters.
            y_unit: at most 20 characters.
            **details: see `StepDetails`.
        """
        chart = ChartStep(
            name,
            self._path(name),
            details,
            label=label,
            chart_type=chart_type,
            x_label=x_label,
            x_unit=x_unit,
            y_label=y_label,
            y_unit=y_unit,
        )
        return self._several(chart)

    def message(
        self,
        name: str,
        *,
        response: str | None = None,
        button: int | None = None,
        **details: Unpack[StepDetails],
    ) -> bool:
        """Add a question to the operator, which has no verdict of its own: give `status` if the answer has.

        Args:
            name: of the step.
            response: what was answered, at most 200 characters.
            button: number of the one pressed.
            **details: see `StepDetails`.
        """
        with self._naming(name):
            popup = MessagePopup(response=response, button=button)
        return self._plain(name, "MessagePopup", details, message_popup=popup)

    def call_exe(
        self, name: str, exit_code: float, *, expected: float | None = 0, **details: Unpack[StepDetails]
    ) -> bool:
        """Add a program that was called.

        Args:
            name: of the step.
            exit_code: what it ended with.
            expected: any other exit code fails the step; None takes every one.
            **details: see `StepDetails`.
        """
        with self._naming(name):
            call = CallExe(exit_code=exit_code)
        passed = expected is None or exit_code == expected
        return self._plain(name, "CallExecutable", details, passed=passed, call_exe=call)

    def attach(
        self,
        name: str,
        source: bytes | Path,
        *,
        file_name: str | None = None,
        content_type: str | None = None,
        **details: Unpack[StepDetails],
    ) -> bool:
        """Add a file in a step of its own.

        Args:
            name: of the step.
            source: its bytes, or where it is; keep files below some megabytes.
            file_name: left out, that of the path, or ``attachment``.
            content_type: MIME type; left out, guessed from the file's name.
            **details: see `StepDetails`.

        Raises:
            OSError: the file cannot be read.
            ReportError: the server would refuse the step.
        """
        content = file_content(source, file_name=file_name, content_type=content_type)
        with self._naming(name):
            attachment = Attachment(**content._asdict())
        return self._plain(name, "WATS_AttachFile", details, attachment=attachment)

    def action(self, name: str, *, step_type: str = "Action", **details: Unpack[StepDetails]) -> bool:
        """Add a step without measurement.

        Args:
            name: of the step.
            step_type: picks the icon, such as ``Statement``, ``Label``, ``NI_Wait``; any text is taken.
            **details: see `StepDetails`.
        """
        return self._plain(name, step_type, details)

    def skipped(self, name: str, *, step_type: str = "Action", reason: str | None = None) -> None:
        """Add a step that was not run. It neither passes nor fails anything.

        Args:
            name: of the step.
            step_type: the one it has when it runs, such as ``ET_NLT``.
            reason: why, for the report text.
        """
        self._plain(name, step_type, {"status": StepStatus.SKIPPED, "report_text": reason})

    def add(self, step: Step) -> bool:
        """Add a finished step, with all below it. Its own status counts for those above."""
        self._parts.append(_Ready(step))
        return not is_failing(step.status)

    def as_step(self) -> Step:
        """The step as it stands now, with all below it.

        Raises:
            ReportError: the server would refuse one of them.
        """
        steps = [part.as_step() for part in self._parts]
        statuses = [step.status for step in steps]
        details = self._details
        if self._broken is not None:
            status, said = self._broken
            statuses.append(status)
            details = {**details, "error_message": details.get("error_message") or said}
        computed = worst(statuses) or StepStatus.SKIPPED
        with naming(step_place(self.path or self.name)):
            return Step(
                name=self.name,
                step_type="SequenceCall",
                status=settle(computed, given_status(details)),
                seq_call=self._seq_call,
                steps=steps,
                **step_members(details),
            )

    def _path(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name

    def _naming(self, name: str) -> AbstractContextManager[None]:
        return naming(step_place(self._path(name)))

    def _several(self, step: _S) -> _S:
        self._parts.append(step)
        return step

    def _single(
        self, name: str, step_type: str, member: str, measured: Measured[Any], details: StepDetails
    ) -> bool:
        found = None if measured.measurement is None else [measured.measurement]
        with self._naming(name):
            members = step_members(details, measured.note) | {member: found}
        return self._append(name, step_type, measured.status, members)

    def _plain(
        self, name: str, step_type: str, details: StepDetails, *, passed: bool = True, **members: Any
    ) -> bool:
        with self._naming(name):
            status = settle(StepStatus.PASSED if passed else StepStatus.FAILED, given_status(details))
            members |= step_members(details)
        return self._append(name, step_type, status, members)

    def _append(self, name: str, step_type: str, status: StepStatus, members: dict[str, Any]) -> bool:
        with self._naming(name):
            step = Step(name=name, step_type=step_type, status=status, **members)
        self._parts.append(_Ready(step))
        return status is StepStatus.PASSED
