"""Lines of the log: complete as JSON, readable as text, and of calls no more than their names."""

from __future__ import annotations

import json
import logging
from datetime import datetime

import pytest

from vsm_mcp.app.calllog import CallLog
from vsm_mcp.app.log import EventLog
from vsm_mcp.config import Log
from vsm_mcp.events import GaveUp, ServerCrashed, ServerStopped
from vsm_mcp.model.ending import Ending

NAMES = {"server": "a", "tool": "echo", "method": "tools/call", "client": "key:x", "trace": "4bf9"}


@pytest.fixture(autouse=True)
def as_it_was() -> object:
    root = logging.getLogger()
    level, handlers = root.level, [(each, each.formatter) for each in root.handlers]
    yield
    root.setLevel(level)
    for each, formatter in handlers:
        each.setFormatter(formatter)


def test_every_line_for_machines_says_when_how_bad_and_what(capsys: pytest.CaptureFixture[str]) -> None:
    log = EventLog(Log(format="json"))
    log(ServerCrashed(server="ä\nb", reason='it "ended"'))
    log(GaveUp(server="a", reason="too often"))
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["level"], first["event"], first["server"], first["reason"]) == (
        "warning", "ServerCrashed", "ä\nb", 'it "ended"',
    )  # fmt: skip
    assert second["level"] == "error"
    assert datetime.fromisoformat(first["time"]).timestamp() == pytest.approx(first["at"], abs=0.002)


def test_what_libraries_say_has_the_same_form() -> None:
    from vsm_mcp.app.log import JsonLines

    record = logging.LogRecord("asyncio", logging.ERROR, __file__, 1, "a %s\nb", ("thing",), None)
    said = json.loads(JsonLines().format(record))
    assert (said["level"], said["event"], said["logger"], said["message"]) == ("error", "Log", "asyncio", "a thing\nb")


def test_text_is_one_line_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    EventLog(Log(format="text"))(ServerStopped(server="a", reason="it was\nasked"))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith('info    ServerStopped server=a reason="it was\\nasked"')


@pytest.mark.parametrize(
    ("calls", "level", "written"),
    [
        ("all", "info", ["answered", "tool_error"]),
        ("failed", "info", ["tool_error"]),
        ("all", "warning", ["tool_error"]),
        ("all", "error", []),
    ],
)
def test_calls_are_written_as_the_settings_ask(
    calls: str, level: str, written: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    log = CallLog(Log(format="json", calls=calls, level=level))
    log.ended(NAMES, Ending.ANSWERED, 0.0123)
    log.ended(NAMES, Ending.TOOL_ERROR, 0.5)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["ending"] for line in lines] == written
    for line in lines:
        assert set(line) == {"time", "at", "level", "event", "ending", "ms", *NAMES}
        assert line.items() >= NAMES.items()
