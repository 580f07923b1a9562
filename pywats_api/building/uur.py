"""A repair report: what was found on the unit and its sub-units, and what was done."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from pywats_api.building.errors import ReportError, naming
from pywats_api.building.files import FileContent, file_content
from pywats_api.building.free_data import Value
from pywats_api.building.header import Header, operation_code, utc_now
from pywats_api.process_records import Process
from pywats_api.wsjf import Failure, FileData, Report, ReportResult, ReportType, SubUnit, UurInfo

FailCodes = Mapping[str, AbstractSet[str]]


class RepairedUnit:
    """The unit that was repaired, or one of the serialised parts in it.

    Attributes:
        idx: its number in the report; 0 is the repaired unit itself.
        place: how errors name it.
    """

    def __init__(self, repair: "UurBuilder", unit: SubUnit, place: str) -> None:
        self._repair = repair
        self._unit = unit
        self._failures: list[Failure] = []
        self.idx = unit.idx or 0
        self.place = place

    def failure(
        self,
        category: str,
        code: str,
        *,
        comment: str | None = None,
        component: str | None = None,
        block: str | None = None,
        step: str | int | None = None,
        article: str | None = None,
        article_revision: str | None = None,
        vendor: str | None = None,
        article_description: str | None = None,
        files: Iterable[bytes | Path | FileContent] = (),
    ) -> None:
        """Add what was found wrong.

        Args:
            category: one that is configured for the repair operation.
            code: one of that category.
            comment: what was done.
            component: designator, at most 50 characters.
            block: functional block, at most 100 characters.
            step: the step of the failed test that showed it: its number, or its path of names below the
                root where the builder knows the test (`UurBuilder.of`).
            article: number of the component, at most 100 characters.
            article_revision: of the component, at most 100 characters.
            vendor: of the component, at most 500 characters.
            article_description: of the component, at most 500 characters.
            files: bytes, paths, or what `file_content` gave.

        Raises:
            ReportError: the server would refuse it, or the test has no such step.
        """
        place = f'{self.place}, failure "{category}: {code}"'
        self._repair.check_code(place, category, code)
        with naming(place):
            failure = Failure(
                category=category,
                code=code,
                comment=comment,
                com_ref=component,
                func_block=block,
                ref_step_id=self._repair.step_id(place, step),
                art_number=article,
                art_rev=article_revision,
                art_vendor=vendor,
                art_description=article_description,
                attachments=[_file_data(item) for item in files] or None,
            )
        self._failures.append(failure)

    def part(
        self,
        part_type: str,
        part_number: str,
        serial_number: str,
        revision: str | None = None,
        *,
        position: int | None = None,
    ) -> "RepairedUnit":
        """Add a serialised part of this unit.

        Args:
            part_type: category such as ``PCBA``, at most 50 characters.
            part_number: of the part.
            serial_number: of the part.
            revision: of the part.
            position: in the unit, 16 bits.
        """
        return self._repair.add_unit(
            serial_number,
            parent_idx=self.idx,
            part_type=part_type,
            pn=part_number,
            rev=revision,
            position=position,
        )

    def replaced_by(self, other: "RepairedUnit") -> None:
        """Say which part of the same repair took this one's place."""
        if other is self:
            raise ReportError(self.place, "cannot be replaced by itself")
        self._unit = self._unit.model_copy(update={"replaced_idx": other.idx})

    def as_sub_unit(self) -> SubUnit:
        """The unit as the report carries it."""
        return self._unit.model_copy(update={"failures": self._failures or None})


