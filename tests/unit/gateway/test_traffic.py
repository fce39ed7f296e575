"""What follows when a call fails, and which way calls take, with real servers that write down what they carried out."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from vsm_mcp.events import BreakerClosed, BreakerHalfOpened, BreakerOpened, Event, FailedOver
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.messages import Request
from vsm_mcp.model.principal import Principal
from vsm_mcp.model.profile import Profile
from vsm_mcp.model.routing_settings import RoutingSettings
from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.routing.balance import Member
from vsm_mcp.routing.table import Route
from vsm_mcp.testing import counting, curious

FAILURE = "vsm-mcp/failure"
SERVED_BY = "vsm-mcp/served-by"
CACHED = "vsm-mcp/cached"


class Counted:
    """A gateway in front of counting servers, and what was carried out behind it."""

    def __init__(self, demo: Any, record: Path) -> None:
        self.demo = demo
        self.record = record
        self.traffic = demo.gateway.traffic
        self.router = demo.gateway.router
        self.events: list[Event] = []
        self.traffic.emit = self.router.breakers.emit = self.events.append
        self.router.breakers.draw = self.traffic.draw = lambda: 0.0

    def configure(self, **settings: Any) -> None:
        self.traffic.configure(RoutingSettings(**settings))

    async def call(self, name: str, key: str, **params: Any) -> dict[str, Any]:
        given = {"name": name, "arguments": {"key": key}, **params}
        body = (await self.demo.modern("tools/call", given))[1]
        if isinstance(body, str):
            body = json.loads(body.rpartition("data: ")[2])
        result: dict[str, Any] = body["result"]
        return result

    def done(self) -> Counter[str]:
        """How often each tool was carried out with each key."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        return Counter(line.rpartition(" ")[0] for line in lines)

    def replicas(self, *names: str) -> None:
        """Make the first one answer together with the others."""
        members = tuple(Member(server=name, tools=frozenset(counting.HINTS)) for name in names)
        self.router.group({names[0]: members})


class Known:
    """Knows that each tool of one server can do the work of the same of another."""

    def __init__(self, **stand_ins: str) -> None:
        self.stand_ins_of = stand_ins

    def stand_ins(self, server: str, tool: str) -> Sequence[StandIn]:
        other = self.stand_ins_of.get(server)
        return [] if other is None else [StandIn(server=other, tool=tool, arguments={"key": "key"}, likeness=0.9)]


def said(result: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result["content"][0]["text"])
    return found


@pytest.fixture
async def counted(start: Any, tmp_path: Path) -> Any:
    async def make(*names: str, **more: Any) -> Counted:
        record = tmp_path / "record"
        argv = ["--", sys.executable, counting.__file__, "--record", str(record), "--name"]
        return Counted(await start({name: [*argv, name] for name in names}, **more), record)

    return make


# --- the same again ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["look", "put"])
async def test_what_is_safe_is_made_again_when_its_server_dies_under_it(counted: Any, tool: str) -> None:
    world = await counted("a")
    result = await world.call(f"a__{tool}", "die-1")
    assert said(result)["count"] == 2
    assert SERVED_BY not in result.get("_meta", {})
    assert world.demo.fleet.started == {"a": 2}


async def test_what_writes_is_never_made_twice(counted: Any) -> None:
    world = await counted("a")
    failure = (await world.call("a__add", "die-1"))["_meta"][FAILURE]
    assert (failure["class"], failure["server"]) == ("transport", "a")
    assert world.done() == {"add die-1": 1}
    assert said(await world.call("a__add", "x"))["count"] == 1


async def test_no_more_often_than_the_settings_say(counted: Any) -> None:
    world = await counted("a")
    world.configure(retries=0)
    assert FAILURE in (await world.call("a__look", "die-1"))["_meta"]
    assert world.done() == {"look die-1": 1}


async def test_not_after_the_client_heard_of_progress(counted: Any) -> None:
    world = await counted("a")
    result = await world.call("a__look", "die-told", _meta={"progressToken": 7})
    assert FAILURE in result["_meta"]
    assert world.done() == {"look die-told": 1}


async def test_a_call_that_wants_progress_and_heard_of_none_is_made_again(counted: Any) -> None:
    world = await counted("a")
    assert said(await world.call("a__look", "die-1", _meta={"progressToken": 7}))["count"] == 2


