from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from vsm_mcp.autopilot.undo import Undo
from vsm_mcp.events import Event
from vsm_mcp.install.transaction import Installations
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.store import Store
from vsm_mcp.store.sagas import Plan


class Scene:
    """A home with a store and its installations, and what was published."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.installations = Installations(store.home)
        self.events: list[Event] = []
        self.undo = Undo(store, self.installations, self.events.append)

    async def installed(self, version: str, *, active: bool = True) -> None:
        folder = await self.installations.begin("time", version)
        (folder / "file").write_text(version)
        if active:
            await self.installations.activate("time", version)

    async def known(self, acquisition: str, version: str = "1.0", *, succeeds: bool = False) -> None:
        ref = parse_ref(f"pypi:mcp-server-time=={version}")
        installation = Installation(
            server="time", ref=ref, version=version, path="/x", entry=Entry(argv=("/x/p",), runtime="python")
        )
        server = Server(
            name="time",
            ref=ref,
            version=version,
            installation=installation,
            settings=Settings(),
            acquisition=acquisition,
        )
        await self.store.servers.put(server, succeeds=succeeds)

    async def started(self, saga: str, step: str, plan: Plan) -> None:
        await self.store.sagas.begin(saga, "pypi:mcp-server-time")
        await self.store.sagas.step(saga, step, plan)
        self.store.secrets.put(saga, {"KEY": "v"})


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with Store(tmp_path / "home") as store:
        yield Scene(store)


async def test_undo_takes_files_and_secrets_back_and_can_be_repeated(scene: Scene) -> None:
    plan = Plan(server="time", version="2.0")
    await scene.installed("2.0")
    await scene.started("a1", "activate", plan)
    for _ in range(2):
        assert await scene.undo.undo("a1", plan)
    assert scene.installations.versions("time") == ()
    assert scene.store.secrets.of("a1") == {}
    assert await scene.store.sagas.unfinished() == []


async def test_undo_puts_the_previous_version_back(scene: Scene) -> None:
    await scene.installed("1.0")
    await scene.installed("2.0")
    await scene.started("a2", "activate", Plan(server="time", version="2.0", previous="1.0"))
    await scene.known("a1")
    await scene.undo.recover()
    assert scene.installations.current("time") == "1.0"
    assert scene.installations.versions("time") == ("1.0",)


async def test_an_acquisition_that_reached_the_catalogue_is_finished(scene: Scene) -> None:
    await scene.installed("1.0")
    await scene.started("a1", "activate", Plan(server="time", version="1.0"))
    await scene.known("a1")
    await scene.undo.recover()
    assert scene.installations.current("time") == "1.0"
    assert scene.store.secrets.of("a1") == {"KEY": "v"}
    assert await scene.store.sagas.unfinished() == []


async def test_undo_gives_both_links_back(scene: Scene) -> None:
    for version in ("1.0", "2.0", "3.0"):
        await scene.installed(version)
    plan = Plan(server="time", version="3.0", previous="2.0", earlier="1.0")
    await scene.started("a3", "activate", plan)
    await scene.known("a2", "2.0")
    for _ in range(2):
        assert await scene.undo.undo("a3", plan)
    assert (scene.installations.current("time"), scene.installations.previous("time")) == ("2.0", "1.0")
    assert scene.installations.versions("time") == ("1.0", "2.0")


async def test_a_late_undo_leaves_alone_what_came_after(scene: Scene) -> None:
    for version in ("1.0", "2.0", "3.0"):
        await scene.installed(version)
    await scene.known("a3", "3.0")
    assert await scene.undo.undo("a2", Plan(server="time", version="2.0", previous="1.0"))
    assert scene.installations.current("time") == "3.0"
    assert scene.installations.versions("time") == ("1.0", "3.0")


async def test_a_rollback_that_was_cut_off_keeps_both_versions(scene: Scene) -> None:
    await scene.installed("1.0")
    await scene.installed("2.0")
    await scene.known("a1", "1.0")
    await scene.known("a2", "2.0", succeeds=True)
    await scene.started(
        "back", "restore", Plan(server="time", version="1.0", previous="2.0", earlier="1.0", back_to="a1")
    )
    await scene.installations.restore("time", "1.0", "2.0")
    await scene.undo.recover()
    assert (scene.installations.current("time"), scene.installations.previous("time")) == ("2.0", "1.0")
    assert scene.installations.versions("time") == ("1.0", "2.0")


async def test_a_rollback_that_reached_the_catalogue_is_finished(scene: Scene) -> None:
    await scene.installed("1.0")
    await scene.installed("2.0")
    await scene.known("a1", "1.0")
    await scene.known("a2", "2.0", succeeds=True)
    await scene.started(
        "back", "restore", Plan(server="time", version="1.0", previous="2.0", earlier="1.0", back_to="a1")
    )
    await scene.installations.restore("time", "1.0", "2.0")
    assert await scene.store.previous.swap("time", "a1")
    assert not await scene.store.previous.swap("time", "a1")  # it is not the previous one any more
    await scene.undo.recover()
    assert (scene.installations.current("time"), scene.installations.previous("time")) == ("1.0", "2.0")
    assert (await scene.store.servers.get("time")).version == "1.0"
    assert scene.installations.versions("time") == ("1.0", "2.0")


async def test_secrets_that_a_removal_left_are_forgotten_and_no_others(scene: Scene) -> None:
    for saga in ("a1", "a2", "a3"):
        await scene.started(saga, "activate", Plan())
        await scene.store.sagas.end(saga, "done")
    await scene.known("a1")
    await scene.known("a2", succeeds=True)
    scene.store.secrets.put("gateway", {"key": "k"})
    await scene.undo.recover()
    assert scene.store.secrets.acquisitions() == {"a1", "a2", "gateway"}


async def test_what_waits_is_kept_and_goes_with_its_server(scene: Scene) -> None:
    await scene.installed("1.0")
    await scene.known("a1")
    await scene.installed("2.0", active=False)
    await scene.started("a2", "trial", Plan(server="time", version="2.0", previous="1.0"))
    await scene.store.sagas.wait("a2", b"{}")
    await scene.undo.recover()
    assert scene.installations.versions("time") == ("1.0", "2.0")
    assert [saga.proposal for saga in await scene.store.sagas.waiting()] == [b"{}"]
    await scene.store.servers.remove("time")
    await scene.undo.recover()
    assert scene.installations.servers() == ()
    assert await scene.store.sagas.waiting() == []


async def test_a_death_before_anything_was_planned_leaves_nothing_to_do(scene: Scene) -> None:
    await scene.store.sagas.begin("a1", "npm:x")
    await scene.undo.recover()
    assert await scene.store.sagas.unfinished() == []


async def test_files_without_a_server_are_swept(scene: Scene) -> None:
    await scene.installed("1.0")
    await scene.undo.recover()
    assert scene.installations.servers() == ()


async def test_what_cannot_be_taken_back_is_published_and_tried_again(scene: Scene, tmp_path: Path) -> None:
    plan = Plan(server="time", version="2.0")
    await scene.started("a1", "build", plan)
    blocked = tmp_path / "home" / "installations"
    blocked.write_text("in the way")
    (tmp_path / "home" / "secrets" / "a1.json").unlink()
    (tmp_path / "home" / "secrets" / "a1.json").mkdir()
    assert not await scene.undo.undo("a1", plan)
    assert "UndoFailed" in {type(event).__name__ for event in scene.events}
    (tmp_path / "home" / "secrets" / "a1.json").rmdir()
    blocked.unlink()
    await scene.undo.recover()
    assert await scene.store.sagas.unfinished() == []