class UurBuilder:
    """Builds the report of one repair of one unit.

    ::

        repair = UurBuilder.of(failed, process=500, station="REP-1", location="Line 1", operator="ann")
        repair.unit.failure("Component", "Missing", component="C12", step="Power/3V3")
        await api.report.submit(repair.build())

    Attributes:
        unit: the repaired unit itself.
    """

    def __init__(
        self,
        part_number: str,
        serial_number: str,
        revision: str,
        *,
        process: int | Process,
        test_process: int | Process,
        station: str,
        location: str,
        purpose: str = "Repair",
        failed_test: UUID | None = None,
        operator: str | None = None,
        start: datetime | None = None,
        duration: float | None = None,
        report_id: UUID | None = None,
        comment: str | None = None,
        part_type: str = "Main",
        confirmed: datetime | None = None,
        finalized: datetime | None = None,
        part_of: UUID | None = None,
        fail_codes: FailCodes | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Begin a report. Texts hold 100 characters where nothing else is said.

        Args:
            part_number: of the unit.
            serial_number: of the unit.
            revision: of the unit.
            process: code of the repair operation, or what `api.process.get_repair_operation` gave.
            test_process: the test operation the unit failed in.
            station: where it was repaired.
            location: line or hall.
            purpose: normally ``Repair``.
            failed_test: id of the report that showed the failure.
            operator: who repairs.
            start: when the repair began, with offset and cut to milliseconds; left out, now.
            duration: seconds.
            report_id: left out, made from unit, operation and start.
            comment: at most 5000 characters.
            part_type: category of the unit itself.
            confirmed: when the failure was confirmed, with offset.
            finalized: when the repair was done, with offset.
            part_of: id of the repair that this one is a part of.
            fail_codes: category to codes of the repair operation; given, failures are checked against it.
            now: the clock.

        Raises:
            ReportError: the server would refuse it.
        """
        self._header = Header(
            kind="R",
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
        self._fail_codes = fail_codes
        self._steps: dict[str, int] | None = None
        with naming(self._header.place):
            self._info = UurInfo(
                process_code=operation_code(test_process, self._header.place, "test"),
                ref_uut=failed_test,
                user=operator,
                exec_time=duration,
                comment=comment,
                confirm_date=confirmed,
                finalize_date=finalized,
                parent=part_of,
            )
        self._units: list[RepairedUnit] = []
        self._files: list[FileData] = []
        self.unit = self.add_unit(serial_number, part_type=part_type, pn=part_number, rev=revision)

    @classmethod
    def of(
        cls,
        failed: Report,
        *,
        process: int | Process,
        station: str,
        location: str,
        purpose: str = "Repair",
        operator: str | None = None,
        start: datetime | None = None,
        duration: float | None = None,
        comment: str | None = None,
        fail_codes: FailCodes | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> Self:
        """Begin the repair of a unit from the test it failed; steps can then be named by their path.

        Args:
            failed: the test report, as it was built or as the server gave it.
            process: code of the repair operation, or what `api.process.get_repair_operation` gave.
            station: where it was repaired.
            location: line or hall.
            purpose: normally ``Repair``.
            operator: who repairs.
            start: when the repair began, with offset and cut to milliseconds; left out, now.
            duration: seconds.
            comment: at most 5000 characters.
            fail_codes: category to codes of the repair operation; given, failures are checked against it.
            now: the clock.

        Raises:
            ReportError: the report is no test, or the server would refuse the repair.
        """
        if failed.type is not ReportType.TEST or failed.root is None:
            raise ReportError(f'report of "{failed.sn}"', "is no test, so it shows no failure to repair")
        repair = cls(
            failed.pn,
            failed.sn,
            failed.rev,
            process=process,
            test_process=failed.process_code,
            station=station,
            location=location,
            purpose=purpose,
            failed_test=failed.id,
            operator=operator,
            start=start,
            duration=duration,
            comment=comment,
            fail_codes=fail_codes,
            now=now,
        )
        root = failed.root
        repair._steps = {}  # its own object
        for number, (path, step) in enumerate(root.walk()):
            # What is sent is numbered in this order; what the server gave has its numbers already.
            known = number if step.id is None else step.id
            repair._steps.setdefault(path.removeprefix(f"{root.name}/"), known)
        return repair

    def attach(
        self, source: bytes | Path, *, file_name: str | None = None, content_type: str | None = None
    ) -> None:
        """Add a file to the report.

        Args:
            source: its bytes, or where it is; keep files below some megabytes.
            file_name: left out, that of the path, or ``attachment``.
            content_type: MIME type; left out, guessed from the file's name.

        Raises:
            OSError: the file cannot be read.
            ReportError: the server would refuse it.
        """
        content = file_content(source, file_name=file_name, content_type=content_type)
        with naming(f'{self._header.place}, file "{content.name}"'):
            self._files.append(FileData(**content._asdict()))

    def misc(self, description: str, text: str) -> None:
        """Add what people search by; the repair operation may name the descriptions it takes.

        Args:
            description: at most 100 characters.
            text: at most 100 characters.
        """
        self._header.misc(description, text)

    def asset(self, serial_number: str, count: int = 1) -> None:
        """Add an asset the repair used. Its counts rise by `count` if it is registered.

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

    def build(self) -> Report:
        """The report as it stands now, complete and checked. The result of a repair is always P.

        Raises:
            ReportError: the server would refuse the report, or its start lies in the future.
        """
        return self._header.report(
            result=ReportResult.PASSED,
            uur=self._info,
            sub_units=[unit.as_sub_unit() for unit in self._units],
            binary_data=self._files or None,
        )

    def add_unit(self, serial_number: str, **members: Any) -> RepairedUnit:
        """Add a unit with the members of a `SubUnit`; see `RepairedUnit.part`."""
        place = f'{self._header.place}, unit "{serial_number}"'
        with naming(place):
            unit = SubUnit(sn=serial_number, idx=len(self._units), **members)
        added = RepairedUnit(self, unit, place)
        self._units.append(added)
        return added

    def check_code(self, place: str, category: str, code: str) -> None:
        """Refuse a failure that the repair operation does not know, as far as its codes were given."""
        if self._fail_codes is None:
            return
        codes = self._fail_codes.get(category)
        if codes is None:
            raise ReportError(place, f"Category must be a valid value: {', '.join(sorted(self._fail_codes))}")
        if code not in codes:
            raise ReportError(place, f"Code must be a valid value: {', '.join(sorted(codes))}")

    def step_id(self, place: str, step: str | int | None) -> int | None:
        """The number of a step of the failed test."""
        if step is None or isinstance(step, int):
            return step
        if self._steps is None:
            raise ReportError(
                place,
                f'step "{step}" can be named only where the test is known: use UurBuilder.of, or its number',
            )
        if step not in self._steps:
            raise ReportError(place, f'the failed test has no step "{step}"')
        return self._steps[step]


def _file_data(item: bytes | Path | FileContent) -> FileData:
    content = item if isinstance(item, FileContent) else file_content(item)
    return FileData(**content._asdict())
