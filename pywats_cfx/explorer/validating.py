"""``--validate``: what is wrong with the messages in files, and where."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic_core import from_json, to_json
from rich.padding import Padding
from rich.text import Text

from pywats_cfx.adapter import cfx_adapter
from pywats_cfx.codec import FIELDS_BY_LOWER, decode_each
from pywats_cfx.envelope import ZERO_GUID, CFXEnvelope
from pywats_cfx.errors import CFXDecodeError
from pywats_cfx.explorer.bodies import check_body
from pywats_cfx.explorer.content import Content, unpacked
from pywats_cfx.explorer.entries import kind_of, nearest
from pywats_cfx.explorer.findings import Finding, Findings, Severity
from pywats_cfx.explorer.oddities import oddity, shown
from pywats_cfx.explorer.refusal import FAILED
from pywats_cfx.explorer.screen import Screen, clean
from pywats_cfx.messages.declared import Declared
from pywats_cfx.messages.registry import NAMES, right_name
from pywats_cfx.messages.structure import short_type
from pywats_events.message import RawMessage, Unreadable

#: Fields that an envelope should have, and what is lost without them.
_NEEDED: Final = {
    "TimeStamp": "the time of arrival is taken for the time when it happened; set it",
    "UniqueID": "a repeat is only known by its content; give each message a guid of its own",
    "Source": "nobody knows who sent it; set it to the sender's CFX handle",
    "Version": "say which edition of CFX the sender has, 2.1 for instance",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in one file.

    Attributes:
        name: of the file.
        messages: how many it holds.
        findings: what is wrong.
    """

    name: str
    messages: int
    findings: Findings


def validate(screen: Screen, contents: Iterable[Content], *, bare: bool, as_json: bool) -> int:
    """Say what is wrong with the messages in files; give the exit code.

    Args:
        screen: where to.
        contents: the files.
        bare: they hold bodies alone, so nothing is said of their envelopes.
        as_json: for programs.
    """
    reports = []
    for content in contents:
        report = check(content, bare=bare)
        reports.append(report)
        if not as_json:
            _show(screen, report)
    errors, warnings = (
        sum(report.findings.number(severity) for report in reports)
        for severity in (Severity.ERROR, Severity.WARNING)
    )
    if as_json:
        screen.json({"files": [_document(each) for each in reports], "errors": errors, "warnings": warnings})
    elif len(reports) > 1:
        screen.line(
            f"{len(reports)} files, {sum(each.messages for each in reports)} messages: "
            f"{_number(errors, 'error')}, {_number(warnings, 'warning')}"
        )
    return FAILED if errors else 0


def check(content: Content, *, bare: bool = False) -> Report:
    """Find what is wrong with the messages in a file."""
    findings = Findings()
    try:
        outcomes = decode_each(content.body)
    except CFXDecodeError as error:
        findings.error(
            error.path, error.reason, "it must be one envelope in JSON, or a list of them; gzip or not"
        )
        return Report(content.name, 0, findings)
    document = from_json(unpacked(content.body).strip())
    items = document if isinstance(document, list) else [document]
    for index, (item, outcome) in enumerate(zip(items, outcomes, strict=True)):
        findings.of(outcome.message_name, index)
        if isinstance(outcome, CFXDecodeError):
            _unreadable(item, outcome, findings)
            continue
        if not bare:
            _check_envelope(item, outcome, findings)
        _check_message(outcome, index, findings, bare=bare)
    return Report(content.name, len(outcomes), findings)


def _unreadable(item: Any, error: CFXDecodeError, findings: Findings) -> None:
    advice = "write it as the standard does: MessageName, TimeStamp, UniqueID, Source, MessageBody"
    if isinstance(item, dict) and not any(name.lower() in FIELDS_BY_LOWER for name in item):
        advice = "if it is the body of a message alone, say of which: --message NAME"
    findings.error(error.path, error.reason, advice)


def _check_envelope(item: Mapping[str, Any], envelope: CFXEnvelope, findings: Findings) -> None:
    for name in item:
        right = FIELDS_BY_LOWER.get(name.lower())
        if right is None:
            findings.warning(
                name, "the envelope has no such field; kept as it is", "take it out, if nobody needs it"
            )
        elif right != name:
            findings.warning(name, "the standard spells this field in another case", f"write {right}")
    said = {FIELDS_BY_LOWER.get(name.lower(), name): value for name, value in item.items()}
    _check_name(said.get("MessageName"), envelope, findings)
    for name, why in _NEEDED.items():
        if said.get(name) in (None, "", ZERO_GUID) or (name == "TimeStamp" and envelope.time_stamp is None):
            findings.warning(name, "is missing or empty", why)
        elif name in _PLAIN and (odd := oddity(_PLAIN[name], said[name])) is not None:
            findings.warning(name, odd.problem, odd.advice)
    if kind_of(envelope.message_name) != "event" and not envelope.request_id:
        findings.warning("RequestID", "is missing or empty", "set it: a response is known by its request's")
    if said.get("MessageBody") is None:
        findings.warning("MessageBody", "is missing or empty", "write the message's fields in it")


