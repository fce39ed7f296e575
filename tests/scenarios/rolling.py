"""A daemon of a home whose server ``victim`` gets a new version by stages, under the calls of many agents.

``python rolling.py VERSION CALLS KILL_AT`` goes on with the rollout there is, else it begins one to VERSION. It ends
after CALLS calls, or kills itself with SIGKILL when the newcomer gets KILL_AT percent (``finish``: when the last
stage is over, ``commit``: while the new version is put in the old one's place; ``-``: never). It writes a JSON
document to stdout."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.scenarios import versions

from vsm_mcp.app import App
from vsm_mcp.events import Event
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.messages import Request, encode
from vsm_mcp.install.installer import Built, Fetched, Options, Resolved
from vsm_mcp.model.launch import Entry
from vsm_mcp.model.ref import Ref

GOOD = "2.0.0"
FAILING = "2.1.0"
"""Answers every twelfth call with an error: 8 %."""
SLOW = "2.2.0"
"""Takes twice as long."""
TURNING = "2.3.0"
"""Is another one than it was when it was vetted, after some calls."""
DYING = "2.4.0"
"""Dies of each call."""
SECONDS = 0.004
UNDER_WAY = ("finishing", "retiring")
AGENTS = 400
AT_ONCE = 2  # and one at a time where times are compared: a side with more to do is slower for that alone

FLAGS = {
    FAILING: ["--fail-every", "12"],
    TURNING: ["--change-after", "20", "--swap-description"],
    DYING: ["--die-on", "tools/call"],
}


class Copying(versions.Copying):
    """Version by version the same program; what differs is how well it does."""

    async def build(self, resolved: Resolved, fetched: Fetched, into: Path, _options: Options) -> Built:
        assert fetched.root is not None
        shutil.copy(fetched.root / "faulty.py", into / "faulty.py")
        seconds = SECONDS * (2 if resolved.version == SLOW else 1)
        flags = ["--counter", "--call-delay", str(seconds), *FLAGS.get(resolved.version, [])]
        argv = (str(Path(sys.executable).resolve()), str(into / "faulty.py"), *flags)
        entry = Entry(argv=argv, runtime="python", roots=(str(into), sys.base_prefix))
        return Built(entry=entry, packages=resolved.packages, integrity="sha256:0")


class Traffic:
    """Agents that call one tool, a few at a time, each as itself; ``ends`` counts what they got."""

    def __init__(self, app: App) -> None:
        self.ends: Counter[str] = Counter()
        self.why: Counter[str] = Counter()
        self._app = app
        self._number = 0

    async def go(self, calls: int, at_once: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(self._agent(calls))

    async def _agent(self, calls: int) -> None:
        view = self._app.view("")
        while self._number < calls:
            self._number += 1
            number = self._number
            params = {"name": encode("victim__echo"), "arguments": encode({"text": f"call {number}"})}
            request = Request(b"1", "tools/call", {name: raw_of(value) for name, value in params.items()}, {})
            caller = Caller(view, modern=True, who=f"agent-{number * 7919 % AGENTS}")
            answer = json.loads((await self._app.gateway.answer(request, caller)).body)
            said = answer.get("result", {}).get("content", [{}])[0].get("text", "")
            end = "ok" if said == f"echo:call {number}" else "failed"
            self.ends[end] += 1
            if end == "failed":
                self.why[said[:300] or str(answer)[-300:]] += 1


def raw_of(value: bytes) -> Any:
    from msgspec import Raw

    return Raw(value)


def killing(at: str) -> Any:
    def listen(event: Event) -> None:
        kind = type(event).__name__
        hit = {
            "RolloutBegan": at == str(getattr(event, "percent", "")),
            "RolloutAdvanced": at == str(getattr(event, "percent", "")),
            "AcquisitionStarted": at == "finish",
            "StepStarted": at == "commit" and getattr(event, "step", "") == "activate",
            "ServerUpgraded": at == "committed",
        }
        if hit.get(kind):
            os.kill(os.getpid(), signal.SIGKILL)

    return listen


async def rolled(app: App, version: str, calls: int, at: str) -> dict[str, Any]:
    traffic = Traffic(app)
    under_way = (await app.in_service.rollouts.rollout_list())["rollouts"]
    outcome: Any = None
    if at not in ("finish", "commit", "committed"):
        app.bus.subscribe(killing(at))
    if not under_way:
        outcome = (await app.upgrading.upgrade(("victim",), to=version, yes=True))["upgrades"][0]
    if at in ("finish", "commit", "committed"):
        app.bus.subscribe(killing(at))  # not at what the upgrade itself began with
    await traffic.go(calls, 1 if version == SLOW else AT_ONCE)
    async with asyncio.timeout(15):
        while (row := (await app.in_service.rollouts.rollout_list())["rollouts"][0])["phase"] in UNDER_WAY:  # noqa: ASYNC110 - it is what an operator would do
            await asyncio.sleep(0.05)
    return {"outcome": outcome, "rollout": row, "calls": dict(traffic.ends), "why": dict(traffic.why.most_common(3))}


async def main(version: str, calls: str, at: str) -> None:
    async with App.open(for_operation="serve", actor="cli") as app:

        async def installer(_ref: Ref) -> Copying:
            return Copying()

        app.machine.installer = installer  # type: ignore[method-assign, assignment] # packages without a registry
        if "victim" not in app.fleet.servers:
            await app.add("pypi:scripted==1.0.0", name="victim", yes=True)
        await app.running.start("victim")
        async with app.in_service.running():
            document = await rolled(app, version, int(calls), at)
        server = app.fleet.get("victim")
        document["version"] = server.version
        document["names"] = [status.name for status in app.runtime.statuses()]
        document["evidence"] = await app.store.evidence.of(document["rollout"]["id"])
        document["journal"] = [entry.detail for entry in await app.store.journal.last(40) if entry.action == "rollout"]
        document["files"] = app.installations.versions("victim")
        sys.stdout.write(json.dumps(document))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
