"""How servers are, as programs and people are told."""

from __future__ import annotations

from vsm_mcp.app.conditions import UNKNOWN, brief, closely, doctor_rows
from vsm_mcp.cli.health_text import ailment, health_lines
from vsm_mcp.health.check import Condition, Reading
from vsm_mcp.health.file import File
from vsm_mcp.health.ladder import ESCALATE
from vsm_mcp.health.remedy import Done
from vsm_mcp.health.trend import Trend
from vsm_mcp.model.finding import CheckStatus
from vsm_mcp.model.health_settings import HealthSettings
from vsm_mcp.runtime.start_limit import Held

SETTINGS = HealthSettings()
CALM = Held(per_minute=120, at_once=30)
SILENT = Reading(status=CheckStatus.FAIL, detail="no answer", severity=Condition.FAILING, looked_at=1)


def sick() -> File:
    file = File()
    for number in range(3):
        file.look({"connectivity": SILENT}, 1000.0 + number, SETTINGS)
    file.try_("soft_restart", 1010.0)
    file.failed("it does not end when it is asked to", 1011.0)
    return file


def shown(file: File) -> dict[str, object]:
    return brief(file) | closely(file, SETTINGS.remedies)


def test_the_same_fields_of_everybody() -> None:
    assert brief(None).keys() == brief(File()).keys() == UNKNOWN.keys()
    assert closely(None, ()).keys() == closely(File(), ()).keys()
    assert ailment(brief(None)) == ailment(brief(File())) == ailment(None) == ""
    assert list(health_lines(shown(File()))) == ["healthy"]
    assert "nobody looks" in next(health_lines(brief(None) | closely(None, ())))


def test_a_sick_one() -> None:
    found = shown(sick())
    assert (found["state"], found["reason"], found["attempts"]) == ("failing", "connectivity: no answer", 1)
    lines = list(health_lines(found))
    assert "connectivity  fail        [         xxx] no answer" in lines
    assert any(line.startswith("soft_restart  failed") and line.endswith("asked to") for line in lines)
    assert "hard_restart  -" in lines
    assert ailment(found) == "failing: connectivity: no answer; soft_restart failed"
    assert doctor_rows({"a": sick()}, CALM) == []


def test_who_is_replaced_or_waits_for_a_person_is_named() -> None:
    replaced, lost = sick(), sick()
    replaced.try_("replace", 1020.0)
    replaced.done(Done("", renews=False, stands_in=("other",)), 1021.0)
    lost.try_(ESCALATE, 1020.0)
    rows = doctor_rows({"a": replaced, "b": lost}, CALM)
    assert [row["state"] for row in rows] == ["warn", "fail"]
    assert "replaced by other" in rows[0]["detail"]
    assert "b waits for a person: connectivity: no answer" in rows[1]["detail"]
    assert "its work is done by other" in ailment(brief(replaced))
    assert "waits for a person" in ailment(brief(lost))
    assert any("vsm-mcp restart" in line for line in health_lines(shown(lost)))


def test_restarts_that_wait_and_parts_that_are_missing_are_told() -> None:
    rows = doctor_rows({}, Held(per_minute=120, at_once=30, waited=9, waiting=4.5), ("there is no check x",))
    assert ["x" in row["detail"] or "4.5 s" in row["detail"] for row in rows] == [True, True]


def test_what_grows_is_told() -> None:
    file = File()
    file.look({"connectivity": SILENT}, 1000.0, SETTINGS)
    file.trends = {"resources": Trend(slope=1e-4, eta=1800.0, sure=5.0)}
    assert "resources grows by 0.36 an hour: its limit in about 30 minutes" in list(health_lines(shown(file)))
