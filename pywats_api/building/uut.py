"""A test report, step by step."""

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from pywats_api.building.errors import ReportError, naming
from pywats_api.building.free_data import Value
from pywats_api.building.header import Header, utc_now
from pywats_api.building.sequence import Sequence
from pywats_api.building.verdicts import is_failing
from pywats_api.process_records import Process
from pywats_api.wsjf import Report, ReportResult, Step, StepStatus, SubUnit, UutInfo

_ROOT = "MainSequence Callback"
_WORDS = {
    StepStatus.PASSED: "passed",
    StepStatus.FAILED: "failed",
    StepStatus.ERROR: "had an error",
    StepStatus.TERMINATED: "was terminated",
}


class UutBuilder(Sequence):
    """Builds the report of one test of one unit; itself the main sequence, so steps are added to it.

    ::

        with UutBuilder("PCB-100", "SN-1", "B", process=60, station="FCT-1", location="Line 1",
                        program="fct.seq", version="1.4") as uut:
            with uut.sequence("Power") as power:
                power.numeric("3V3", 3.31, low=3.2, high=3.4, unit="V")
        await api.report.submit(uut.build())

    The verdict of each step is worked out from its limits, that of each sequence and of the report from
    what is in it. Nothing makes a verdict better but `waived`.
    """

    def __init__(
        self,
        part_number: str,
        serial_number: str,
        revision: str,
        *,
        process: int | Process,
        station: str,
        location: str,
        program: str,
        version: str | None = None,
        purpose: str = "Production",
        operator: str | None = None,
        start: datetime | None = None,
        duration: float | None = None,
        report_id: UUID | None = None,
        batch: str | None = None,
        fixture: str | None = None,
        socket: int | None = None,
        comment: str | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Begin a report. Texts hold 100 characters where nothing else is said.

        Args:
            part_number: of the unit; with the serial number it is the unit.
            serial_number: of the unit.
            revision: of the unit; agree on a placeholder where none is known.
            process: code of the test operation, or what `api.process.get_test_operation` gave.
            station: machine that tests.
            location: line or hall.
            program: name of the test program; 200 characters.
            version: of the program, at most 30 characters; a change of limits is a change of version.
            purpose: only ``Production`` normally enters yield.
            operator: who tests.
            start: when the test began, with offset and cut to milliseconds; left out, now.
            duration: seconds; left out, from now to `build` where `start` is left out as well.
            report_id: left out, made from unit, operation and start, so that the same run has the same id.
            batch: the lot of the unit.
            fixture: the fixture it was tested in.
            socket: position in the fixture, 16 bits.
            comment: at most 5000 characters.
            now: the clock.

        Raises:
            ReportError: the server would refuse it.
        """
        self._header = Header(
            kind="T",
            part_number=part_number,
            serial_number=serial_number,
            revision=revision,
            process=process,
            station=station,
            location=location,
            purpose=purpose,
            start=start,
            report_id=report_id,
            now=now,
        )
        super().__init__(_ROOT, "", {}, program=program, version=version)
        self._times_itself = start is None and duration is None
        with naming(self._header.place):
            self._info = UutInfo(
                user=operator,
                exec_time=duration,
                batch_sn=batch,
                fixture_id=fixture,
                test_socket_index=socket,
                comment=comment,
            )
        self._sub_units: list[SubUnit] = []
        self._result: ReportResult | None = None

    def misc(self, description: str, text: str) -> None:
        """Add what people search and slice by, such as the work order. Few, and the same from run to run.

        Args:
            description: at most 100 characters.
            text: at most 100 characters; numbers are texts too.
        """
        self._header.misc(description, text)

    def sub_unit(
        self,
        part_type: str,
        part_number: str,
        serial_number: str,
        revision: str | None = None,
        *,
        position: int | None = None,
    ) -> None:
        """Add a serialised part that the unit contains. Lots have no place here: use `misc`.

        Args:
            part_type: category such as ``PCBA``, at most 50 characters.
            part_number: of the part.
            serial_number: of the part.
            revision: of the part.
            position: in the unit, 16 bits.
        """
        with naming(f'sub-unit "{serial_number}"'):
            self._sub_units.append(
                SubUnit(
                    part_type=part_type, pn=part_number, sn=serial_number, rev=revision, position=position
                )
            )

    def asset(self, serial_number: str, count: int = 1) -> None:
        """Add an asset the test used. Its counts rise by `count` if it is registered; don't count it twice.

        Args:
            serial_number: of the asset.
            count: uses.
        """
        self._header.asset(serial_number, count)

    def data(self, name: str, members: Mapping[str, Value]) -> None:
        """Add free data: shown with the report, not searched.

        Args:
            name: of the group, at most 200 characters.
            members: numbers, texts, booleans, mappings and lists of such.
        """
        self._header.data(name, members)

    def end_with(
        self, result: ReportResult | str, message: str | None = None, *, code: int | None = None
    ) -> None:
        """Say how the test ended, where its steps do not: by an error, or because somebody stopped it.

        Args:
            result: ``P`` is refused by `build` if a step is not passed.
            message: why, at most 500 characters.
            code: number of the error.

        Raises:
            ReportError: the message is too long, or the result none.
        """
        with naming(self._header.place):
            self._result = ReportResult(result)
            self._info = UutInfo.model_validate(
                {**self._info.model_dump(by_alias=False), "error_message": message, "error_code": code}
            )

    def build(self) -> Report:
        """The report as it stands now, complete and checked.

        The first failing step is marked as the cause, and its error message becomes the report's where none
        was given. Where all steps were skipped, the report is terminated: nothing was tested.

        Raises:
            ReportError: the server would refuse the report, it holds no step and no result, or its start
                lies in the future.
        """
        root = self.as_step()
        result = self._verdict(root)
        root = root.model_copy(update={"status": StepStatus(result.value)})
        cause = _mark_cause(root)
        info = self._info
        changes: dict[str, object] = {}
        if self._times_itself:
            changes["exec_time"] = max((self._header.now() - self._header.start).total_seconds(), 0.0)
        if info.error_message is None:
            changes["error_message"] = (cause or root).error_message
        if info.error_code is None and cause is not None:
            changes["error_code"] = cause.error_code
        return self._header.report(
            result=result,
            root=root,
            uut=info.model_copy(update=changes),
            sub_units=self._sub_units or None,
        )

    def _verdict(self, root: Step) -> ReportResult:
        said = self._result
        if not root.steps and said is None and not is_failing(root.status):
            raise ReportError(
                self._header.place, 'holds no step, so it has no verdict; say how it ended with end_with("P")'
            )
        if said is ReportResult.PASSED and is_failing(root.status):
            path = _first_failing(root)
            raise ReportError(self._header.place, f'cannot end with P: step "{path}" {_WORDS[root.status]}')
        if said is not None:
            return said
        if root.status is StepStatus.SKIPPED:
            return ReportResult.TERMINATED
        return ReportResult(root.status.value)


def _first_failing(root: Step) -> str:
    """The path, below the root, of the first failing step that no step below it explains."""
    for path, step in root.walk():
        if step is not root and _is_leaf_of_failure(step):
            return path.removeprefix(f"{root.name}/")
    return root.name


def _is_leaf_of_failure(step: Step) -> bool:
    return is_failing(step.status) and not any(is_failing(child.status) for child in step.steps or ())


def _mark_cause(root: Step) -> Step | None:
    if not is_failing(root.status):
        return None
    cause: Step | None = None
    for _, step in root.walk():
        if step is not root and _is_leaf_of_failure(step):
            # The others are unmarked: a report may be built again with more steps before the old cause.
            step.caused_seq_failure = step.caused_uut_failure = True if cause is None else None
            cause = cause or step
    return cause
