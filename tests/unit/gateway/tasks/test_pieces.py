"""The pure parts: what servers declare, what tasks say, the ids they are known by, and who holds them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from vsm_mcp.errors import ProtocolError
from vsm_mcp.gateway.catalogue import Catalogue
from vsm_mcp.gateway.changes import Listener
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.tasks import ledger, related, task
from vsm_mcp.gateway.tasks.idents import Named, TaskIds
from vsm_mcp.gateway.tasks.ledger import Entry, Held, Ledger
from vsm_mcp.gateway.tasks.support import Support, Tasking, declared, support_of, way_of
from vsm_mcp.gateway.tasks.task import Task
from vsm_mcp.model.definition import Definition, ItemKind, Offer

EXTENSION = "io.modelcontextprotocol/tasks"
RELATED = "io.modelcontextprotocol/related-task"
CALLS: dict[str, Any] = {"requests": {"tools": {"call": {}}}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())


def loaded(value: Raw) -> Any:
    return json.loads(bytes(value))


def offer(protocol: str, capabilities: Any, **execution: Any) -> Offer:
    items = tuple(
        Definition(kind=ItemKind.TOOL, name=name, raw=json.dumps({"name": name, "execution": value, "x": 1}).encode())
        for name, value in execution.items()
    )
    return Offer(items=items, capabilities=json.dumps(capabilities).encode(), protocol=protocol)


@pytest.mark.parametrize(
    ("protocol", "capabilities", "support"),
    [
        ("2025-11-25", {"tasks": CALLS}, Support(calls=True)),
        ("2025-11-25", {"tasks": {**CALLS, "list": {}, "cancel": {}}}, Support(calls=True, lists=True, cancels=True)),
        ("2025-11-25", {"tasks": {"list": {}, "requests": {}}}, Support()),
        ("2025-11-25", {"tasks": {"requests": {"tools": []}}}, Support()),
        ("2025-11-25", {"extensions": {EXTENSION: {}}}, Support()),
        ("2026-07-28", {"extensions": {EXTENSION: {}}}, Support(extension=True)),
        ("2026-07-28", {"tasks": CALLS}, Support()),
        ("2026-07-28", {"extensions": [EXTENSION]}, Support()),
        ("", [], Support()),
    ],
)
def test_what_a_server_declares(protocol: str, capabilities: Any, support: Support) -> None:
    assert support_of(offer(protocol, capabilities)) == support


def test_what_the_gateway_declares() -> None:
    plain, old, new = (Tasking(each) for each in (Support(), Support(calls=True, lists=True), Support(extension=True)))
    assert declared([plain], modern=True) == declared([plain, old], modern=True) == {}
    assert declared([plain, new], modern=False) == {}
    assert declared([old, new], modern=True) == {"extensions": {EXTENSION: {}}}
    assert declared([old, new], modern=False) == {"tasks": {**CALLS, "list": {}}}


def test_what_becomes_of_a_call() -> None:
    tasking = Tasking(Support(calls=True), frozenset({"slow"}))

    def way(tool: str, *, modern: bool, method: str = "tools/call", **params: Any) -> str:
        request = Request(b"1", method, {name: raw(value) for name, value in params.items()}, None)
        return way_of(tasking, tool, request, modern=modern)

    assert way("slow", modern=True) == way("slow", modern=False) == way("slow", modern=True, task={}) == "driven"
    assert way("quick", modern=True) == way("quick", modern=False) == way("quick", modern=True, task={}) == "plain"
    assert way("slow", modern=False, task={}) == way("quick", modern=False, task={}) == "passed"
    assert way("slow", modern=False, method="prompts/get", task={}) == "plain"


def test_what_tools_say_of_tasks() -> None:
    levels = {name: {"taskSupport": name} for name in ("required", "optional", "forbidden")}
    given = {**levels, "more": {"taskSupport": "required", "x": 1}, "none": {"x": 1}, "junk": 7}
    catalogue = Catalogue(
        {
            "old": offer("2025-11-25", {"tasks": CALLS}, **given),
            "bare": offer("2025-11-25", {}, **given),
            "new": offer("2026-07-28", {"extensions": {EXTENSION: {}}}, **given),
        }
    )

    def listed(server: str, *, modern: bool) -> dict[str, Any]:
        tools = json.loads(catalogue.listings["tools/list"].page("", modern=modern))["tools"]
        found = {tool["name"]: tool.get("execution") for tool in tools}
        assert all(tool["x"] == 1 for tool in tools)
        return {name: found[f"{server}__{name}"] for name in given}

    kept = {name: given[name] for name in ("optional", "forbidden", "none", "junk")}
    as_optional = {"required": {"taskSupport": "optional"}, "more": {"taskSupport": "optional", "x": 1}}
    assert listed("old", modern=False) == {**kept, **as_optional}
    assert listed("old", modern=True) == {**kept, "required": None, "more": {"x": 1}}
    for server in ("bare", "new"):
        for modern in (False, True):
            assert listed(server, modern=modern) == {**kept, "required": None, "optional": None, "more": {"x": 1}}
    assert catalogue.tasking.keys() == {"old", "new"}
    assert catalogue.tasking["old"].required == {"required", "more"}
    assert not catalogue.tasking["new"].required


# --- what tasks say --------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.sampled_from(["taskId", "status", "pollInterval", "ttlMs", "inputRequests", "result"]), JSON))
def test_any_task_is_read_or_refused(members: dict[str, Any]) -> None:
    try:
        found = task.read(raw({"taskId": "t", "status": "working", **members}))
    except ProtocolError:
        return
    assert task.LEAST_SECONDS <= found.interval <= 10
    assert found.ttl is None or found.ttl >= 0


@pytest.mark.parametrize(
    ("words", "interval", "ttl"),
    [
        ({"pollInterval": 0, "ttl": 0}, 0.1, 0.0),
        ({"pollInterval": 500, "ttl": 1500}, 0.5, 1.5),
        ({"pollIntervalMs": 250.5, "ttlMs": None}, 0.2505, None),
        ({"pollInterval": 10**30, "ttl": -7}, 10.0, 0.0),
        ({"pollIntervalMs": 250, "pollInterval": 9000}, 0.25, None),
        ({"pollInterval": "500", "ttl": "x"}, 1.0, None),
        ({}, 1.0, None),
    ],
)
def test_times(words: dict[str, Any], interval: float, ttl: float | None) -> None:
    found = task.read(raw({"taskId": "t", "status": "working", **words}))
    assert (found.interval, found.ttl) == (interval, ttl)


def test_what_is_a_task() -> None:
    state = {"taskId": "t", "status": "working"}
    for result, modern in (({"task": state}, False), ({"resultType": "task", **state}, True)):
        made = task.made(raw(result), modern=modern)
        assert made is not None and made.ident == "t"
    assert task.made(raw({"content": [{"text": "task"}], "resultType": "complete"}), modern=True) is None
    assert task.made(raw({"content": []}), modern=False) is None
    for junk, modern in (([], False), ({"task": 7}, False), ({"resultType": "task"}, True)):
        with pytest.raises(ProtocolError):
            task.made(raw(junk), modern=modern)


# --- ids -------------------------------------------------------------------------------------------------------------


def test_ids_are_good_for_their_owner() -> None:
    ids, named = TaskIds(), Named("s", "1")
    mine = ids.close(named, "me")
    assert mine == ids.close(named, "me") != ids.close(named, "you")
    assert ids.open(mine, "me") == named
    for text, owner in ((mine, "you"), (mine, ""), (mine[:-1], "me"), ("", "me"), ("é", "me"), ("x" * 300_000, "me")):
        assert ids.open(text, owner) is None
    assert TaskIds().open(mine, "me") is None
    assert "me" not in mine
    # No part of one text can be taken for a part of another's.
    assert ids.open(ids.close(Named("s", "1"), "a"), "a1") is None


def test_ids_inside() -> None:
    mention = {RELATED: {"taskId": "1"}}
    assert loaded(related.named(raw({"taskId": "1", "x": 1}), "new")) == {"taskId": "new", "x": 1}
    made = {"task": {"taskId": "1", "x": 1}, "_meta": {**mention, "y": 1}}
    assert loaded(related.made(raw(made), "new")) == {
        "task": {"taskId": "new", "x": 1},
        "_meta": {RELATED: {"taskId": "new"}, "y": 1},
    }
    assert loaded(related.stripped(raw({"x": 1, "_meta": mention}))) == {"x": 1}
    assert loaded(related.stripped(raw({"_meta": {**mention, "y": 1}}))) == {"_meta": {"y": 1}}
    assert loaded(related.belonging(raw({"x": 1}), "1")) == {"x": 1, "_meta": mention}
    for same in (raw({"x": RELATED[:-1]}), raw([RELATED]), raw({"_meta": 7, "x": RELATED})):
        assert related.stripped(same) == same
        assert related.related(same, "new") == same
        assert related.named(same, "new") == same
        assert related.made(same, "new") == same


# --- who holds them --------------------------------------------------------------------------------------------------


async def test_a_ledger_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_MOST", 5)
    monkeypatch.setattr(ledger, "_MOST_OF_ONE", 3)
    channel: Any = object()
    book, gone = Ledger(), []

    def enter(owner: str, ident: str, ttl: float | None = None) -> None:
        entry = Entry(f"server-{owner}", owner, f"{owner}#0", lambda: gone.append(ident))
        book.enter(Held(channel, ident), entry, Task(ident=ident, status="working", ttl=ttl))

    for number in range(4):
        enter("a", f"a{number}")
    assert gone == ["a0"]
    for number in range(3):
        enter("b", f"b{number}")
    assert gone == ["a0", "a1"]
    assert len(book) == 5
    assert (book.servers("a"), book.servers("c")) == (["server-a"], [])
    assert book.place("server-a", "a2", "a") == "a#0"
    assert book.place("server-a", "a2", "b") is book.place("server-b", "a2", "a") is None
    book.settle(Held(channel, "a2"))
    book.settle(Held(channel, "a2"))
    assert gone == ["a0", "a1", "a2"]
    assert book.owner(Held(channel, "a2")) == "a"  # its result may still be asked for
    enter("b", "a2")  # its server has given the id to another task
    assert book.owner(Held(channel, "a2")) == "b"
    book.forget("b")
    book.forget("nobody")
    assert len(book) == 1
    enter("c", "c0", ttl=0.01)
    async with asyncio.timeout(60):
        while book.owner(Held(channel, "c0")) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    book.close()
    assert len(book) == 0
    assert sorted(gone) == sorted(["a0", "a1", "a2", "b0", "b1", "b2", "a2", "c0", "a3"])


async def test_listeners_hear_the_latest_of_each_task() -> None:
    listener = Listener(frozenset())
    for state in (b'{"n":1}', b'{"n":2}'):
        listener.task("t1", state)
    listener.task("t2", b"{}")
    listener.say(b"one")
    listener.say(b"two")
    news = await listener.news(1)
    assert news is not None
    assert [(each.kind, each.params) for each in news] == [
        ("task", b'{"n":2}'),
        ("task", b"{}"),
        ("said", b"one"),
        ("said", b"two"),
    ]
    for _ in range(10):
        listener.say(b"x" * (1 << 20))
    other = Listener(frozenset())
    other.say(b"first")
    other.inherit(listener)
    heard = await other.news(1)
    assert heard is not None
    assert sum(len(each.params) for each in heard) <= 4 << 20
    assert [each.params[:1] for each in heard][:3] == [b"f", b"x", b"x"]