async def test_many_at_a_time(counted: Any) -> None:
    """One dies under all of them: what is safe is answered, what is not was done once or never."""
    world = await counted("a")
    keys = [f"{number}" for number in range(20)]
    safe = [world.call("a__look", key) for key in [*keys, "die-1"]]
    unsafe = [world.call("a__add", key) for key in keys]
    results = await asyncio.gather(*safe, *unsafe)
    assert all(FAILURE not in result.get("_meta", {}) for result in results[:21])
    assert all(world.done()[f"add {key}"] <= 1 for key in keys)
    for key, result in zip(keys, results[21:], strict=True):
        assert FAILURE in result.get("_meta", {}) or world.done()[f"add {key}"] == 1


# --- others in its place -------------------------------------------------------------------------------------------


async def test_another_server_answers_in_its_place_and_the_answer_says_so(counted: Any) -> None:
    world = await counted("a", "b")
    world.traffic.stand_ins = Known(a="b")
    world.demo.fleet.down["a"] = "it is ill"
    for _ in range(3):
        result = await world.call("a__look", "x")
        assert said(result)["server"] == "b"
        assert result["_meta"][SERVED_BY] == {"server": "b", "tool": "look"}
    assert world.events == [
        FailedOver(server="a", tool="look", served_by="b", served_tool="look", reason="a is not running: it is ill")
    ]


async def test_what_writes_goes_elsewhere_only_where_the_settings_say_so(counted: Any) -> None:
    world = await counted("a", "b")
    world.traffic.stand_ins = Known(a="b")
    world.demo.fleet.down["a"] = "it is ill"
    assert FAILURE in (await world.call("a__add", "x"))["_meta"]
    assert world.done() == {}
    world.configure(failover="same-effects")
    assert said(await world.call("a__add", "x"))["server"] == "b"
    world.configure(failover="same-effects", failover_deny=("b__*",))
    assert FAILURE in (await world.call("a__add", "x"))["_meta"]
    assert world.done() == {"add x": 1}


async def test_what_was_sent_and_writes_goes_nowhere_else(counted: Any) -> None:
    world = await counted("a", "b")
    world.configure(failover="same-effects")
    world.traffic.stand_ins = Known(a="b")
    assert FAILURE in (await world.call("a__add", "die-1"))["_meta"]
    assert world.done() == {"add die-1": 1}


async def test_off_is_off(counted: Any) -> None:
    world = await counted("a", "b")
    world.configure(failover="off")
    world.traffic.stand_ins = Known(a="b")
    world.demo.fleet.down["a"] = "it is ill"
    assert FAILURE in (await world.call("a__look", "x"))["_meta"]


async def test_nobody_stands_in_whom_the_client_may_not_use(counted: Any) -> None:
    world = await counted("a", "b", profiles={"narrow": Profile(servers=("a",))})
    world.traffic.stand_ins = Known(a="b")
    world.demo.fleet.down["a"] = "it is ill"
    world.demo.url += "/narrow"
    assert FAILURE in (await world.call("a__look", "x"))["_meta"]
    assert world.done() == {}


async def test_arguments_that_do_not_fit_go_nowhere(counted: Any) -> None:
    world = await counted("a", "b")
    world.traffic.stand_ins = Known(a="b")
    world.demo.fleet.down["a"] = "it is ill"
    params = {"name": "a__look", "arguments": {"key": "x", "more": 1}}
    body = (await world.demo.modern("tools/call", params))[1]
    assert FAILURE in body["result"]["_meta"]


async def test_a_stand_in_that_fails_as_well(counted: Any) -> None:
    world = await counted("a", "b")
    world.traffic.stand_ins = Known(a="b")
    world.demo.fleet.down.update(a="it is ill", b="it is ill, too")
    failure = (await world.call("a__look", "x"))["_meta"][FAILURE]
    assert failure["server"] == "a"
    assert "it is ill" in failure["message"]


async def test_one_that_counts_for_nothing_is_spared(counted: Any) -> None:
    world = await counted("a", "b")
    world.traffic.stand_ins = Known(a="b")
    world.router.degrade("a", 0.0)
    assert said(await world.call("a__look", "x"))["server"] == "b"
    assert said(await world.call("a__add", "x"))["server"] == "a", "with nobody else, it still serves"
    world.router.degrade("a", 1.0)
    assert said(await world.call("a__look", "x"))["server"] == "a"


# --- breakers ------------------------------------------------------------------------------------------------------


