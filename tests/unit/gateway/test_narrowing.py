from __future__ import annotations

import json
from typing import Any

import pytest

from vsm_mcp import config
from vsm_mcp.gateway.gateway import Gateway
from vsm_mcp.gateway.narrowing import Narrowings
from vsm_mcp.gateway.refusals import Refusal
from vsm_mcp.gateway.view import View
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.principal import LOCAL, Grant, Principal
from vsm_mcp.model.profile import Profile


def item(kind: ItemKind, name: str) -> Definition:
    member = {"resource": "uri", "template": "uriTemplate"}.get(kind.value, "name")
    return Definition(kind=kind, name=name, raw=json.dumps({member: name, "name": name}).encode())


def offer(*tools: str, prompts: tuple[str, ...] = (), resources: tuple[str, ...] = (), says: str = "") -> Offer:
    items = [item(ItemKind.TOOL, name) for name in tools]
    items += [item(ItemKind.PROMPT, name) for name in prompts]
    items += [item(ItemKind.RESOURCE, uri) for uri in resources]
    items += [item(ItemKind.TEMPLATE, f"{uri}/{{x}}") for uri in resources]
    return Offer(items=tuple(items), instructions=says)


FILES = offer("read", "write", prompts=("sum",), resources=("file:///a", "same://x"), says="the files are here")
TIME = offer("now", prompts=("greet",), resources=("time://now", "same://x"), says="the time is here")


def gateway() -> Gateway:
    made = Gateway(object())  # type: ignore[arg-type]
    made.set_offers({"files": FILES, "time": TIME})
    return made


def who(**grant: Any) -> Principal:
    return Principal(name="key:ci", grant=Grant(**grant))


def seen(view: View) -> set[str]:
    return {key for listing in view.catalogue.listings.values() for key in listing.keys}


def in_search() -> Gateway:
    class Helpful:
        acquires = True

    made = Gateway(object(), config.Gateway(mode="search"), needs=Helpful())  # type: ignore[arg-type]
    made.set_offers({"files": FILES, "time": TIME})
    return made


FINDERS = {"find_tools", "describe_tool", "call_tool"}


def tools(view: View) -> set[str]:
    return set(view.catalogue.listings["tools/list"].keys)


async def test_what_is_found_is_what_is_covered() -> None:
    one = in_search()
    assert tools(one.view) == {*FINDERS, "acquire_capability"}
    assert {card.name for card in one.view.catalogue.lookup.cards(9)} == {"files__read", "files__write", "time__now"}
    view = one.narrowings.view("", who(allow_tools=("time__*",)))
    assert tools(view) == FINDERS
    assert {card.name for card in view.catalogue.lookup.cards(9)} == {"time__now"}
    found = await view.catalogue.lookup.find("read or write a file, or tell the time now", 9)
    assert {card.name for card, _ in found.tools} <= {"time__now"}
    assert found.searched == 1
    assert "files" not in view.catalogue.instructions


def test_the_gateways_own_tools_can_be_kept_from_a_key() -> None:
    one = in_search()
    assert tools(one.narrowings.view("", who(deny_tools=("acquire_*",)))) == FINDERS
    without = tools(one.narrowings.view("", who(deny_tools=("call_tool",))))
    assert without == {"find_tools", "describe_tool", "acquire_capability"}
    assert "acquire_capability" in tools(one.narrowings.view("", who(allow_tools=("time__*", "acquire_capability"))))


def test_a_list_that_has_become_short_is_a_list() -> None:
    one = Gateway(object(), config.Gateway(mode="auto", tool_limit=2))  # type: ignore[arg-type]
    one.set_offers({"files": FILES, "time": TIME})
    assert tools(one.view) == FINDERS
    assert tools(one.narrowings.view("", who(deny_tools=("time__*",)))) == {"files__read", "files__write"}


def test_a_profile_is_narrowed_in_its_own_way() -> None:
    profiles = {"web": Profile(servers=("time",), plain_names=True, mode="all")}
    one = Gateway(object(), profiles=profiles)  # type: ignore[arg-type]
    one.set_offers({"files": FILES, "time": TIME})
    assert tools(one.narrowings.view("web", who(allow_tools=("time__now",)))) == {"now"}
    assert tools(one.narrowings.view("web", who(deny_tools=("time__now",)))) == set()
    assert tools(one.narrowings.view("", who(allow_tools=("time__now",)))) == {"time__now"}


def test_every_part_of_a_catalogue_is_narrowed() -> None:
    one = in_search()
    narrow = one.narrowings.view("", who(allow_tools=("time__*",))).catalogue
    assert vars(narrow).keys() == vars(one.view.catalogue).keys() - {"lookup"}


def test_who_may_use_everything_sees_the_view_itself() -> None:
    one = gateway()
    assert one.narrowings.view("", LOCAL) is one.view
    assert one.narrowings.view("", who(rate=5)) is one.view


