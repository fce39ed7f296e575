"""Who answers while a newcomer comes in, with real processes: a rival, a newcomer in the shadow, sessions that stay."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw
from tests.scenarios import rolling
from tests.scenarios.homes import FAULTY

from vsm_mcp.app import App
from vsm_mcp.config import load
from vsm_mcp.errors import BadArgument, NotFound
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.messages import Request, encode
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.ref import Ref
from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.routing.rewrite import SERVED_BY

pytestmark = pytest.mark.slow


@contextlib.asynccontextmanager
async def opened(home: Path, **rollout: Any) -> AsyncIterator[App]:
    given = {"stage_seconds": 0, "stage_calls": 10, "check_seconds": 0.05, "stages": [50, 100], **rollout}
    lines = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
    (home / "vsm-mcp.toml").write_text("\n".join(["[rollout]", *lines]))
    async with App.open(load(home, {"PATH": "/usr/bin:/bin", "HOME": str(home)}), actor="cli") as app:
        app.serving = True
        async with app.in_service.running():
            yield app


async def add(app: App, name: str, *flags: str) -> None:
    settings = Settings(args=flags, env={"WHO": name})
    outcome = await app.add(f"cmd:{sys.executable} {FAULTY}", settings, name=name, yes=True)
    assert outcome.outcome == "served", outcome
    await app.running.start(name)


async def victim(app: App, settings: Settings | None = None) -> None:
    """Have a server that there are versions of."""

    async def installer(_ref: Ref) -> rolling.Copying:
        return rolling.Copying()

    app.machine.installer = installer  # type: ignore[method-assign, assignment] # packages without a registry
    assert (await app.add("pypi:scripted==1.0.0", settings, name="victim", yes=True)).outcome == "served"
    await app.running.start("victim")


async def ask(app: App, tool: str, who: str = "", **arguments: Any) -> dict[str, Any]:
    params = {"name": Raw(encode(tool)), "arguments": Raw(encode(arguments))}
    caller = Caller(app.view(""), modern=True, who=who)
    answer = json.loads((await app.gateway.answer(Request(b"1", "tools/call", params, {}), caller)).body)
    return dict(answer["result"])


async def until(question: Callable[[], Awaitable[Any]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await question():  # noqa: ASYNC110 - a question is a call that moves things on
            await asyncio.sleep(0.02)


async def phase(app: App) -> str:
    return str((await app.in_service.rollouts.rollout_list())["rollouts"][0]["phase"])


async def test_a_rival_takes_the_calls_it_can_do_and_each_answer_says_who_gave_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as app:
        await add(app, "files")
        await add(app, "notes")
        rollouts = app.in_service.rollouts
        env = StandIn(server="notes", tool="env", arguments={"text": "name"})
        rollouts.stand_ins = lambda _server, tool: [env] if tool == "echo" else []
        with pytest.raises(BadArgument, match="cannot stand in for nothing_like_it"):
            await rollouts.rollout_start("notes", "files", ("nothing_like_it",))
        await rollouts.rollout_start("notes", "files", ("echo",))
        served: set[str] = set()

        async def standing() -> bool:
            answer = await ask(app, "files__echo", text="HOME")
            by = answer["_meta"].get(SERVED_BY, {}).get("server", "")
            served.add(by)
            said = answer["content"][0]["text"]
            assert (said == "echo:HOME") is (by == ""), answer
            assert SERVED_BY not in (await ask(app, "files__add", a=1, b=2))["_meta"]
            return await phase(app) == "standing"

        await until(standing)
        assert served == {"", "notes"}
        assert (await ask(app, "files__echo", text="HOME"))["_meta"][SERVED_BY] == {"server": "notes", "tool": "env"}
        strange = await ask(app, "files__echo", text="HOME", more=1)
        assert SERVED_BY not in strange["_meta"], "what has no place there stays with the incumbent"
        await rollouts.rollout_back("files")
        assert SERVED_BY not in (await ask(app, "files__echo", text="HOME"))["_meta"]
        assert {status.name for status in app.runtime.statuses()} == {"files", "notes"}
        with pytest.raises(NotFound):
            await rollouts.rollout_back("files")


async def test_a_rival_goes_back_by_itself_when_it_is_worse(tmp_path: Path) -> None:
    async with opened(tmp_path, stages=[20, 100], stage_calls=100) as app:
        await add(app, "files")
        await add(app, "notes", "--fail-every", "3")
        await app.in_service.rollouts.rollout_start("notes", "files", ("echo",))

        async def back() -> bool:
            params = {"name": Raw(encode("files__echo")), "arguments": Raw(encode({"text": "x"}))}
            caller = Caller(app.view(""), modern=True)
            await app.gateway.answer(Request(b"1", "tools/call", params, {}), caller)
            return await phase(app) == "rolled_back"

        await until(back)
        assert {status.name for status in app.runtime.statuses()} == {"files", "notes"}, "it is a server all the same"


async def test_in_the_shadow_answers_are_compared_and_served_to_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path, shadow=True) as app:
        await add(app, "files", "--read-only")
        await add(app, "notes", "--read-only")
        row = await app.in_service.rollouts.rollout_start("notes", "files", ("env", "add"))
        assert (row["phase"], row["percent"]) == ("shadow", 0)

        async def shared() -> bool:
            if await phase(app) != "shadow":
                return True
            answers = [await ask(app, "files__env", name="WHO"), await ask(app, "files__add", a=1, b=2)]
            if await phase(app) == "shadow":
                assert answers[0]["content"][0]["text"] == "files"
                assert all(SERVED_BY not in answer["_meta"] for answer in answers)
            return False

        await until(shared)
        found = (await app.in_service.rollouts.rollout_list())["rollouts"][0]["mirrored"]
        assert found["same"] > 0
        assert found["different"] > 0
        assert found["where"] == {"content": found["different"]}


async def test_a_session_stays_with_the_process_it_began_with(tmp_path: Path) -> None:
    async with opened(tmp_path) as app:
        await victim(app, Settings(stateful=True))

        async def count(session: str) -> str:
            """Return how often the process of a session was asked this, by now."""
            return str((await ask(app, "victim__count", who=session))["content"][0]["text"])

        assert await count("early") == "1"
        (row,) = (await app.upgrading.upgrade(("victim",), to=rolling.GOOD, yes=True))["upgrades"]
        assert row["outcome"] == "rolling", row
        rollouts = app.in_service.rollouts

        async def given() -> bool:
            return "victim" in app.gateway.router.shares

        await until(given)
        await rollouts.rollout_hold("victim")
        await rollouts.rollout_promote("victim")
        assert await count("early") == "2", "the incumbent has a process for it"
        assert await count("late") == "1"
        assert [len(app.runtime.sessions(name)) for name in ("victim", f"victim@{rolling.GOOD}")] == [1, 1]
        await rollouts.rollout_promote("victim")
        assert await phase(app) == "retiring"
        assert app.fleet.get("victim").version == rolling.GOOD
        assert await count("late") == "2", "what began with the newcomer ends with it"
        assert await count("later") == "1"
        assert len(app.runtime.sessions(f"victim@{rolling.GOOD}")) == 1
        app.gateway.end_client("late")

        async def done() -> bool:
            return await phase(app) == "done"

        await until(done)
        assert [status.name for status in app.runtime.statuses()] == ["victim"]
        assert await count("late") == "1"


@pytest.mark.parametrize(
    ("version", "why"), [(rolling.TURNING, "offers other things than were vetted: tool:echo"), (rolling.DYING, "")]
)
async def test_one_that_turns_into_another_or_dies_goes_back_and_leaves_nothing(
    tmp_path: Path, version: str, why: str
) -> None:
    async with opened(tmp_path, stage_calls=1000) as app:
        await victim(app)
        (row,) = (await app.upgrading.upgrade(("victim",), to=version, yes=True))["upgrades"]
        assert row["outcome"] == "rolling", row

        async def back() -> bool:
            await ask(app, "victim__add", a=1, b=2)
            return await phase(app) == "rolled_back"

        await until(back)
        (rollout,) = (await app.in_service.rollouts.rollout_list())["rollouts"]
        assert why in rollout["reason"], rollout
        assert app.fleet.frozen["victim"] == (), "what a newcomer shows is held against nobody else"

        async def gone() -> bool:
            return not await app.store.sagas.ready()

        await until(gone)
        assert app.installations.versions("victim") == ("1.0.0",)
        assert [status.name for status in app.runtime.statuses()] == ["victim"]
        assert (await ask(app, "victim__add", a=1, b=2))["structuredContent"] == {"sum": 3}