async def test_a_tool_that_kills_its_server_is_left_alone_and_comes_back(counted: Any) -> None:
    world = await counted("a", "b")
    world.configure(retries=0, failover="off", breaker_open_seconds=0.2)
    world.traffic.stand_ins = Known(a="b")
    for number in range(5):
        assert (await world.call("a__add", f"die-{number}"))["_meta"][FAILURE]["class"] == "transport"
    failure = (await world.call("a__add", "x"))["_meta"][FAILURE]
    assert (failure["class"], failure["code"], failure["retryable"]) == ("unavailable", "unavailable", True)
    assert 0.0 < failure["retryAfterSeconds"] <= 0.2
    assert "b__add" in failure["hint"]
    assert said(await world.call("a__look", "x"))["server"] == "a", "its other tools are well"
    [state] = world.router.breakers.states(0.0)
    assert (state.server, state.tool, state.state, state.failure) == ("a", "add", "open", "transport")
    await asyncio.sleep(failure["retryAfterSeconds"])
    assert said(await world.call("a__add", "y"))["count"] == 1
    assert [type(event) for event in world.events] == [BreakerOpened, BreakerHalfOpened, BreakerClosed]
    assert world.router.special == set()


async def test_what_a_tool_says_never_opens_anything(counted: Any) -> None:
    world = await counted("a")
    world.configure(breaker_in_a_row=1, breaker_calls=1)
    for _ in range(30):
        assert (await world.call("a__wrong", "x"))["isError"] is True
    assert world.router.breakers.states(0.0) == []
    assert world.events == []


async def test_a_probe_that_fails_leaves_it_alone_for_longer(counted: Any) -> None:
    world = await counted("a")
    world.configure(retries=0, breaker_open_seconds=0.1, breaker_in_a_row=1)
    await world.call("a__add", "die-1")
    await asyncio.sleep(0.1)
    assert (await world.call("a__add", "die-2"))["_meta"][FAILURE]["class"] == "transport"
    opened = [event.seconds for event in world.events if isinstance(event, BreakerOpened)]
    assert opened == [0.1, 0.2]


async def test_without_breakers_every_call_is_made(counted: Any) -> None:
    world = await counted("a")
    world.configure(retries=0, breakers=False)
    for number in range(8):
        assert (await world.call("a__add", f"die-{number}"))["_meta"][FAILURE]["class"] == "transport"
    assert len(world.done()) == 8


async def test_a_read_goes_elsewhere_while_its_server_is_left_alone(counted: Any) -> None:
    world = await counted("a", "b")
    world.configure(retries=0, breaker_in_a_row=1, breaker_open_seconds=60)
    await world.call("a__look", "die-1")
    world.traffic.stand_ins = Known(a="b")
    assert said(await world.call("a__look", "x"))["server"] == "b"
    assert world.demo.fleet.started == {"a": 1, "b": 1}


# --- replicas ------------------------------------------------------------------------------------------------------


async def test_replicas_share_the_calls_of_who_has_no_session(counted: Any) -> None:
    world = await counted("a", "b")
    world.replicas("a", "b")
    loads = Counter({"a": 0, "b": 0})
    world.router.load = loads.get
    for _ in range(10):
        loads[said(await world.call("a__look", "x"))["server"]] += 1
    assert loads == {"a": 5, "b": 5}


async def test_another_replica_answers_where_one_dies(counted: Any) -> None:
    world = await counted("a", "b")
    world.replicas("a", "b")
    world.router.load = {"a": 0, "b": 7}.get
    result = await world.call("a__look", "die-1")
    assert said(result)["server"] == "b"
    assert result["_meta"][SERVED_BY] == {"server": "b", "tool": "look"}
    assert FAILURE in (await world.call("a__add", "die-1"))["_meta"]
    assert world.done()["add die-1"] == 1


async def test_a_session_keeps_its_replica_while_that_is_well(counted: Any) -> None:
    world = await counted("a", "b")
    world.replicas("a", "b")
    await world.demo.initialize()

    async def who() -> str:
        body = (await world.demo.legacy("tools/call", {"name": "a__look", "arguments": {"key": "x"}}))[1]
        return str(said(body["result"])["server"])

    first = await who()
    assert {await who() for _ in range(8)} == {first}
    world.demo.fleet.down[first] = "it is ill"
    other = await who()
    assert other != first
    del world.demo.fleet.down[first]
    assert await who() == first