def test_a_server_as_a_whole() -> None:
    one = gateway()
    view = one.narrowings.view("", who(allow_tools=("time__*",)))
    assert seen(view) == {"time__now", "time__greet", "time://now", "time://now/{x}"} | {
        "vsm-mcp://time/same://x",
        "vsm-mcp://time/same://x/{x}",
    }
    table = view.catalogue.table
    assert set(table.tools) == {"time__now"}
    assert {"files__read", "files__write"} <= table.denied
    for uri in ("file:///a", "file:///a/1", "vsm-mcp://files/same://x", "vsm-mcp://files/file:///a"):
        route = table.resource(uri)  # the one server that is left may be asked for anything, the other never
        assert route is None or route.server == "time"
    assert "the time" in view.catalogue.instructions
    assert "the files" not in view.catalogue.instructions
    assert "files" not in json.dumps([page.decode() for lists in _pages(view) for page in lists])


def _pages(view: View) -> list[list[bytes]]:
    return [
        [listing.page("", modern=True), listing.page("", modern=False)] for listing in view.catalogue.listings.values()
    ]


def test_one_tool_brings_no_resources_with_it() -> None:
    assert seen(gateway().narrowings.view("", who(allow_tools=("files__read",)))) == {"files__read"}


def test_what_is_denied_is_denied_and_the_rest_is_there() -> None:
    one = gateway()
    view = one.narrowings.view("", who(deny_tools=("files__w*",)))
    assert seen(one.view) - seen(view) == {"files__write"}


def test_names_of_a_profile_do_not_get_past_a_pattern() -> None:
    plain = Gateway(object(), name=lambda _server, name: name)  # type: ignore[arg-type]
    plain.set_offers({"files": FILES, "time": TIME})
    view = plain.narrowings.view("", who(deny_tools=("files__*",)))
    assert {"read", "write", "sum", "file:///a"} & seen(view) == set()
    assert {"now", "greet"} <= seen(view)


def test_neither_do_names_that_were_shortened() -> None:
    one = Gateway(object())  # type: ignore[arg-type]
    server, tool = "a-server-with-quite-a-long-name", "a_tool_with_a_name_that_is_even_longer_than_that"
    one.set_offers({server: offer(tool)})
    assert f"{server}__{tool}" not in seen(one.view)
    assert seen(one.narrowings.view("", who(deny_tools=(f"{server}__*",)))) == set()


def test_the_view_follows_what_is_served() -> None:
    one = gateway()
    principal = who(allow_tools=("*__now",))
    view = one.narrowings.view("", principal)
    assert seen(view) == {"time__now"}
    one.set_offers({"clock": offer("now", "later")})
    assert seen(view) == {"clock__now"}
    assert one.narrowings.view("", principal) is view
    assert view.changes is one.view.changes


def test_equal_patterns_share_a_view_and_the_number_of_views_is_bounded() -> None:
    one = gateway()
    first = one.narrowings.view("", who(allow_tools=("time__*",)))
    assert one.narrowings.view("", Principal(name="key:b", grant=Grant(allow_tools=("time__*",), rate=3))) is first
    for number in range(1000):
        one.narrowings.view("", who(allow_tools=(f"{number}__*",)))
    assert len(one.narrowings) <= 256


def test_profiles_that_a_grant_covers() -> None:
    one = gateway()
    web = View(8, 100)
    web.show({"time": TIME}, ())
    narrowings = Narrowings({"": one.view, "web": web}.get)
    assert narrowings.view("web", who(profiles=("web",))) is web
    with pytest.raises(Refusal, match="without a profile") as caught:
        narrowings.view("", who(profiles=("web",)))
    assert caught.value.status == 403
    assert "/mcp/web" in caught.value.message
    with pytest.raises(Refusal) as caught:  # whether or not there is one
        narrowings.view("secret", who(profiles=("web",)))
    assert caught.value.status == 403
    with pytest.raises(Refusal) as caught:
        narrowings.view("none", who())
    assert caught.value.status == 404
    assert seen(narrowings.view("web", who(allow_tools=("files__*",)))) == set()
    assert seen(narrowings.view("", who(allow_tools=("files__*",)))) != set()


def test_pages_of_a_narrowed_list() -> None:
    from vsm_mcp.gateway.gateway import Limits

    one = Gateway(object(), limits=Limits(page_items=2))  # type: ignore[arg-type]
    one.set_offers({"a": offer(*(f"t{n}" for n in range(5))), "b": offer("x")})
    listing = one.narrowings.view("", who(deny_tools=("a__t1",))).catalogue.listings["tools/list"]
    names, cursor = [], ""
    while True:
        page = json.loads(listing.page(cursor, modern=False))
        names += [tool["name"] for tool in page["tools"]]
        cursor = page.get("nextCursor", "")
        if not cursor:
            break
    assert names == ["a__t0", "a__t2", "a__t3", "a__t4", "b__x"]
