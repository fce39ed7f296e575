"""Whose tasks are: a principal's, else a session's, else of whoever has the id."""

from __future__ import annotations

import secrets
import sys
from typing import Any

import pytest

from vsm_mcp.gateway.authentication import Authentication
from vsm_mcp.gateway.keyring import Keyring
from vsm_mcp.gateway.tasks.idents import Named, TaskIds
from vsm_mcp.model.key import ENTROPY, Key, digest_of, id_of, mint
from vsm_mcp.model.principal import Grant
from vsm_mcp.testing import tasked

SERVERS = {
    name: ["--", sys.executable, tasked.__file__, "--mode", mode]
    for name, mode in (("old", "legacy"), ("new", "modern"))
}
EXTENSIONS: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
META = {"io.modelcontextprotocol/clientCapabilities": EXTENSIONS}


@pytest.fixture
async def keyed(start: Any) -> Any:
    """An endpoint that wants keys, and the keys by name."""
    texts = {name: f"Bearer {mint(secrets.token_bytes(ENTROPY))}" for name in ("ada", "bob", "narrow")}
    grants = {"narrow": Grant(allow_tools=("other__*",))}
    ring = Keyring()
    ring.replace(
        Key(id=id_of(text[7:]), name=name, digest=digest_of(text[7:]), grant=grants.get(name, Grant()))
        for name, text in texts.items()
    )
    return await start(SERVERS, authentication=Authentication(ring)), texts


def became(demo: Any, text: str) -> None:
    demo.http.headers["Authorization"] = text


async def modern(demo: Any, method: str, **params: Any) -> Any:
    _, body = await demo.modern(method, {**params, "_meta": META})
    return body.get("result", body.get("error"))


async def legacy(demo: Any, method: str, **params: Any) -> Any:
    _, body = await demo.legacy(method, params)
    return body.get("result", body.get("error"))


async def test_a_modern_client_of_another_key(keyed: Any) -> None:
    demo, texts = keyed
    became(demo, texts["ada"])
    ident = (await modern(demo, "tools/call", name="new__never"))["taskId"]
    for name in ("bob", "narrow"):
        became(demo, texts[name])
        for method in ("tasks/get", "tasks/cancel"):
            expected = -32602 if name == "bob" else -32601  # who sees no server with tasks has no such method
            assert (await modern(demo, method, taskId=ident))["code"] == expected
    became(demo, texts["ada"])
    assert (await modern(demo, "tasks/get", taskId=ident))["status"] == "working"


async def test_a_principal_keeps_its_tasks_from_session_to_session(keyed: Any) -> None:
    demo, texts = keyed
    became(demo, texts["ada"])
    await demo.initialize()
    ident = (await legacy(demo, "tools/call", name="old__never", task={}))["task"]["taskId"]
    await demo.initialize()
    assert (await legacy(demo, "tasks/get", taskId=ident))["status"] == "working"
    assert [task["taskId"] for task in (await legacy(demo, "tasks/list"))["tasks"]] == [ident]
    became(demo, texts["bob"])
    await demo.initialize()
    assert (await legacy(demo, "tasks/get", taskId=ident))["code"] == -32602
    assert (await legacy(demo, "tasks/list"))["tasks"] == []


def test_ids_of_one_key_are_good_after_a_restart() -> None:
    named = Named("s", "1")
    assert TaskIds(b"k" * 32).open(TaskIds(b"k" * 32).close(named, "me"), "me") == named
    assert TaskIds(b"x" * 32).open(TaskIds(b"k" * 32).close(named, "me"), "me") is None


async def test_a_place_at_a_stateful_server_is_kept_for_the_task(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    demo = await start(SERVERS)
    asked: list[str] = []
    reached = demo.fleet.connection

    async def connection(server: str, timeout: float, session: str = "") -> Any:
        asked.append(session)
        return await reached(server, timeout, session)

    monkeypatch.setattr(demo.fleet, "stateful", lambda _server: True)
    monkeypatch.setattr(demo.fleet, "connection", connection)
    first, second = [(await modern(demo, "tools/call", name="new__never"))["taskId"] for _ in range(2)]
    for ident in (second, first):
        assert (await modern(demo, "tasks/get", taskId=ident))["status"] == "working"
    assert asked == ["#1", "#0"]  # each task is asked for where it is worked on
    await modern(demo, "tasks/cancel", taskId=first)
    assert (await modern(demo, "tasks/get", taskId=first))["status"] == "cancelled"
    third = (await modern(demo, "tools/call", name="new__never"))["taskId"]
    await modern(demo, "tasks/get", taskId=third)
    assert asked[-1] == "#0"  # it is free again
