"""One report as a page: its steps with limits and colours, its repairs, its files."""

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any, NamedTuple

from pywats_api.server.report_chart import chart_svg
from pywats_api.server.report_files import StoredFile, files_of

WORDS = {
    "P": "Passed",
    "F": "Failed",
    "S": "Skipped",
    "E": "Error",
    "T": "Terminated",
    "D": "Done",
    "U": "Unknown",
}
_SIGNS = {"EQ": "=", "NE": "≠", "GT": ">", "GE": "≥", "LT": "<", "LE": "≤"}
# What a browser draws without being able to run anything in it.
_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})


class Around(NamedTuple):
    """What is known of a report beside itself.

    Attributes:
        process_names: code of each operation -> its name.
        failed: the test that a repair refers to, where it is stored.
        repairs: the repairs that refer to a test.
        others: the other reports of the unit, by their start.
    """

    process_names: Mapping[int, str]
    failed: Mapping[str, Any] | None
    repairs: list[Mapping[str, Any]]
    others: list[Mapping[str, Any]]


# Characters that turn the direction of all text after them: a name could hide what stands behind it.
_TURNING = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"), "\ufffd")


def shown(value: object) -> str:
    """Any value as text of a page, which cannot become markup, nor turn the text around it."""
    return escape(str(value).translate(_TURNING), quote=True)


def report_body(received: Mapping[str, Any], around: Around) -> str:
    """The content of the page of a report, given as `as_received` gives it."""
    report = received["body"]
    files = list(files_of(report, received["uuid"]))
    parts = [_facts(received, around)]
    if report.get("root"):
        parts.append(_tree(report["root"], files, received["uuid"]))
    if report.get("uur"):
        parts.append(_units(report, files, received["uuid"], around.failed))
    parts.extend([_misc(report), _assets(report), _history(around)])
    hidden = {"root", "binaryData"}
    rest = {
        name: value for name, value in report.items() if name not in hidden and value not in (None, [], {})
    }
    members = shown(json.dumps(rest, indent=1, ensure_ascii=False))
    parts.append(f"<details><summary>Members</summary><pre>{members}</pre></details>")
    return "".join(parts)


def report_link(received: Mapping[str, Any], process_names: Mapping[int, str]) -> str:
    """A link to a report that says what it was."""
    report = received["body"]
    operation = process_names.get(report["processCode"], report["processCode"])
    return (
        f'<a href="/reports/{shown(received["uuid"])}">{shown(operation)}, {shown(report["start"])}</a>'
        f" {status_of(report)}"
    )


def status_of(report: Mapping[str, Any]) -> str:
    """The result of a report in its colour; that of a repair is that it is one."""
    word = "Repair" if report["type"] == "R" else WORDS[report["result"]]
    return f'<span class="{shown(report["result"])}">{shown(word)}</span>'


def _facts(received: Mapping[str, Any], around: Around) -> str:
    report = received["body"]
    run = report.get("uut") or report.get("uur") or {}
    names = around.process_names
    program = (report.get("root") or {}).get("seqCall") or {}
    facts = {
        "Result": status_of(report),
        "Part": shown(f"{report['pn']} rev. {report['rev']}"),
        "Operation": shown(names.get(report["processCode"], report["processCode"])),
        "Station": shown(f"{report['machineName']}, {report['location']}, {report['purpose']}"),
        "Program": shown(" ".join(filter(None, [program.get("name"), program.get("version")]))),
        "Operator": shown(run.get("user") or ""),
        "Start": shown(report["start"]),
        "Duration": shown(_seconds(run.get("execTime"))),
        "Batch": shown(run.get("batchSN") or ""),
        "Fixture": shown(" ".join(str(part) for part in _fixture(run))),
        "Error": shown(" ".join(str(part) for part in _error(run))),
        "Comment": shown(run.get("comment") or ""),
        "Report id": shown(received["uuid"]),
        "Times received": shown(received["receiveCount"]),
        "Quarantined": shown(received["quarantined"] or ""),
    }
    if report["type"] == "R":
        tested = report["uur"]["processCode"]
        facts["Failed in"] = shown(names.get(tested, tested))
        facts["Failed test"] = _failed_test(report, around)
    listing = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items() if value)
    return f"<dl>{listing}</dl>"


def _seconds(duration: float | None) -> str:
    return "" if duration is None else f"{duration} s"


def _fixture(run: Mapping[str, Any]) -> Iterator[object]:
    if run.get("fixtureId"):
        yield run["fixtureId"]
    if run.get("testSocketIndex") is not None:
        yield f"socket {run['testSocketIndex']}"


def _error(run: Mapping[str, Any]) -> Iterator[object]:
    return (run[name] for name in ("errorCode", "errorMessage") if run.get(name) is not None)


