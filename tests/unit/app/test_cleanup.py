from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from vsm_mcp.app.cleanup import Cleanup
from vsm_mcp.app.fleet import Fleet
from vsm_mcp.events import CleanedUp, Event
from vsm_mcp.runtime.stale import LOG_SECONDS
from vsm_mcp.sandbox.cgroup import Bounds, Group
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.probe import probe
from vsm_mcp.store import Store
from vsm_mcp.store.sagas import Plan


class Swept:
    def __init__(self, home: Path, sandbox: Sandbox, store: Store) -> None:
        self.home = home
        self.store = store
        self.sandbox = sandbox
        self.events: list[Event] = []
        self.cleanup = Cleanup(sandbox, store, Fleet(store, self.events.append, lambda: None), self.events.append)


@pytest.fixture(scope="module")
def isolation() -> Any:
    return asyncio.run(probe())


@pytest.fixture
async def swept(isolation: Any, tmp_path: Path) -> AsyncIterator[Swept]:
    async with Sandbox(isolation) as sandbox, Store(tmp_path) as store:
        yield Swept(tmp_path, sandbox, store)


async def test_nothing_to_do_is_not_told(swept: Swept) -> None:
    await swept.cleanup.clean()  # whatever others left on this machine
    swept.events.clear()
    assert await swept.cleanup.clean() == CleanedUp()
    assert swept.events == []


async def test_logs_and_sockets_that_nobody_uses_go(swept: Swept) -> None:
    await swept.store.sagas.begin("1", "npm:x")
    await swept.store.sagas.step("1", "trial", Plan(server="gone", version="1"))
    logs, run = swept.home / "logs", swept.home / "run"
    logs.mkdir()
    run.mkdir(exist_ok=True)
    old = time.time() - LOG_SECONDS - 5
    for name in ("gone.log", "gone.log.1", "mine.log", "README"):
        (logs / name).write_text("x")
        os.utime(logs / name, (old, old))
    for name in ("mcp-old.sock", "mcp.sock", "control.sock"):
        (run / name).touch()
    assert (await swept.cleanup.clean()).sockets == 0  # not known which are in use
    swept.cleanup.listening = {"mcp.sock"}
    (logs / "gone.log").touch()
    os.utime(logs / "gone.log", (old, old))
    done = await swept.cleanup.clean()
    assert (done.sockets, done.logs) == (1, 1)
    assert sorted(path.name for path in logs.iterdir()) == ["README", "mine.log"]
    assert {path.name for path in run.iterdir()} >= {"mcp.sock", "control.sock"}
    assert swept.events[-1] == done


async def test_a_dead_child_is_waited_for_at_the_second_look(swept: Swept) -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    async with asyncio.timeout(60):
        while b" Z " not in Path(f"/proc/{pid}/stat").read_bytes():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    for _ in range(2):
        assert (await swept.cleanup.clean()).processes == 0  # in a program that has children of its own
    swept.cleanup.reaps = True
    assert (await swept.cleanup.clean()).processes == 0
    assert (await swept.cleanup.clean()).processes == 1
    assert not Path(f"/proc/{pid}").exists()


async def test_a_control_group_that_was_slow_to_die_goes(swept: Swept, isolation: Any) -> None:
    if isolation.cgroup is None:
        pytest.skip("no control groups can be made here")
    await swept.sandbox.tidy()
    mine, others = f"left-1-{id(swept.sandbox):x}", "left-1-0"
    groups = [Group(isolation.cgroup, name) for name in (mine, others)]
    for group in groups:
        group.create(Bounds(memory_bytes=1 << 26, processes=8))
    try:
        assert (await swept.cleanup.clean()).groups == 1
        assert not any(path.exists() for path in groups[0].directories)
        assert all(path.exists() for path in groups[1].directories)  # another sandbox of this process may use it
    finally:
        for group in groups:
            group.remove()
