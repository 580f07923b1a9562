"""Symptoms, defects and their images."""

import base64

import pytest
from shopfloor import a_test, built, inspection, number, result, steps, wire

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"x" * 40).decode()


def picture(**said):
    return {"mime_type": "image/jpg", "data": PNG, **said}


def with_defects(*defects, **said):
    return inspection(a_test("I1", "failed", defects=list(defects), **said), result="failed")


async def test_a_defect_is_a_failed_step():
    """A defect has a step of its own: named by code and designator, with everything that was said of it."""
    report = await wire(
        with_defects(
            {
                "id": "53c7d9e7",
                "code": "ISFSLD112",
                "category": "Solder Problems",
                "description": "Insufficient solder",
                "comments": "Lead 1",
                "designator": "R22.1",
                "part_number": "11123-8897",
                "region": {"x": 0.5, "segments": [{"x": 1.0}]},
                "priority": 1,
                "confidence": 99.5,
                "symptoms": [{"code": "S1", "description": "dull"}],
            }
        )
    )
    step = steps(report)["ISFSLD112 R22.1"]
    assert (step["stepType"], step["status"], step["booleanMeas"]) == ("ET_PFT", "F", [{"status": "F"}])
    assert step["errorMessage"] == "ISFSLD112 Insufficient solder"
    assert step["reportText"].splitlines() == [
        "Defect: ISFSLD112 Insufficient solder at R22.1 (Lead 1)",
        "Symptom: S1 dull",
    ]
    said = {prop["name"] for prop in step["additionalResults"][0]["props"]}
    assert {"code", "category", "part_number", "region", "confidence"} <= said
    assert step["additionalResults"][1]["name"] == "Symptom 1"


async def test_equal_defects_keep_apart():
    """Two defects of one name get stable numbers."""
    report = await wire(with_defects({"code": "D", "designator": "R1"}, {"code": "D", "designator": "R1"}))
    assert list(steps(report)) == ["I1", "D R1", "D R1 #2"]


@pytest.mark.parametrize(("code", "number_sent"), [("4711", 4711), ("E4711", None), ("99999999999", None)])
async def test_numeric_codes(code, number_sent):
    """Only a code that is a number fits the report's number."""
    made = result(a_test("T1", "failed", symptoms=[{"code": code, "description": "x"}]), result="failed")
    report = await wire(made)
    assert steps(report)["T1"].get("errorCode") == report["uut"].get("errorCode") == number_sent


async def test_long_errors():
    """An error is cut where it must be short and kept in full in the text."""
    report = await wire(result(a_test("T1", "error", error="e" * 300), result="error"))
    step = steps(report)["T1"]
    assert step["errorMessage"] == report["uut"]["errorMessage"] == "e" * 200
    assert "e" * 300 in step["reportText"]


async def test_images_are_attached():
    """Each image is the attachment of a step of its own."""
    report = await wire(
        with_defects(
            {"code": "D/1", "images": [picture(), picture(mime_type=None), picture(mime_type="x/y")]}
        )
    )
    attachments = [steps(report)[f"D/1 image {count}"]["attachment"] for count in (1, 2, 3)]
    assert [(one["name"], one["contentType"]) for one in attachments] == [
        ("D_1-1.jpg", "image/jpeg"),
        ("D_1-2.png", "image/png"),
        ("D_1-3.bin", "x/y"),
    ]
    assert attachments[0]["data"] == PNG


@pytest.mark.parametrize(
    ("images", "caps", "expected"),
    [
        ([picture()] * 3, {"max_count": 2}, "Image 3 of 3: left out: a report takes 2 images"),
        ([picture()] * 2, {"max_bytes": 60}, "Image 2 of 2: left out: 48 bytes more than the 60"),
        ([picture(data="@@@@")], {}, "Image 1 of 1: left out: not base64"),
        ([picture(data=None, url="https://aoi/1.png")], {}, "Image 1 of 1: at https://aoi/1.png"),
        ([picture(data=None)], {}, "Image 1 of 1: without data"),
    ],
)
async def test_images_that_are_not_attached(images, caps, expected):
    """What is left out is named; an address from a message is never fetched."""
    done = await built(with_defects({"code": "D", "images": images}), report={"images": caps})
    report = done.report.to_wire()
    assert expected in steps(report)["D"]["reportText"]
    assert ("1 images were left out." in done.notes) == ("left out" in expected)


async def test_measurements_of_a_defect():
    """What was measured at a defect stands beside it, but not twice."""
    shared, own = number(1, "A", id="m1"), number(2, "B", id="m2")
    made = inspection(
        a_test("I1", "failed", shared, defects=[{"code": "D", "measurements": [shared, own]}]),
        result="failed",
    )
    assert list(steps(await wire(made))) == ["I1", "A", "D", "B"]


async def test_texts_of_a_test():
    """Procedure, comments, error and symptoms of a test can be read below its step."""
    made = result(
        a_test(
            "T1",
            "failed",
            procedure="P-7",
            comments="second try",
            error="short",
            symptoms=[{"code": "S1", "description": "hot", "designators": ["U1"], "comments": "smoke"}],
        ),
        result="failed",
    )
    assert steps(await wire(made))["T1"]["reportText"].splitlines() == [
        "Procedure: P-7",
        "Comments: second try",
        "Error: short",
        "Symptom: S1 hot at U1 (smoke)",
    ]


async def test_control_characters_are_taken_out_of_texts():
    """A stray control character in a comment does not lose the report."""
    report = await wire(result(a_test("T1", comments="a\x00b\x1fc\ud800")))
    assert steps(report)["T1"]["reportText"] == "Comments: abc"