def _failed_test(report: Mapping[str, Any], around: Around) -> str:
    if around.failed is not None:
        return report_link(around.failed, around.process_names)
    return f"{shown(report['uur']['refUUT'])} (not here)" if report["uur"].get("refUUT") else ""


def _tree(root: Mapping[str, Any], files: Iterable[StoredFile], uuid: str) -> str:
    by_step = {file.step_id: (number, file) for number, file in enumerate(files)}
    rows = "".join(_step_rows(root, by_step, uuid))
    head = "<tr><th>Step</th><th>Status</th><th>Value</th><th>Limits</th><th>Time</th><th>Text</th></tr>"
    return f"<h2>Steps</h2><table>{head}{rows}</table>"


def _step_rows(
    root: Mapping[str, Any], files: Mapping[int | None, tuple[int, StoredFile]], uuid: str
) -> Iterator[str]:
    waiting = [(root, 0)]
    count = 0
    while waiting:
        step, depth = waiting.pop()
        step_id = count if step.get("id") is None else step["id"]
        count += 1
        measurements = [
            measurement
            for kind in ("numericMeas", "stringMeas", "booleanMeas")
            for measurement in step.get(kind) or ()
        ]
        single = measurements[0] if len(measurements) == 1 else {}
        duration = _seconds(step.get("totTime"))
        yield _row(
            step["name"], step["status"], single, depth, text=_said(step), duration=duration, step_id=step_id
        )
        if not single:
            for measurement in measurements:
                yield _row(measurement["name"], measurement["status"], measurement, depth + 1)
        if step.get("chart"):
            yield _wide(chart_svg(step["chart"]), depth)
        if step.get("attachment") and step_id in files:
            yield _wide(_file(uuid, *files[step_id]), depth)
        waiting.extend((child, depth + 1) for child in reversed(step.get("steps") or ()))


def _said(step: Mapping[str, Any]) -> str:
    exit_code = (step.get("callExe") or {}).get("exitCode")
    popup = step.get("messagePopup") or {}
    lines = [
        step.get("errorMessage"),
        step.get("reportText"),
        f"Exit code {exit_code}" if exit_code is not None else None,
        f"Answer: {popup['response']}" if popup.get("response") else None,
        "First failure" if step.get("causedUUTFailure") and not step.get("steps") else None,
    ]
    return "\n".join(filter(None, lines))


def _row(
    name: str | None,
    status: str,
    measurement: Mapping[str, Any],
    depth: int,
    *,
    text: str = "",
    duration: str = "",
    step_id: int | None = None,
) -> str:
    value = " ".join(
        _plain(part) for part in (measurement.get("value"), measurement.get("unit")) if part is not None
    )
    judged = measurement.get("status", status)
    place = "" if step_id is None else f' id="step-{step_id}"'
    return (
        f'<tr{place}><td style="padding-left:{depth * 1.5 + 0.8:g}rem">{shown(name or "")}</td>'
        f'<td class="{shown(status)}">{shown(WORDS.get(status, status))}</td>'
        f'<td class="{shown(judged)}">{shown(value)}</td>'
        f'<td class="limits">{shown(limits_of(measurement))}</td>'
        f'<td class="number">{shown(duration)}</td><td class="said">{shown(text)}</td></tr>'
    )


def limits_of(measurement: Mapping[str, Any]) -> str:
    """What a measurement was held against, such as ``3.2 … 3.4``, ``≤ 5`` or ``< 1 or > 2``."""
    operator = str(measurement.get("compOp") or "").upper()
    low, high = measurement.get("lowLimit"), measurement.get("highLimit")
    if measurement.get("limit") is not None:
        return f"{'≠' if operator == 'NE' else '='} {measurement['limit']}" + (
            " (any case)" if operator == "IGNORECASE" else ""
        )
    if low is None:
        return ""
    if operator in _SIGNS:
        return f"{_SIGNS[operator]} {_plain(low)}"
    first, second = operator[:2], operator[2:]
    low, high = _plain(low), None if high is None else _plain(high)
    if first not in _SIGNS or second not in _SIGNS or high is None:
        return f"{operator} {low} … {high}"
    if operator == "GELE":
        return f"{low} … {high}"
    joined = "and" if first.startswith("G") else "or"
    return f"{_SIGNS[first]} {low} {joined} {_SIGNS[second]} {high}"


def _plain(value: object) -> str:
    """A number without the end that only tells its type."""
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _wide(content: str, depth: int) -> str:
    return f'<tr><td colspan="6" style="padding-left:{depth * 1.5 + 2.3:g}rem">{content}</td></tr>'


