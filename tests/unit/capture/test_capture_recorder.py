"""The recorder: what is acknowledged is in the file, whatever happens to the disk."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pywats_events.journal import JournalError
from pywats_events.message import RawMessage
from pywats_events.transports import MockTransport
from pywats_events.transports.capture import CaptureError, Recorder, survey

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def message(number: int, *, body: bytes | None = None, ack=None) -> RawMessage:
    made = RawMessage(
        body=b'{"n": %d}' % number if body is None else body,
        transport="test",
        address=f"line/{number}",
        received_at=START,
    )
    if ack is not None:
        made.ack = ack
    return made


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


async def test_each_transport_can_be_recorded(tmp_path):
    """The recorder stands where the bus stands."""
    path = tmp_path / "line.jsonl"
    transport = MockTransport(name="line")
    said: list[str] = []
    async with Recorder(path, by="test 1.0", say=said.append) as recorder:
        await transport.start(recorder)
        await transport.inject_message_async(RawMessage(body=b"one", address="a"))
        await transport.inject_message_async(RawMessage(body=b"\xff", address="b", content_encoding="gzip"))
        await transport.stop()
        assert recorder.messages == 2
    head, first, second = lines(path)
    assert (head["capture"], head["by"]) == (1, "test 1.0")
    assert (first["transport"], first["address"], first["text"]) == ("line", "a", "one")
    assert (second["content_encoding"], second["base64"]) == ("gzip", "/w==")
    assert said == ["line: records from in process"]


async def test_acknowledged_means_in_the_file(tmp_path):
    """At the moment of the acknowledgement the whole line is there."""
    path = tmp_path / "line.jsonl"
    seen: list[list[str]] = []

    async def ack() -> None:
        seen.append([line["address"] for line in lines(path)[1:]])

    async with Recorder(path) as recorder:
        await recorder.receive(message(1, ack=ack))
        await recorder.receive(message(2, ack=ack))
    assert seen == [["line/1"], ["line/1", "line/2"]]


async def test_many_at_a_time_keep_their_order(tmp_path):
    """They share the writing; none is lost."""
    path = tmp_path / "line.jsonl"
    async with Recorder(path) as recorder:
        await asyncio.gather(*(recorder.receive(message(number)) for number in range(500)))
    assert [line["address"] for line in lines(path)[1:]] == [f"line/{number}" for number in range(500)]


async def test_it_takes_so_many_and_no_more(tmp_path):
    """With a count the rest stays with its source, unacknowledged."""
    path = tmp_path / "line.jsonl"
    acknowledged: list[int] = []

    async def ack() -> None:
        acknowledged.append(1)

    async with Recorder(path, count=3) as recorder:
        answers = await asyncio.gather(
            *(recorder.receive(message(number, ack=ack)) for number in range(5)), return_exceptions=True
        )
        assert await recorder.over() == "count"
        with pytest.raises(JournalError, match="the recording is over"):
            await recorder.receive(message(9))
    assert [type(each) for each in answers] == [type(None)] * 3 + [JournalError] * 2
    assert (len(acknowledged), len(lines(path))) == (3, 4)


async def test_the_file_is_bounded(tmp_path):
    """At its size the recording is over; what came before is whole."""
    path = tmp_path / "line.jsonl"
    async with Recorder(path, max_bytes=5000) as recorder:
        answers = [
            await asyncio.gather(recorder.receive(message(n, body=b"x" * 500)), return_exceptions=True)
            for n in range(20)
        ]
        assert [type(each) for (each,) in answers].count(type(None)) == recorder.messages
        assert await recorder.over() == "size"
    assert survey(path).messages["test"] == recorder.messages < 12
    assert path.stat().st_size == recorder.size < 6000


async def test_a_file_that_is_there_is_not_written_over(tmp_path):
    """It says what to do; with append it goes on under the same head."""
    path = tmp_path / "line.jsonl"
    async with Recorder(path) as recorder:
        await recorder.receive(message(1))
    with pytest.raises(CaptureError, match="is there already; name another file, or add to it with --append"):
        async with Recorder(path):
            pass
    async with Recorder(path, append=True) as recorder:
        await recorder.receive(message(2))
        assert recorder.size == path.stat().st_size
    assert [line.get("address") for line in lines(path)] == [None, "line/1", "line/2"]


async def test_to_append_makes_a_new_file_where_there_is_none(tmp_path):
    """A service that always appends needs no first time."""
    path = tmp_path / "line.jsonl"
    async with Recorder(path, append=True) as recorder:
        await recorder.receive(message(1))
    assert survey(path).messages["test"] == 1


async def test_a_line_that_a_crash_cut_off_stays_one_line(tmp_path):
    """What is appended begins on a line of its own; the damage is told by its number."""
    path = tmp_path / "line.jsonl"
    async with Recorder(path) as recorder:
        await recorder.receive(message(1))
    with path.open("ab") as file:
        file.write(b'{"received": "2026-')
    async with Recorder(path, append=True) as recorder:
        await recorder.receive(message(2))
    found = survey(path)
    assert (found.messages["test"], [damage.line for damage in found.damages]) == (2, [3])


async def test_nothing_is_appended_to_another_file(tmp_path):
    """A log or a configuration is not spoilt by a slip of the pen."""
    path = tmp_path / "bridge.toml"
    path.write_text("[wats]\n")
    with pytest.raises(CaptureError, match="is no capture of form 1"):
        async with Recorder(path, append=True):
            pass
    assert path.read_text() == "[wats]\n"


async def test_a_folder_that_is_missing_is_one_line(tmp_path):
    """The reason of the system, with the file's name."""
    with pytest.raises(CaptureError, match=r"no/line.jsonl: can't be written: No such file or directory"):
        async with Recorder(tmp_path / "no" / "line.jsonl"):
            pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
async def test_a_disk_that_is_full_from_the_start_is_one_line():
    """Not even the head finds room; nothing is begun."""
    with pytest.raises(CaptureError, match="/dev/full: can't be written: No space left on device"):
        async with Recorder(Path("/dev/full"), append=True):
            pass


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
async def test_a_capture_is_for_its_owner_only(tmp_path):
    """It holds serial numbers, names of operators, whatever machines say."""
    path = tmp_path / "line.jsonl"
    async with Recorder(path):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_full_disk_ends_the_recording_with_whole_lines(tmp_path, monkeypatch):
    """The message that found no room is refused and not acknowledged, and no half line stays."""
    path = tmp_path / "line.jsonl"
    acknowledged: list[int] = []

    async def ack() -> None:
        acknowledged.append(1)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with Recorder(path) as recorder:
        await recorder.receive(message(1, ack=ack))
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(JournalError, match="No space left on device"):
            await recorder.receive(message(2, ack=ack))
        with pytest.raises(CaptureError, match=r"line.jsonl: can't be written: No space left on device"):
            await recorder.over()
    assert (len(acknowledged), survey(path).messages["test"], survey(path).damaged) == (1, 1, 0)


async def test_what_no_line_can_hold_is_counted_and_not_asked_for_again(tmp_path, monkeypatch):
    """A message that would come again for ever is acknowledged, and named in the log."""
    monkeypatch.setattr("pywats_events.transports.capture.recorder.MOST_BYTES_OF_A_LINE", 1000)
    path = tmp_path / "line.jsonl"
    async with Recorder(path) as recorder:
        await recorder.receive(message(1, body=b"x" * 2000))
        await recorder.receive(message(2))
    assert (recorder.left_out, recorder.messages) == (1, 1)
