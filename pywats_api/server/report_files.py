"""The files in a stored report: those of its steps, of its failures, and of a repair as a whole."""

import io
import zipfile
from base64 import b64decode
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from pywats_api.server.rules import walk_steps


class StoredFile(NamedTuple):
    """One file, addressed by its step in a test and by its id in a repair."""

    name: str
    content_type: str
    content: bytes
    step_id: int | None = None
    attachment_id: str | None = None


def name_files(report: dict[str, Any], uuid: str) -> None:
    """Give each file of a repair the id that it is fetched by, where its sender gave none."""
    for path, data in _of_repair(report):
        data["id"] = str(UUID(data["id"])) if data.get("id") else str(uuid5(UUID(uuid), path))


def files_of(report: Mapping[str, Any], uuid: str) -> Iterator[StoredFile]:
    """All files of a report in the order of the report."""
    if report.get("root") is not None:
        for number, (_, step) in enumerate(walk_steps("$.root", report["root"])):
            data = step.get("attachment")
            if data is not None:
                step_id = number if step.get("id") is None else step["id"]
                yield _file(data, step_id=step_id)
    for path, data in _of_repair(report):
        yield _file(
            data, attachment_id=str(UUID(data["id"])) if data.get("id") else str(uuid5(UUID(uuid), path))
        )


def zipped(files: Iterator[StoredFile]) -> bytes:
    """The files as one archive. Equal names are told apart, and no name leads out of the archive."""
    target = io.BytesIO()
    taken: set[str] = set()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            plain = PurePath(file.name.replace("\\", "/")).name or "file"
            name, number = plain, 1
            while name in taken:
                number += 1
                name = f"{number}-{plain}"
            taken.add(name)
            archive.writestr(name, file.content)
    return target.getvalue()


def _of_repair(report: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, data in enumerate(report.get("binaryData") or ()):
        yield f"binaryData/{number}", data
    for position, unit in enumerate(report.get("subUnits") or ()):
        for number, failure in enumerate(unit.get("failures") or ()):
            for file_number, data in enumerate(failure.get("attachments") or ()):
                yield f"subUnits/{position}/{number}/{file_number}", data


def _file(data: Mapping[str, Any], **address: Any) -> StoredFile:
    return StoredFile(data["name"], data["contentType"], b64decode(data.get("data") or ""), **address)