def _file(uuid: str, number: int, file: StoredFile) -> str:
    address = f"/reports/{shown(uuid)}/files/{number}"
    link = f'<a href="{address}">{shown(file.name)}</a> ({len(file.content)} bytes)'
    if file.content_type.lower() not in _IMAGES:
        return link
    return f'{link}<br><img src="{address}" alt="{shown(file.name)}" class="picture">'


def _units(
    report: Mapping[str, Any],
    files: list[StoredFile],
    uuid: str,
    failed: Mapping[str, Any] | None,
) -> str:
    steps = _step_names(failed["body"]) if failed else {}
    link = f"/reports/{shown(failed['uuid'])}" if failed else ""
    # `files_of` gives those of the repair first, then those of the failures, in this order.
    number = len(report.get("binaryData") or ())
    own = "".join(f"<p>{_file(uuid, index, files[index])}</p>" for index in range(number))
    rows = []
    for unit in report["subUnits"]:
        where = f"idx {unit['idx']}" + (
            f", in {unit['parentIdx']}" if unit.get("parentIdx") is not None else ""
        )
        replaced = f", replaced by {unit['replacedIdx']}" if unit.get("replacedIdx") is not None else ""
        named = f"{unit['partType']}: {unit['pn']} {unit.get('rev') or ''} {unit['sn']} ({where}{replaced})"
        rows.append(f'<tr><th colspan="6">{shown(named)}</th></tr>')
        for failure in unit.get("failures") or ():
            count = len(failure.get("attachments") or ())
            pictures = "<br>".join(_file(uuid, at, files[at]) for at in range(number, number + count))
            number += count
            step_id = failure.get("refStepId")
            step = shown(steps.get(step_id, "" if step_id is None else f"step {step_id}"))
            if step_id in steps:
                step = f'<a href="{link}#step-{step_id}">{step}</a>'
            article = " ".join(
                str(failure[name]) for name in ("artNumber", "artRev", "artVendor") if failure.get(name)
            )
            rows.append(
                f'<tr><td class="F">{shown(failure["category"])}: {shown(failure["code"])}</td>'
                f"<td>{shown(failure.get('comRef') or '')} {shown(failure.get('funcBlock') or '')}</td>"
                f'<td>{step}</td><td>{shown(article)}</td><td class="said">'
                f"{shown(failure.get('comment') or '')}</td><td>{pictures}</td></tr>"
            )
    head = "<tr><th>Failure</th><th>Component</th><th>Step</th><th>Article</th><th>Comment</th><th></th></tr>"
    return f"<h2>Repaired</h2>{own}<table>{head}{''.join(rows)}</table>"


def _step_names(report: Mapping[str, Any]) -> dict[int, str]:
    names: dict[int, str] = {}
    waiting = [(report["root"], "")] if report.get("root") else []
    count = 0
    while waiting:
        step, above = waiting.pop()
        names[count if step.get("id") is None else step["id"]] = above + step["name"]
        count += 1
        path = f"{above}{step['name']}/" if count > 1 else ""
        waiting.extend((child, path) for child in reversed(step.get("steps") or ()))
    return names


def _misc(report: Mapping[str, Any]) -> str:
    infos = report.get("miscInfos") or ()
    rows = "".join(
        f"<tr><td>{shown(info['description'])}</td>"
        f"<td>{shown(info['text'] if info.get('text') is not None else info.get('numeric'))}</td></tr>"
        for info in infos
    )
    parts = "" if report["type"] == "R" else "".join(map(_part, report.get("subUnits") or ()))
    misc = f"<h2>Misc info</h2><table>{rows}</table>" if rows else ""
    return misc + (f"<h2>Sub-units</h2><table>{parts}</table>" if parts else "")


def _part(unit: Mapping[str, Any]) -> str:
    cells = (unit["partType"], unit["pn"], unit.get("rev") or "", unit["sn"])
    return f"<tr>{''.join(f'<td>{shown(cell)}</td>' for cell in cells)}</tr>"


def _assets(report: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><td>{shown(use["assetSN"])}</td><td class="number">{shown(use.get("usageCount", 1))}</td></tr>'
        for use in report.get("assets") or ()
    )
    return f"<h2>Assets used</h2><table>{rows}</table>" if rows else ""


def _history(around: Around) -> str:
    names = around.process_names
    repairs = "".join(f"<li>{report_link(repair, names)}</li>" for repair in around.repairs)
    others = "".join(f"<li>{report_link(other, names)}</li>" for other in around.others)
    return (f"<h2>Repairs of this failure</h2><ul>{repairs}</ul>" if repairs else "") + (
        f"<h2>Other reports of this unit</h2><ul>{others}</ul>" if others else ""
    )
