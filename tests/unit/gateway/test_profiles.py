"""Modes and profiles: what each view lists, names and lets through, over every front."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.gateway.fronts import FRONTS, HELLO, opened

from vsm_mcp import config
from vsm_mcp.gateway.catalogue import Catalogue
from vsm_mcp.gateway.changes import News
from vsm_mcp.gateway.display import Display, of_gateway, of_profile
from vsm_mcp.gateway.view import View
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.profile import Profile
from vsm_mcp.routing.table import Route

ALL = config.Gateway(mode="all")
PROFILES = {
    "sums": Profile(description="For sums.", tools=("*__add", "*__echo"), deny_tools=("new__echo",)),
    "plain": Profile(servers=("old",), plain_names=True),
    "both-plain": Profile(plain_names=True),
    "quiet": Profile(mode="search"),
    "nothing": Profile(servers=("absent-*",)),
}


def tool(name: str, **members: Any) -> Definition:
    raw = json.dumps({"name": name, "inputSchema": {"type": "object"}, **members}).encode()
    return Definition(kind=ItemKind.TOOL, name=name, raw=raw)


def offer(*names: str) -> Offer:
    return Offer(items=tuple(tool(name) for name in names))


def listed(catalogue: Catalogue) -> list[str]:
    return list(catalogue.listings["tools/list"].keys)


@pytest.fixture
async def fleet(start: Any) -> Any:
    servers = {"old": ["--mode", "legacy"], "new": ["--mode", "modern"]}
    return await start(servers, ALL, profiles=PROFILES)


@pytest.mark.parametrize("front", FRONTS)
async def test_each_profile_shows_its_own(fleet: Any, front: str) -> None:
    expected = {
        "": 16,
        "sums": ["new__add", "old__add", "old__echo"],
        "quiet": ["call_tool", "describe_tool", "find_tools"],
        "nothing": [],
    }
    for profile, names in expected.items():
        async with opened(front, fleet, profile) as client:
            found = await client.tools()
            assert (len(found) if isinstance(names, int) else found) == names
    async with opened(front, fleet, "sums") as client:
        assert client.hello["instructions"].startswith("For sums.\n\n")
        assert (await client.call("old__add", {"a": 1, "b": 2}))["content"][0]["text"] == "3"
        for name in ("new__echo", "old__pid"):
            error = (await client.ask("tools/call", {"name": name, "arguments": {}}))["error"]
            assert error["code"] == -32602
            assert name not in error["data"]["closest"]
            assert error["message"].startswith(f"unknown tool: {name}")


@pytest.mark.parametrize("front", FRONTS)
async def test_the_own_tools_of_a_profile_reach_no_further_than_it(start: Any, front: str) -> None:
    profile = Profile(tools=("*__add",), mode="search")
    endpoint = await start({"old": [], "new": []}, ALL, profiles={"sums": profile})
    async with opened(front, endpoint, "sums") as client:
        found = await client.call("find_tools", {"query": "returns the text it was given", "limit": 50})
        assert {card["name"] for card in found["structuredContent"]["tools"]} <= {"old__add", "new__add"}
        assert found["structuredContent"]["searched"] == 2
        assert found["structuredContent"]["met"] is False
        for name in ("call_tool", "describe_tool"):
            answer = await client.ask("tools/call", {"name": name, "arguments": {"name": "old__echo"}})
            assert answer["error"]["code"] == -32602
        direct = await client.call("old__add", {"a": 1, "b": 2})  # known by name, though it is not listed
        assert direct["content"][0]["text"] == "3"


@pytest.mark.parametrize("front", FRONTS)
async def test_plain_names(fleet: Any, front: str) -> None:
    async with opened(front, fleet, "plain") as client:
        assert "echo" in await client.tools()
        assert (await client.call("echo", {"text": "x"}))["content"][0]["text"] == "echo:x"
        prompt = await client.ask("prompts/get", {"name": "greet"})
        assert prompt["result"]["messages"][0]["content"]["text"] == "hello"
        resource = await client.ask("resources/read", {"uri": "note://one"})
        assert resource["result"]["contents"][0]["text"] == "a note"
        assert "under their own names" in client.hello["instructions"]
    async with opened(front, fleet, "both-plain") as client:
        assert {"old__echo", "new__echo"} <= set(await client.tools())
        assert (await client.ask("tools/call", {"name": "echo", "arguments": {}}))["error"]["code"] == -32602


@pytest.mark.parametrize("front", FRONTS)
async def test_uris_are_mapped_only_where_a_view_needs_it(start: Any, tmp_path: Any, front: str) -> None:
    servers = {name: ["--record", str(tmp_path / name)] for name in ("one", "two")}
    endpoint = await start(servers, ALL, profiles={"one": Profile(servers=("one",))})
    for profile, shown in (("", "vsm-mcp://one/note://{name}"), ("one", "note://{name}")):
        async with opened(front, endpoint, profile) as client:
            listed = (await client.ask("resources/templates/list"))["result"]["resourceTemplates"]
            assert shown in [template["uriTemplate"] for template in listed]
            uri = shown.replace("{name}", "seven")
            assert (await client.ask("resources/read", {"uri": uri}))["result"]["contents"][0]["text"] == "a note"
            reference = {"type": "ref/resource", "uri": shown}
            argument = {"name": "name", "value": "s"}
            answer = await client.ask("completion/complete", {"ref": reference, "argument": argument})
            assert answer["error"]["message"] == "Method not found"  # the server's own word: it was asked
            received = [json.loads(line) for line in (tmp_path / "one").read_bytes().splitlines()]
            assert received[-2]["params"]["uri"] == "note://seven"
            assert received[-1]["params"]["ref"] == {"type": "ref/resource", "uri": "note://{name}"}
    assert b"note://" not in (tmp_path / "two").read_bytes()


async def test_a_path_that_no_profile_has(fleet: Any) -> None:
    for path in ("none", "sums/more", "SUMS", "x" * 5000):
        async with fleet.http.post(f"{fleet.url}/{path}", data=b"{}") as answer:
            assert answer.status == 404
            body = await answer.text()
            assert "no profile" in body
            assert len(body) < 400


async def test_the_old_pair_of_endpoints_serves_profiles_too(fleet: Any) -> None:
    origin = fleet.url.removesuffix("/mcp")
    async with fleet.http.get(f"{origin}/sse/none") as answer:
        assert answer.status == 404
    async with fleet.http.get(f"{origin}/sse/sums") as stream:
        assert (await stream.content.readline()).strip() == b"event: endpoint"
        where = (await stream.content.readline()).decode().removeprefix("data: ").strip()
        for ident, method, params in ((0, "initialize", HELLO), (1, "tools/list", {})):
            message = {"jsonrpc": "2.0", "id": ident, "method": method, "params": params}
            async with fleet.http.post(f"{origin}{where}", json=message) as taken:
                assert taken.status == 202
            async with asyncio.timeout(60):
                while not (line := await stream.content.readline()).startswith(
                    b'data: {"jsonrpc":"2.0","id":%d' % ident
                ):
                    pass
    names = [tool["name"] for tool in json.loads(line[6:])["result"]["tools"]]
    assert names == ["new__add", "old__add", "old__echo"]


async def test_a_session_belongs_to_its_profile(fleet: Any) -> None:
    await fleet.initialize()
    assert (await fleet.legacy("tools/list"))[0] == 200
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"mcp-session-id": fleet.session, "content-type": "application/json"}
    async with fleet.http.post(f"{fleet.url}/sums", json=message, headers=headers) as answer:
        assert answer.status == 404


async def test_news_reach_those_whose_list_changed(fleet: Any) -> None:
    gateway = fleet.gateway
    everything, sums, nothing = (gateway.find_view(name).changes.listen(frozenset(["tools"])) for name in
                                 ("", "sums", "nothing"))  # fmt: skip
    offers = {name: shelf.offer for name, shelf in gateway.catalogue.shelves.items()}
    gateway.set_offers({**offers, "third": offer("other")})
    tools = (News("tools"),)
    assert await everything.news(0.01) == tools
    assert await sums.news(0.01) == ()
    gateway.set_offers({**offers, "third": offer("other", "add")})
    assert await sums.news(0.01) == tools
    assert await nothing.news(0.01) == ()
    gateway.close()
    assert await nothing.news(0.01) is None


# --- modes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "tools", "searching"),
    [("all", 500, False), ("search", 0, True), ("auto", 60, False), ("auto", 61, True), ("auto", 0, False)],
)
def test_modes(mode: str, tools: int, searching: bool) -> None:
    offers = {"s": offer(*(f"t{n}" for n in range(tools)))}
    catalogue = Catalogue(offers, display=of_gateway(config.Gateway(mode=mode), acquires=True))
    assert catalogue.searching is searching
    assert len(catalogue.table.tools) == tools
    own = {"acquire_capability", "call_tool", "describe_tool", "find_tools"} if searching else {"acquire_capability"}
    assert catalogue.own == own
    assert listed(catalogue) == sorted(own if searching else {*(f"s__t{n}" for n in range(tools)), *own})


async def test_crossing_the_limit_is_told_once() -> None:
    view = View(8, 100, display=Display(mode="auto", tool_limit=2))
    news = view.changes.listen(frozenset(["tools"]))
    seen = []
    for count in (1, 2, 3, 4, 5, 2, 2):
        view.show({"s": offer(*(f"t{n}" for n in range(count)))}, ())
        seen.append((view.catalogue.searching, await news.news(0.01)))
    told = (News("tools"),)
    assert seen == [
        (False, told), (False, told), (True, told), (True, ()), (True, ()), (False, told), (False, ()),
    ]  # fmt: skip


def test_the_default_is_to_search_above_sixty_tools() -> None:
    display = of_gateway(config.Gateway(), acquires=False)
    assert (display.mode, display.tool_limit, display.acquires) == ("auto", 60, False)


def test_a_profile_leaves_open_what_the_gateway_decides() -> None:
    gateway = config.Gateway(mode="search", tool_limit=7)
    assert of_profile("p", Profile(), gateway, acquires=True).mode == "search"
    chosen = of_profile("p", Profile(mode="all", tool_limit=0), gateway, acquires=True)
    assert (chosen.mode, chosen.tool_limit, chosen.acquires) == ("all", 0, False)  # acquiring has to be said
    asked = Profile(acquire=True)
    assert of_profile("p", asked, gateway, acquires=True).acquires
    assert not of_profile("p", asked, gateway, acquires=False).acquires
    assert not of_profile("p", asked, config.Gateway(acquire=False), acquires=True).acquires


def test_the_policys_word_holds_under_every_name() -> None:
    offers = {"files": offer("read", "write"), "notes": offer("list")}
    for denied in (("files__write",), ("write",)):
        catalogue = Catalogue(offers, denied, display=Display(plain_names=True))
        assert listed(catalogue) == (["list", "read"])
        assert catalogue.table.denied == {"write"}
    catalogue = Catalogue(offers, (), display=Display(plain_names=True, tools=("files__*",), deny_tools=("write",)))
    assert listed(catalogue) == ["read"]
    assert catalogue.table.denied == frozenset()


def test_the_gateways_own_tools_can_be_denied() -> None:
    display = Display(mode="search", acquires=True)
    assert Catalogue({}, ("acquire_*",), display=display).own == {"call_tool", "describe_tool", "find_tools"}
    assert Catalogue({}, ("*",), display=display).own == frozenset()
    shown = Display(mode="search", tools=("files__*",), deny_tools=("call_tool",))
    assert Catalogue({}, (), display=shown).own == {"describe_tool", "find_tools"}


def test_a_servers_tool_does_not_take_the_place_of_our_own() -> None:
    offers = {"sly": offer("find_tools", "other")}
    catalogue = Catalogue(offers, display=Display(plain_names=True, mode="auto", tool_limit=1))
    assert set(catalogue.table.tools) == {"sly__find_tools", "other"}
    everything = Catalogue(offers, display=Display(plain_names=True))
    assert listed(everything) == ["other", "sly__find_tools"]


def test_a_newcomer_of_the_same_name_changes_both_names_and_no_other_shelf() -> None:
    display = Display(plain_names=True)
    one, two = offer("read", "only"), offer("other")
    before = Catalogue({"a": one, "b": two}, display=display)
    assert listed(before) == ["only", "other", "read"]
    after = Catalogue({"a": one, "b": two, "c": offer("read")}, before=before, display=display)
    assert listed(after) == ["a__read", "c__read", "only", "other"]
    assert after.shelves["b"] is before.shelves["b"]
    assert after.shelves["a"] is not before.shelves["a"]
    assert after.table.tools["c__read"] == Route("c", "read")


def test_views_with_the_same_names_share_what_was_encoded() -> None:
    first, second = View(8, 100), View(8, 100, display=Display(tools=("s__a",)))
    offers = {"s": offer("a", "b")}
    first.show(offers, ())
    second.show(offers, (), first.catalogue)
    assert second.catalogue.shelves["s"] is first.catalogue.shelves["s"]
    assert listed(second.catalogue) == ["s__a"]


NAMES = st.text(alphabet="abAB_.-é", min_size=1, max_size=6)


@given(st.dictionaries(st.sampled_from(["a", "b", "C d"]), st.lists(NAMES, max_size=6), max_size=3), st.booleans())
def test_every_listed_tool_leads_back_to_its_own(servers: dict[str, list[str]], plain: bool) -> None:
    offers = {server: offer(*names) for server, names in servers.items()}
    catalogue = Catalogue(offers, display=Display(plain_names=plain))
    routes = {(route.server, route.name) for route in catalogue.table.tools.values()}
    assert routes == {(server, name) for server, names in servers.items() for name in names}
    assert listed(catalogue) == sorted(catalogue.table.tools)


async def test_profiles_come_change_and_go_while_clients_are_there(fleet: Any) -> None:
    gateway = fleet.gateway
    ears = {name: gateway.views[name].changes.listen(frozenset({"tools"})) for name in ("", "sums", "quiet", "plain")}
    fresh = {
        "sums": Profile(tools=("*__add",)),
        "plain": PROFILES["plain"],
        "new": Profile(mode="search"),
    }
    kept = {name: gateway.views[name] for name in ("", "sums", "plain")}
    gateway.configure(config.Gateway(mode="all", call_timeout_seconds=7, max_sessions=3), fresh)
    assert set(gateway.views) == {"", "sums", "plain", "new"}
    assert {name: gateway.views[name] for name in kept} == kept
    assert listed(gateway.views["sums"].catalogue) == ["new__add", "old__add"]
    assert listed(gateway.views["new"].catalogue) == ["call_tool", "describe_tool", "find_tools"]
    assert await ears["sums"].news(5) == (News("tools"),)
    assert ears["quiet"].ended
    assert not ears[""].ended
    assert not ears["plain"].ended
    gateway.configure(config.Gateway(mode="search"), {})
    assert gateway.view is kept[""]
    assert listed(gateway.catalogue) == ["call_tool", "describe_tool", "find_tools"]


async def test_other_times_count_for_the_next_call(fleet: Any) -> None:
    async with opened("stdio", fleet, "") as client:
        assert (await client.call("old__slow", {"seconds": 0.4}))["content"][0]["text"] == "slept 0.4"
        fleet.gateway.configure(config.Gateway(mode="all", call_timeout_seconds=0.1), PROFILES)
        assert (await client.call("old__slow", {"seconds": 30}))["isError"]
