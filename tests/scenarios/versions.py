"""A home whose packages are files beside it: an installer of the plug-in point that copies the scripted server.

``python versions.py OPERATION KIND STEP [WORD …]`` opens the home as a daemon does, starts the server ``victim``, does
the operation, and kills itself with SIGKILL when the event KIND of STEP comes by (``-``: never). It writes a JSON
document to stdout.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from vsm_mcp.app import App
from vsm_mcp.errors import VsmError
from vsm_mcp.events import Event
from vsm_mcp.install.installer import Built, Fetched, Options, Resolved
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import Ref, RefKind
from vsm_mcp.testing import faulty

NEWEST = "2.0.0"
BAD = "3.0.0"
"""A version that dies in its trial."""
SHY = "4.0.0"
"""A version that passes its trial, and comes up no more afterwards."""


class Copying:
    """Version by version the same program; what differs is what it says of itself."""

    kind = RefKind.PYPI

    async def resolve(self, ref: Ref, _options: Options) -> Resolved:
        version = ref.version or NEWEST
        return Resolved(ref=ref.at(version), version=version, packages={"scripted": version, "left-pad": "1.0.0"})

    async def fetch(self, _resolved: Resolved, into: Path) -> Fetched:
        shutil.copy(faulty.__file__, into / "faulty.py")
        return Fetched(root=into, manifest={"license": "MIT"}, archive_sha="sha256:0")

    async def build(self, resolved: Resolved, fetched: Fetched, into: Path, _options: Options) -> Built:
        assert fetched.root is not None
        shutil.copy(fetched.root / "faulty.py", into / "faulty.py")
        flags = ["--instructions", f"This is {resolved.version}."]
        if resolved.version == NEWEST:
            flags += ["--counter"]
        if resolved.version == BAD:
            flags += ["--die-at-start", "no way"]
        if resolved.version == SHY:
            flags += ["--die-at-start", "not here", "--only-if", str(into / "shy")]
        argv = (str(Path(sys.executable).resolve()), str(into / "faulty.py"), *flags)
        return Built(
            entry=Entry(argv=argv, runtime="python", roots=(str(into), sys.base_prefix)),
            packages=resolved.packages,
            integrity="sha256:0",
        )


async def offered(app: App) -> Any:
    async def installer(_ref: Ref) -> Copying:
        return Copying()

    app.machine.installer = installer  # type: ignore[method-assign, assignment] # packages without a registry


def killing(kind: str, step: str) -> Any:
    def listen(event: Event) -> None:
        if type(event).__name__ == kind and getattr(event, "step", step) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return listen


def turning_shy(home: Path) -> Any:
    def listen(event: Event) -> None:
        if type(event).__name__ == "StepFinished" and getattr(event, "step", "") == "trial":
            (home / "installations" / "victim" / SHY / "shy").touch()

    return listen


async def done(app: App, operation: str, words: list[str]) -> Any:
    match operation:
        case "add":
            settings = Settings(secrets={"TOKEN": "hush"})
            outcome = await app.add(f"pypi:scripted=={words[0]}", settings, name="victim", yes=True)
            return {"outcome": outcome.outcome, "reason": outcome.reason.message if outcome.reason else ""}
        case "upgrade":
            if words[:1] == [SHY]:
                app.bus.subscribe(turning_shy(app.config.home))
            return await app.upgrading.upgrade(("victim",), to="".join(words[:1]), yes="wait" not in words)
        case "rollback":
            return await app.upgrading.rollback("victim")
        case "approve" | "deny":
            return await getattr(app.approvals, operation)(words[0])
    return None


async def looked(app: App) -> Any:
    """Return what there is: the version and its secrets, what a call says, every file and folder that is left."""
    if "victim" not in app.fleet.servers:
        return None
    home, server = app.config.home, app.fleet.get("victim")
    called = await app.call("victim__env", {"name": "TOKEN"})
    folders = (home / "installations" / "victim", home / "run" / "staging", home / "run" / "work")
    return {
        "version": server.version,
        "token": called["content"][0]["text"],
        "instructions": (app.fleet.offers["victim"]).instructions,
        "frozen": app.fleet.frozen.get("victim"),
        "tools": len(app.fleet.tool_names()["victim"]),
        "current": app.installations.current("victim"),
        "previous": app.installations.previous("victim"),
        "left": sorted(path.name for folder in folders if folder.is_dir() for path in folder.iterdir()),
        "secrets": len(list((home / "secrets").glob("*.json"))),
        "pid": app.runtime.status("victim").pid,
        "waiting": [saga.id for saga in await app.store.sagas.waiting()],
    }


async def main(operation: str, kind: str, step: str, *words: str) -> None:
    async with App.open(for_operation="serve") as app:
        await offered(app)
        if "victim" in app.fleet.servers:
            await app.running.start("victim")
        app.bus.subscribe(killing(kind, step))
        try:
            result = await done(app, operation, list(words))
        except VsmError as error:
            result = {"error": error.code, "message": error.message}
        sys.stdout.write(json.dumps({"result": result, "home": await looked(app)}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
