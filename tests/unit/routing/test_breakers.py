from __future__ import annotations

import pytest

from vsm_mcp.events import BreakerClosed, BreakerHalfOpened, BreakerOpened, Event
from vsm_mcp.model.ending import Ending
from vsm_mcp.routing.breaker import BreakerOpen, Rules, State
from vsm_mcp.routing.breakers import Breakers, Failed
from vsm_mcp.routing.ledger import Ledger


class World:
    """Breakers with what they said."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.marked: list[str] = []
        self.events: list[Event] = []
        self.breakers = Breakers(self.ledger, self.marked.append)
        self.breakers.emit = self.events.append
        self.breakers.draw = lambda: 0.0
        self.now = 0.0

    def fail(self, tool: str = "read", ending: Ending = Ending.TRANSPORT, times: int = 5, **more: bool) -> None:
        for _ in range(times):
            self.now += 0.01
            self.breakers.failed(Failed(server="files", tool=tool, ending=ending, began=self.now, now=self.now, **more))

    def answer(self, tool: str, ending: Ending = Ending.ANSWERED) -> None:
        self.ledger.of("files", tool).note(ending, 0.01)


def test_one_tool_that_breaks_its_server_is_left_alone_by_itself() -> None:
    world = World()
    world.fail("crash")
    with pytest.raises(BreakerOpen) as refused:
        world.breakers.admit("files", "crash", world.now)
    assert "the tool crash of files" in refused.value.message
    assert refused.value.retryable
    assert refused.value.unsent
    assert world.breakers.admit("files", "read", world.now) is None
    assert world.events == [
        BreakerOpened(
            server="files",
            tool="crash",
            failure="transport",
            reason="its connection broke or it did not come up",
            seconds=1.0,
        )
    ]


def test_two_tools_that_fail_speak_against_their_server() -> None:
    world = World()
    for _ in range(6):
        world.fail("read", times=1)
        world.fail("write", times=1)
    with pytest.raises(BreakerOpen) as refused:
        world.breakers.admit("files", "list", world.now)
    assert refused.value.message.startswith("files is left alone")


def test_a_server_that_cannot_be_reached_is_left_alone_whoever_asks() -> None:
    world = World()
    world.fail(reached=False)
    with pytest.raises(BreakerOpen):
        world.breakers.admit("files", "other", world.now)


@pytest.mark.parametrize("ending", [Ending.QUOTA, Ending.AUTH])
def test_who_is_not_let_in_is_not_let_in_by_any_tool(ending: Ending) -> None:
    world = World()
    world.fail(ending=ending)
    assert world.breakers.blocked("files", "other", world.now)


@pytest.mark.parametrize("ending", [Ending.TOOL_ERROR, Ending.REFUSED, Ending.OVERLOAD, Ending.GIVEN_UP, Ending.OTHER])
def test_what_is_no_fault_of_a_server_opens_nothing(ending: Ending) -> None:
    world = World()
    world.fail(ending=ending, times=1000)
    world.fail("other", ending=ending, times=1000)
    assert world.breakers.states(world.now) == []
    assert world.marked == []


def test_what_other_tools_answer_keeps_the_server_open_to_all() -> None:
    world = World()
    for _ in range(30):
        world.fail("read", times=1)
        world.fail("write", times=1)
        for _ in range(5):
            world.answer("list", Ending.TOOL_ERROR)
    assert not world.breakers.blocked("files", "list", world.now)


def test_a_probe_goes_through_both_breakers_and_closes_both() -> None:
    world = World()
    for _ in range(6):
        world.fail("read", times=1)
        world.fail("write", times=1)
    assert {(each.tool, each.state) for each in world.breakers.states(world.now)} == {
        ("", State.OPEN),
        ("read", State.OPEN),
        ("write", State.OPEN),
    }
    later = world.now + 1.5
    probe = world.breakers.admit("files", "read", later)
    assert probe is not None
    with pytest.raises(BreakerOpen):
        world.breakers.admit("files", "read", later)
    probe.ended(Ending.TOOL_ERROR, later)
    probe.ended(Ending.TOOL_ERROR, later)
    assert [each.tool for each in world.breakers.states(later)] == ["write"]
    told = [event for event in world.events if not isinstance(event, BreakerOpened)]
    assert told == [
        BreakerHalfOpened(server="files", tool=""),
        BreakerHalfOpened(server="files", tool="read"),
        BreakerClosed(server="files", tool=""),
        BreakerClosed(server="files", tool="read"),
    ]
    assert world.marked[-1] == "files"
    assert world.breakers.any_of("files")


def test_a_call_that_the_tool_breaker_refuses_is_no_probe_of_the_server() -> None:
    world = World()
    world.fail(reached=False)
    world.now += 2.0
    world.fail("read")
    later = world.now + 0.5  # the server's time has come, the tool's has not
    with pytest.raises(BreakerOpen):
        world.breakers.admit("files", "read", later)
    assert world.breakers.admit("files", "other", later) is not None


def test_a_start_is_news() -> None:
    world = World()
    world.fail(reached=False)
    assert world.breakers.blocked("files", "read", world.now)
    world.breakers.started("files", world.now)
    assert not world.breakers.blocked("files", "read", world.now)


def test_a_server_that_is_gone_is_forgotten() -> None:
    world = World()
    world.fail(reached=False)
    world.breakers.forget("files")
    assert world.breakers.admit("files", "read", world.now) is None
    assert not world.breakers.any_of("files")


def test_other_rules_forget_what_was_and_none_refuse_nothing() -> None:
    world = World()
    world.fail()
    world.breakers.configure(Rules(in_a_row=2))
    assert not world.breakers.blocked("files", "read", world.now)
    world.fail(times=2)
    assert world.breakers.blocked("files", "read", world.now)
    world.breakers.configure(None)
    world.fail(times=100)
    assert not world.breakers.blocked("files", "read", world.now)
    assert world.marked[-1] == "files"
