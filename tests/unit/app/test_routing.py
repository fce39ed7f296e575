from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from vsm_mcp import config
from vsm_mcp.app.application import App
from vsm_mcp.errors import BadArgument
from vsm_mcp.model.ending import Ending
from vsm_mcp.model.launch import Settings
from vsm_mcp.routing.breakers import Failed
from vsm_mcp.testing import counting


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "vsm-mcp.toml").write_text("[routing]\nbreaker_open_seconds = 60.0\n")
    async with App.open(config.load(home)) as opened:
        yield opened


async def add(app: App, name: str, only: str = "", **settings: Any) -> None:
    args = ("--only", only) if only else ()
    outcome = await app.add(
        f"cmd:{sys.executable} {counting.__file__}", Settings(args=args, **settings), name=name, yes=True
    )
    assert outcome.outcome == "served", outcome


def break_down(app: App, server: str) -> None:
    for _ in range(9):
        now = monotonic()
        failed = Failed(server=server, tool="look", ending=Ending.TRANSPORT, began=now, now=now, reached=False)
        app.gateway.router.breakers.failed(failed)


@pytest.mark.slow
async def test_replicas_answer_under_one_name_and_are_shown(app: App) -> None:
    await add(app, "a")
    await add(app, "b", replica_of="a", weight=2.0, priority=1)
    await add(app, "c", only="look", replica_of="a")
    assert {tool["server"] for tool in (await app.tools())["tools"]} == {"a"}
    [group] = (await app.status())["routing"]["groups"]
    assert group["server"] == "a"
    assert [(each["server"], each["weight"], each["priority"]) for each in group["replicas"]] == [
        ("a", 1.0, 0),
        ("b", 2.0, 1),
        ("c", 1.0, 0),
    ]
    [members] = app.gateway.router.groups.values()
    assert [sorted(member.tools) for member in members] == [sorted(counting.HINTS), sorted(counting.HINTS), ["look"]]
    await app.running.stop("a")
    break_down(app, "a")
    assert (await app.call("a__look", {"key": "x"}))["server"] == "a"
    shown = (await app.inspect("a"))["server"]
    assert [(each["state"], each["failure"]) for each in shown["breakers"]] == [("open", "transport")]
    assert (await app.inspect("b"))["server"]["replica_of"] == "a"
    await app.remove("a")
    assert {tool["server"] for tool in (await app.tools())["tools"]} == {"b", "c"}, "served by themselves"
    status = (await app.status())["routing"]
    assert (status["groups"], status["breakers"]) == ([], [])
    for of, why in (("b", "cannot have replicas"), ("nobody", "no server is called")):
        with pytest.raises(BadArgument, match=why):
            await add(app, "b", replica_of=of)


@pytest.mark.slow
async def test_a_start_lets_a_server_be_tried_at_once(app: App) -> None:
    await add(app, "a")
    break_down(app, "a")
    assert app.gateway.router.special == {"a"}
    await app.running.restart("a")
    assert (await app.call("a__look", {"key": "x"}))["isError"] is False
    assert app.gateway.router.special == set()
