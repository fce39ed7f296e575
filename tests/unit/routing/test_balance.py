from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.routing.balance import Member, choose
from vsm_mcp.routing.router import Router
from vsm_mcp.routing.shares import Share
from vsm_mcp.routing.table import Route


def members(*weights: float) -> tuple[Member, ...]:
    return tuple(Member(server=f"s{number}", weight=weight) for number, weight in enumerate(weights))


def served(found: Member | None) -> str:
    assert found is not None
    return found.server


def test_the_fewest_calls_for_its_weight() -> None:
    loads = {"s0": 3, "s1": 1, "s2": 5}
    assert served(choose(members(1, 1, 1), "", loads.get, sticky=True)) == "s1"
    assert served(choose(members(1, 1, 4), "", loads.get, sticky=True)) == "s2"


def test_calls_are_spread_by_weight() -> None:
    loads = {"s0": 0, "s1": 0}
    for _ in range(400):
        loads[served(choose(members(3, 1), "", loads.get, sticky=True))] += 1
    assert loads == {"s0": 300, "s1": 100}


def test_the_lowest_priority_while_one_of_it_can_answer() -> None:
    both = (Member(server="near"), Member(server="far", priority=1))
    assert served(choose(both, "", {"near": 99, "far": 0}.get, sticky=True)) == "near"
    assert served(choose(both, "", {"near": None, "far": 9}.get, sticky=True)) == "far"


def test_one_of_those_that_cannot_answer_where_no_other_is() -> None:
    assert served(choose(members(1, 1), "", lambda _: None, sticky=True)) in {"s0", "s1"}
    assert choose((), "", lambda _: 0, sticky=True) is None


def test_one_without_weight_only_where_nobody_else_is() -> None:
    both = (Member(server="well"), Member(server="ill", weight=0.0))
    assert served(choose(both, "", {"well": 50, "ill": 0}.get, sticky=False)) == "well"
    assert served(choose(both, "", {"well": None, "ill": 0}.get, sticky=False)) == "ill"


@given(st.text(min_size=1), st.lists(st.floats(0.1, 10.0), min_size=1, max_size=8))
def test_a_caller_keeps_its_server_however_busy_it_is(caller: str, weights: list[float]) -> None:
    found = members(*weights)
    first = choose(found, caller, lambda _: 0, sticky=True)
    assert first == choose(found, caller, lambda server: len(server) * 7, sticky=True)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=40, unique=True))
def test_only_the_callers_of_one_that_goes_away_move(callers: list[str]) -> None:
    found = members(1, 2, 3)
    for caller in callers:
        before = served(choose(found, caller, lambda _: 0, sticky=True))
        after = served(choose(found, caller, lambda server: None if server == "s1" else 0, sticky=True))
        assert before in (after, "s1")


def test_callers_are_spread_by_weight() -> None:
    found = members(1, 3)
    count = Counter(served(choose(found, f"caller {n}", lambda _: 0, sticky=True)) for n in range(4000))
    assert 0.70 < count["s1"] / 4000 < 0.80


# --- the router ----------------------------------------------------------------------------------------------------


def grouped() -> Router:
    router = Router()
    tools = frozenset({"read"})
    router.group({"a": (Member(server="a", tools=tools), Member(server="b", tools=tools))})
    return router


def test_a_call_goes_to_a_replica_under_the_name_that_was_asked_for() -> None:
    router = grouped()
    router.load = {"a": 5, "b": 0}.get
    assert router.directed(Route("a", "read"), "") == Route("b", "read", "a")
    assert router.directed(Route("a", "write"), "") == Route("a", "write")


def test_what_failed_a_call_is_not_asked_again_while_another_is_there() -> None:
    router = grouped()
    router.load = {"a": 5, "b": 0}.get
    assert router.directed(Route("a", "read"), "", besides={"b"}).server == "a"
    assert router.directed(Route("a", "read"), "", besides={"a", "b"}).server in {"a", "b"}


def test_a_degraded_one_loses_traffic_and_gets_it_back() -> None:
    router = grouped()
    router.load = lambda _: 0
    router.degrade("a", 0.0)
    assert {router.directed(Route("a", "read"), f"caller {n}").server for n in range(50)} == {"b"}
    assert "a" in router.special
    router.degrade("a", 1.0)
    assert {router.directed(Route("a", "read"), f"caller {n}").server for n in range(50)} == {"a", "b"}


def test_a_degraded_one_without_others_serves_as_before() -> None:
    router = Router()
    router.degrade("a", 0.5)
    assert router.directed(Route("a", "read"), "") == Route("a", "read")
    assert "a" not in router.special


def test_what_is_special_is_known_as_long_as_it_is() -> None:
    router = Router()
    assert router.special == set()
    router.share("a", Share(newcomer="a@2", percent=5, salt="s", tools=frozenset({"read"})))
    router.watch({"c"})
    assert router.special == {"a", "c"}
    router.share("a", None)
    router.watch(())
    assert router.special == set()
    router.group({"a": (Member(server="a"),)})
    assert router.special == {"a"}
    router.group({})
    assert router.special == set()


def test_a_replica_and_a_newcomer() -> None:
    """The newcomer takes its share of what the first of the replicas would have got."""
    router = grouped()
    router.load = {"a": 0, "b": 9}.get
    router.share("a", Share(newcomer="a@2", percent=100, salt="s", tools=frozenset({"read"})))
    assert router.directed(Route("a", "read"), "") == Route("a@2", "read", "a")
    assert router.directed(Route("a", "read"), "", besides={"a@2"}) == Route("a", "read")
