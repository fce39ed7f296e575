"""How checks are run: each alone, each within its deadline, none able to pass by failing."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path

from vsm_mcp import plugins
from vsm_mcp.config import Config
from vsm_mcp.model.finding import CheckResult, CheckStatus, Severity
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.vetting.check import Check, Rule, Stage, Subject, result, run_checks

SUBJECT = Subject(ref=parse_ref("npm:x-mcp@1.0.0"), version="1.0.0")


class Calm:
    name = "calm"
    stage = Stage.BEFORE_INSTALL

    async def check(self, subject: Subject) -> CheckResult:
        return result(self.name, 1, "names", ())


class Broken(Calm):
    name = "broken"

    async def check(self, subject: Subject) -> CheckResult:
        raise ValueError("secret detail")


class Hanging(Calm):
    name = "hanging"

    async def check(self, subject: Subject) -> CheckResult:
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_check_that_breaks_or_hangs_is_unavailable_and_costs_the_others_nothing() -> None:
    checks: list[Check] = [Broken(), Calm(), Hanging()]
    results = await run_checks(checks, SUBJECT, Stage.BEFORE_INSTALL, timeout=0.05)
    assert [each.status for each in results] == [CheckStatus.UNAVAILABLE, CheckStatus.PASS, CheckStatus.UNAVAILABLE]
    assert "secret detail" not in results[0].detail
    assert "0.05 s" in results[2].detail


async def test_only_the_checks_of_the_stage_look() -> None:
    assert await run_checks([Calm()], SUBJECT, Stage.AFTER_TRIAL) == ()


def test_a_note_passes_and_anything_more_fails() -> None:
    note = Rule("x.note", Severity.NOTE, "m").found("w", "t")
    review = Rule("x.review", Severity.REVIEW, "m").found("w", "t")
    assert result("x", 1, "u", [note]).status is CheckStatus.PASS
    assert result("x", 1, "u", [note, review]).status is CheckStatus.FAIL


def test_the_built_in_checks_come_in_by_the_front_door() -> None:
    built = {name: build(Config(home=Path("/nowhere"))) for name, build in plugins.load("checks").items()}
    assert {name: part.name for name, part in built.items()} == {name: name for name in built}
    assert set(built) == {
        "advisories", "archive", "code", "dependencies", "flows", "identity", "installed", "licence", "signatures",
        "tool_text",
    }  # fmt: skip
    assert {part.stage for part in built.values()} == set(Stage)


def test_the_data_that_ships_can_be_read() -> None:
    folder = Path(__file__).parents[3] / "src/vsm_mcp/vetting/data"
    for name in ("brands.toml", "compositions.toml", "flows.toml", "licences.toml", "vocabulary.toml"):
        assert tomllib.loads((folder / name).read_text("utf-8"))