_PLAIN: Final = {
    "TimeStamp": Declared("", "TimeStamp", datetime),
    "UniqueID": Declared("", "UniqueID", str, unset=ZERO_GUID),
    "Source": Declared("", "Source", str),
    "Version": Declared("", "Version", str),
}


def _check_name(said: Any, envelope: CFXEnvelope, findings: Findings) -> None:
    name, label = envelope.message_name, short_type(envelope.body.get("$type"))
    if not said:
        findings.warning("MessageName", f"is missing: taken from $type as {shown(name)}", f"write {name}")
    elif said != name:
        findings.warning("MessageName", f"{shown(said)} is read as {shown(name)}", f"write {name}")
    if label is not None and label != name:
        findings.warning(
            "MessageBody.$type",
            f"{shown(label)} is not what the envelope says it is ({shown(name)})",
            f'write "{name}, CFX", or mend MessageName',
        )
    if name not in NAMES:
        alike = nearest(name)
        hint = (
            f"did you mean {' or '.join(right for each in alike for right in _full(each))}?" if alike else ""
        )
        findings.warning(
            "MessageName",
            f"{shown(name)} is no message of the standard: it travels as it is",
            hint or "a vendor's own message needs a handler of its own",
        )


def _full(short: str) -> list[str]:
    return [name for name in NAMES if name.endswith(f".{short}")]


def _check_message(envelope: CFXEnvelope, index: int, findings: Findings, *, bare: bool) -> None:
    name = right_name(envelope.message_name)
    if name is None:
        return
    check_body(name, envelope.body, findings, under="" if bare else "MessageBody")
    if findings.has_error_in(index):
        return
    raw = RawMessage(to_json({"MessageName": name, "MessageBody": envelope.body}, inf_nan_mode="strings"))
    for made in cfx_adapter(raw):
        if isinstance(made, Unreadable):
            path, problem = _taken_apart(made.reason)
            findings.error(
                path.removeprefix("MessageBody.") if bare else path,
                problem,
                "say it, or the bridge keeps the message as a dead letter",
            )


def _taken_apart(reason: str) -> tuple[str, str]:
    """Give the path in a reason, and what follows it."""
    match = re.search(r": (MessageBody\S*?):? (.+)", reason)
    return (match[1], match[2]) if match else ("", reason)


# --- what is shown


_COLOURS: Final = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


def _show(screen: Screen, report: Report) -> None:
    findings = report.findings
    errors, warnings = findings.number(Severity.ERROR), findings.number(Severity.WARNING)
    told = f"{clean(report.name)}: {_number(report.messages, 'message')}, "
    told += (
        f"{_number(errors, 'error')}, {_number(warnings, 'warning')}" if errors or warnings else "all is well"
    )
    screen.line(Text(told, style="bold"))
    heading = None
    for finding in sorted(findings.all, key=lambda each: (each.index, each.severity is Severity.WARNING)):
        if report.messages > 1 and heading != (finding.index, finding.message):
            heading = (finding.index, finding.message)
            screen.line(Text(clean(f"  [{finding.index}] {finding.message or 'envelope'}"), style="cyan"))
        _show_finding(screen, finding)
    if findings.cut_short:
        screen.line("  and more, which is not told")


def _show_finding(screen: Screen, finding: Finding) -> None:
    more = f" (and {finding.count - 1} more like it)" if finding.count > 1 else ""
    path, problem = clean(finding.path or "(the whole)"), clean(finding.problem)
    advice = clean(finding.advice)
    if screen.is_terminal:
        told = Text.assemble(
            (f"{finding.severity.value:8}", _COLOURS[finding.severity]), (path, "bold"), (more, "dim")
        )
        screen.show(Padding(told, (0, 0, 0, 2)), Padding(Text(problem), (0, 0, 0, 10)))
        screen.show(Padding(Text(f"→ {advice}", style="dim"), (0, 0, 0, 10)))
    else:
        screen.plain(f"  {finding.severity.value}: {path}: {problem}; {advice}{more}")


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _document(report: Report) -> dict[str, Any]:
    return {
        "file": report.name,
        "messages": report.messages,
        "errors": report.findings.number(Severity.ERROR),
        "warnings": report.findings.number(Severity.WARNING),
        "cut_short": report.findings.cut_short,
        "findings": [
            {
                "severity": each.severity.value,
                "index": each.index,
                "message": each.message,
                "path": each.path,
                "problem": each.problem,
                "advice": each.advice,
                "count": each.count,
            }
            for each in report.findings.all
        ],
    }
