from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.routing.names import exposed
from vsm_mcp.routing.plain import PlainNames


def offer(*names: str, kind: ItemKind = ItemKind.TOOL) -> Offer:
    return Offer(items=tuple(Definition(kind=kind, name=name, raw=b"{}") for name in names))


def test_a_name_that_one_server_has_is_kept() -> None:
    names = PlainNames({"a": offer("read", "both"), "b": offer("write", "both")})
    assert names("a", "read") == "read"
    assert names("b", "write") == "write"
    assert {names("a", "both"), names("b", "both")} == {"a__both", "b__both"}
    assert names("b", "read") == "b__read"  # not offered by b: nobody else's name


def test_a_tool_and_a_prompt_of_two_servers_are_one_name() -> None:
    names = PlainNames({"a": offer("greet"), "b": offer("greet", kind=ItemKind.PROMPT)})
    assert names("a", "greet") == "a__greet"
    assert names("b", "greet") == "b__greet"
    assert PlainNames({"a": offer("u", kind=ItemKind.RESOURCE), "b": offer("u")})("b", "u") == "u"


def test_names_that_will_not_do() -> None:
    spellings = ("a.b", "with space", "é", "x" * 65, "a__b", "taken", "line\n", "")
    names = PlainNames({"s": offer(*spellings)}, reserved={"taken"})
    assert [names("s", item) for item in spellings] == [exposed("s", item) for item in spellings]


SERVERS = st.dictionaries(
    st.sampled_from(["a", "b", "b__c", "C"]),
    st.sets(st.text(alphabet="ab_.C", min_size=1, max_size=6), max_size=8),
    max_size=4,
)


@given(SERVERS)
def test_no_two_items_share_a_name(servers: dict[str, set[str]]) -> None:
    names = PlainNames({server: offer(*items) for server, items in servers.items()})
    items = [(server, item) for server, held in servers.items() for item in held]
    assert len({names(*item) for item in items}) == len(items)


@given(SERVERS, st.sampled_from(["a", "b", "new"]), st.sets(st.text(alphabet="ab_", min_size=1, max_size=4)))
def test_no_name_ever_comes_to_mean_another_servers_item(
    servers: dict[str, set[str]], newcomer: str, brings: set[str]
) -> None:
    before = {server: offer(*items) for server, items in servers.items()}
    old, new = PlainNames(before), PlainNames({**before, newcomer: offer(*brings)})
    kept = {old(server, item): (server, item) for server, items in servers.items() for item in items}
    for item in brings - servers.get(newcomer, set()):
        assert kept.get(new(newcomer, item), (newcomer, item)) == (newcomer, item)
