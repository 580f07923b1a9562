"""The certificate of a report: one page of PDF that says which unit passed or failed what."""

from collections.abc import Mapping
from typing import Any

_WORDS = {"P": "PASSED", "F": "FAILED", "E": "ERROR", "T": "TERMINATED"}

_PAGE = (
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
    b" /Resources << /Font << /F1 5 0 R >> >> >>"
)


def certificate(report: Mapping[str, Any], process_name: str | None) -> bytes:
    """A PDF that names unit, operation, station, start and result."""
    kind = "Test" if report["type"] == "T" else "Repair"
    lines = [
        f"{kind} certificate",
        f"Result: {_WORDS[report['result']]}",
        f"Serial number: {report['sn']}",
        f"Part number: {report['pn']} rev. {report['rev']}",
        f"Operation: {process_name or report['processCode']}",
        f"Station: {report['machineName']}, {report['location']}",
        f"Start: {report['start']}",
        f"Report: {report['id']}",
    ]
    shown = "\n".join(f"({_escaped(line)}) Tj 0 -28 Td" for line in lines)
    content = f"BT /F1 16 Tf 60 760 Td\n{shown}\nET".encode("cp1252", "replace")
    return _document(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            _PAGE,
            b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        ]
    )


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").replace("\n", " ")


def _document(objects: list[bytes]) -> bytes:
    body = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    return (
        body
        + b"xref\n0 %d\n0000000000 65535 f \n%b" % (count, table)
        + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, len(body))
    )