@pytest.mark.parametrize("mode", ["modern", "legacy"])
async def test_answers_to_questions_go_back_to_who_asked(start: Any, mode: str) -> None:
    argv = ["--", sys.executable, curious.__file__, "--mode", mode]
    demo = await start({"a": argv, "b": argv})
    demo.gateway.router.group({"a": tuple(Member(server=name, tools=frozenset({"ask"})) for name in ("a", "b"))})
    demo.gateway.router.load = {"a": 9, "b": 0}.get
    meta: dict[str, Any] = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}
    params = {"name": "a__ask", "arguments": {"count": 2}, "_meta": meta}
    for load in ({"a": 0, "b": 9}, {"a": 9, "b": 0}):
        question = (await demo.modern("tools/call", params))[1]["result"]
        assert question["resultType"] == "input_required"
        demo.gateway.router.load = load.get
        answers = {key: {"action": "accept", "content": {"name": "Ada"}} for key in question["inputRequests"]}
        params |= {"inputResponses": answers, "requestState": question["requestState"]}
    _, body = await demo.modern("tools/call", params)
    assert body["result"]["resultType"] == "complete"


# --- kept results --------------------------------------------------------------------------------------------------

KEEPS = {"cache_seconds": 60.0, "cache_tools": ("a__*",)}


async def test_nothing_is_kept_unless_it_is_asked_for(counted: Any) -> None:
    world = await counted("a")
    for _ in range(2):
        assert CACHED not in (await world.call("a__look", "x")).get("_meta", {})
    assert world.done() == {"look x": 2}


async def test_a_result_is_kept_and_says_how_old_it_is(counted: Any) -> None:
    world = await counted("a")
    world.configure(**KEEPS)
    first, second = await world.call("a__look", "x"), await world.call("a__look", "x")
    assert first["content"] == second["content"]
    assert CACHED not in first.get("_meta", {})
    assert 0.0 <= second["_meta"][CACHED]["ageSeconds"] < 60.0
    await world.call("a__look", "y")
    assert world.done() == {"look x": 1, "look y": 1}


async def test_a_handshake_client_gets_it_in_its_own_era(counted: Any) -> None:
    world = await counted("a")
    world.configure(**KEEPS)
    await world.call("a__look", "x")
    await world.demo.initialize()
    body = (await world.demo.legacy("tools/call", {"name": "a__look", "arguments": {"key": "x"}}))[1]
    assert "resultType" not in body["result"]
    assert CACHED in body["result"]["_meta"]


async def test_what_writes_and_what_fails_is_not_kept(counted: Any) -> None:
    world = await counted("a")
    world.configure(**KEEPS)
    for _ in range(2):
        await world.call("a__add", "x")
        await world.call("a__wrong", "x")
    assert world.done() == {"add x": 2, "wrong x": 2}


@pytest.mark.parametrize("writer", ["add", "put"])
async def test_a_call_that_writes_empties_what_is_kept_of_its_server(counted: Any, writer: str) -> None:
    world = await counted("a")
    world.configure(**KEEPS)
    await world.call("a__look", "x")
    await world.call(f"a__{writer}", "x")
    await world.call("a__look", "x")
    assert world.done()["look x"] == 2


async def test_another_definition_empties_it(counted: Any) -> None:
    world = await counted("a")
    world.configure(**KEEPS)
    await world.call("a__look", "x")
    world.demo.gateway.set_offer("a", await world.demo.fleet.connections["a"].offer(20))
    await world.call("a__look", "x")
    assert world.done() == {"look x": 2}


async def test_it_is_another_one_for_another_principal_and_none_for_a_stateful_server(counted: Any) -> None:
    world = await counted("a")
    world.configure(**KEEPS)
    keeping, view = world.traffic.keeping, world.demo.gateway.view
    route, params = Route("a", "look"), {"name": Raw(b'"look"'), "arguments": Raw(b'{"key":"x"}')}
    request = Request(b"1", "tools/call", params, None)
    callers = [Caller(view, modern=True, principal=Principal(name=name)) for name in ("key:anna", "key:bert")]
    keys = [keeping.key(route, request, caller) for caller in callers]
    assert None not in keys
    assert keys[0] != keys[1]
    asking = Request(b"1", "tools/call", {**params, "task": Raw(b"{}")}, None)
    assert keeping.key(route, asking, callers[0]) is None
    world.demo.fleet.stateful = lambda _server: True
    assert keeping.key(route, request, callers[0]) is None
